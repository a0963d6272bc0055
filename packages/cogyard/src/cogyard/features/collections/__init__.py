"""Models that belong together, as the operator sees it."""
