"""What was found, as files: tables, pictures and a short text; without TensorFlow or MLflow."""
