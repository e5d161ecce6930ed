"""The catalogue of networks, how they are built, and the weights they start from."""
