"""Named series of versions."""
