"""Documented stand-ins for tests: `fake_worker.py`, which passes the same contract suite as the real worker."""
