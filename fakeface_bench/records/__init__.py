"""What a study learned, as frozen records that travel up through the layers and into MLflow."""
