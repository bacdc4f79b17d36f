"""What trained networks do on images they have not seen: the one reader of the test set."""
