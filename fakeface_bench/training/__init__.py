"""Losses, batches and one fit. It takes callbacks, and has never heard of MLflow or Optuna."""
