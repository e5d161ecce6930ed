"""What of a picture made a trained detector decide as it did; what its maps and spectra show."""
