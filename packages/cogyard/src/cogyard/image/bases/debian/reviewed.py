"""Packages whose maintainer scripts were read and leave nothing out in a fresh image.

Their alternatives are made all the same. A package is here for one of these reasons; when in doubt it is not, and the
builder refuses it.
"""

from __future__ import annotations

from collections.abc import Mapping

_UPGRADES = "only cleans up after older releases of itself"
_CACHE = "fills a cache that is filled or done without when it is missing"
_DESKTOP = "tells a desktop or a mail reader of itself"
_EMACS = "tells an Emacs of itself, and there is none"
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

#: The same of Ubuntu, whose scripts of one name may do more than Debian's: read as they are in 22.04, 24.04 and 26.04.
UBUNTU_REVIEWED: Mapping[str, str] = {
    "apt": "makes a user that an assembled base has",
    "binutils": _UPGRADES,
    "cmake-data": _EMACS,
    "dpkg": "notes the architecture that it is built for, which it knows without",
    "emacsen-common": _EMACS,
    "fontconfig": _CACHE,
    "fontconfig-config": _DEFAULTS,
    "g++": _UPGRADES,
    "gcc": _UPGRADES,
    "git": _UPGRADES,
    "hicolor-icon-theme": _CACHE,
    "imagemagick-6.q16": _UPGRADES,
    "imagemagick-7.q16": _UPGRADES,
    "init-system-helpers": _UPGRADES,
    "less": _UPGRADES,
    "libasound2-dev": _UPGRADES,
    "libblas-dev": _UPGRADES,
    "libblas3": _UPGRADES,
    "libgcrypt20": _UPGRADES,
    "libgdk-pixbuf-2.0-0": _CACHE,
    "libglib2.0-0": _CACHE,
    "libglib2.0-0t64": _CACHE,
    "libgssapi-krb5-2": _UPGRADES,
    "liblapack-dev": _UPGRADES,
    "liblapack3": _UPGRADES,
    "libpam0g": _UPGRADES,
    "libsensors5": _UPGRADES,
    "perl": _UPGRADES,
    "pkg-config": "for 22.04 gives itself names for other processors; since then " + _UPGRADES,
    "pkgconf": _UPGRADES,
    "pkgconf-bin": "makes an empty folder",
    "procps": "sets what only a machine's own kernel takes, where it is no container; " + _UPGRADES,
    "shared-mime-info": _CACHE,
    "tmux": "adds itself to the shells that people may log in with",
    "ucf": "begins its lists, which are begun here",
    "unzip": _DESKTOP,
    "x11-common": _UPGRADES,
    "xz-utils": "offers itself under the older name lzma",
}
