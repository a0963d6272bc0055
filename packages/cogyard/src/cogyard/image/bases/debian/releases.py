"""Releases of Debian and Ubuntu that can be a base."""

from __future__ import annotations

from collections.abc import Mapping

#: The Python each release of Debian carries.
RELEASES: Mapping[str, str] = {"bookworm": "3.11", "trixie": "3.13", "forky": "3.14"}
#: The Python each release of Ubuntu carries: those that are kept for years, 22.04, 24.04 and 26.04.
UBUNTU_RELEASES: Mapping[str, str] = {"jammy": "3.10", "noble": "3.12", "resolute": "3.14"}
#: Debian's come first: of two releases with the same Python, it is the one that is taken unasked.
EVERY: Mapping[str, str] = {**RELEASES, **UBUNTU_RELEASES}


def distribution_of(codename: str) -> str:
    """Return whose release it is, as the archive's `Origin` says it."""
    return "Ubuntu" if codename in UBUNTU_RELEASES else "Debian"
