"""The embedded default dataset: portraits drawn by rule, half with a generator's traces."""
