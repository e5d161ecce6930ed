"""Records to numbers, computed once: what tables, sentences and pictures of a report then show."""
