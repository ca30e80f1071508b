"""One machine, one file: found by presence, in sorted order."""
