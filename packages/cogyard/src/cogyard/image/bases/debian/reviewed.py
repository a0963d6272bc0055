"""Packages whose maintainer scripts were read and leave nothing out in a fresh image.

Their alternatives are made all the same. A package is here for one of these reasons; when in doubt it is not, and the
builder refuses it.
"""

from __future__ import annotations

from collections.abc import Mapping

_UPGRADES = "only cleans up after older releases of itself"
_CACHE = "fills a cache that is filled or done without when it is missing"
_DESKTOP = "tells a desktop or a mail reader of itself"

_DEFAULTS = "copies or links its defaults, which are built in as well"

REVIEWED: Mapping[str, str] = {
    "binutils": _UPGRADES,
    "fontconfig": _CACHE,
    "fontconfig-config": _DEFAULTS,
    "gcc": _UPGRADES,
    "git": _UPGRADES,
    "hicolor-icon-theme": _CACHE,
    "libblas3": _UPGRADES,
    "libgcrypt20": _UPGRADES,
    "libgdk-pixbuf-2.0-0": _CACHE,
    "libglib2.0-0": _CACHE,
    "libglib2.0-0t64": _CACHE,
    "liblapack3": _UPGRADES,
    "libgssapi-krb5-2": _DEFAULTS,
    "libsensors5": _UPGRADES,
    "perl": _UPGRADES,
    "shared-mime-info": _CACHE,
    "unzip": _DESKTOP,
    "x11-common": _UPGRADES,
    "xz-utils": "offers itself under the older name lzma",
}
