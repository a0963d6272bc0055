"""Bytes that accounts send and models make."""
