"""Predictors that several tests of the worker start."""

from __future__ import annotations

HELLO = """
from cog import BasePredictor, Input

class Predictor(BasePredictor):
    def setup(self):
        print("setting up")
        self.greeting = "hello "

    def predict(self, text: str, times: int = Input(default=1, ge=1), factor: float = 1) -> str:
        assert type(factor) is float
        return self.greeting + text * times
"""
