"""Debian releases that can be a base."""

from __future__ import annotations

from collections.abc import Mapping

#: The Python each release carries.
RELEASES: Mapping[str, str] = {"bookworm": "3.11", "trixie": "3.13", "forky": "3.14"}
