"""Images on disk, as an index, its splits and batches of pixels."""
