"""Where instances go."""
