"""Documented fakes, and the contract suites that fakes and real adapters both pass."""
