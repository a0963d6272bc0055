"""Where `current_scope` and `emit_metric` were in Cog 0.10 to 0.16."""

from __future__ import annotations

from cog.scope import Scope, current_scope, emit_metric

__all__ = ["Scope", "current_scope", "emit_metric"]
