"""Heads, and the models they make with a backbone."""
