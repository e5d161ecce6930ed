"""Networks that are trained, losses, batches and one fit; knows neither MLflow nor Optuna."""
