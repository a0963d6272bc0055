"""How much of a model may be asked for."""
