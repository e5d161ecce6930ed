"""A trained detector at work: pictures as they come, one verdict each."""
