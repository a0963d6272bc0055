"""Kinds of machine."""
