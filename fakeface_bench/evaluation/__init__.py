"""A finished model on a split: scores, threshold, calibration and the table of metrics."""
