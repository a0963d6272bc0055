"""SQL: the state of the platform."""
