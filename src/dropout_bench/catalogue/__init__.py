"""What there is to choose from: an entry each, known before a byte of it is read."""
