"""Records to MLflow runs and models; nobody else imports MLflow."""
