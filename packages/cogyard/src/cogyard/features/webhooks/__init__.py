"""Telling other servers what became of a prediction."""
