"""Warning classes kept for code that names them."""

from __future__ import annotations


class ExperimentalFeatureWarning(Warning):
    """Never issued here; older models import it to filter it."""
