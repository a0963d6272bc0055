"""One image of a model each."""
