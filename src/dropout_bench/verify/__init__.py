"""Whether the committed report is what this code makes of these parameters."""
