"""Between JSON and Python: a request's input to arguments, a predictor's output to JSON."""

from __future__ import annotations

from cog.coerce.inputs import Arguments as Arguments
from cog.coerce.outputs import Encoder as Encoder

__all__ = ["Arguments", "Encoder"]
