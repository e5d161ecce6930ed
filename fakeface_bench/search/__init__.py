"""Optuna: trials to head options, the study's storage, and resuming it."""
