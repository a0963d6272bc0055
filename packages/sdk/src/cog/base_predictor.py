"""Where `BasePredictor` was in Cog 0.10 to 0.16."""

from __future__ import annotations

from cog.predictor import BasePredictor

__all__ = ["BasePredictor"]
