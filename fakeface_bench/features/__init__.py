"""Frozen backbones run once: pooled outputs of every block, cached as arrays on disk."""
