"""How instances of a version fared."""
