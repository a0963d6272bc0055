"""The only place that builds adapters and puts the platform together."""

from __future__ import annotations

from cogyard.compose.settings import Settings, SettingsError, load

__all__ = ["Settings", "SettingsError", "load"]
