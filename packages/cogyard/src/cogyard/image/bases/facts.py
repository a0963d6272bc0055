"""What an image's layers say about it: its Pythons, its distribution, its init. Read, not run."""

from __future__ import annotations

import re
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from cogyard.image.bases.base import Ubuntu
from cogyard.image.bases.debian.deb import merge
from cogyard.image.bases.debian.linker import CACHE
from cogyard.image.errors import BaseError
from cogyard.oci.descriptor import Descriptor
from cogyard.oci.plain import BROKEN, open_plain

_PYTHON = re.compile(r"(?:usr/local/bin|usr/bin|opt/[\w.-]{1,40}/bin)/python(3\.\d{1,2})\Z")
_STATUS = "var/lib/dpkg/status"
_RELEASES = ("usr/lib/os-release", "etc/os-release")
_TINI = "usr/bin/tini"
_SOURCES = re.compile(r"etc/apt/(?:sources\.list|sources\.list\.d/[\w.-]+\.(?:list|sources))\Z")
_MAX_SOURCES = 64 << 10
#: The package ubuntu-keyring's. apt trusts these for the archive, and so does whoever builds on the image.
_KEYS = "usr/share/keyrings/ubuntu-archive-keyring.gpg"
_MAX_KEYS = 1 << 20
#: dpkg's status of the largest systems is a few megabytes.
_MAX_STATUS = 64 << 20
_UNREADABLE: tuple[type[Exception], ...] = (*BROKEN, OSError)


@dataclass(slots=True)
class Facts:
    """What was found, the uppermost layer's word counting."""

    pythons: dict[str, str] = field(default_factory=dict)
    """Absolute path → minor version."""
    status: str | None = None
    release: dict[str, str] = field(default_factory=dict)
    has_tini: bool = False
    linker_cache: bytes = b""
    sources: dict[str, str] = field(default_factory=dict)
    """apt's own lists of archives, by path."""
    keys: bytes = b""
    """The keys that may sign Ubuntu's archive."""

    @property
    def codename(self) -> str | None:
        """Debian's name for its release; None for another distribution."""
        return self.release.get("VERSION_CODENAME") if self.release.get("ID") == "debian" else None

    @property
    def ubuntu(self) -> Ubuntu | None:
        """The release of Ubuntu; None on another distribution, and where nothing says whom to trust."""
        codename = self.release.get("VERSION_CODENAME", "")
        if self.release.get("ID") != "ubuntu" or not re.fullmatch(r"[a-z]{2,30}", codename) or not self.keys:
            return None
        return Ubuntu(codename=codename, keys=self.keys)

    @property
    def glibc(self) -> tuple[int, int] | None:
        """The C library's version, from dpkg's list."""
        match = re.search(
            r"^Package: libc6\n(?:.+\n)*?Version: (\d+)\.(\d+)", self.status or "", re.MULTILINE
        )
        return (int(match[1]), int(match[2])) if match else None

    def python(self, wanted: str) -> str | None:
        """Return the path of a Python; one of the image's own before the distribution's, no environment's."""
        found = sorted(path for path, version in self.pythons.items() if version == wanted)
        for start in ("/usr/local/", "/usr/", "/opt/"):
            for path in found:
                if path.startswith(start) and not path.startswith("/opt/cog/"):
                    return path
        return None


def read_facts(layers: Iterable[tuple[Descriptor, Path]], name: str) -> Facts:
    """Go through layers, lowest first.

    Raises BaseError for a layer that cannot be read.
    """
    facts = Facts()
    for _, path in layers:
        try:
            with open_plain(path) as file, tarfile.open(fileobj=file, mode="r|") as layer:
                _read_layer(layer, facts)
        except _UNREADABLE as error:
            raise BaseError(f"a layer of {name} cannot be read: {error}") from None
    return facts


def _read_layer(layer: tarfile.TarFile, facts: Facts) -> None:
    for member in layer:
        path = merge(member.name.removeprefix("./").lstrip("/"))
        folder, _, last = path.rpartition("/")
        if last.startswith(".wh."):
            removed = f"/{folder}/{last.removeprefix('.wh.')}"
            facts.pythons.pop(removed, None)
            facts.sources.pop(removed.lstrip("/"), None)
            facts.has_tini = facts.has_tini and removed != f"/{_TINI}"
        elif (match := _PYTHON.match(path)) and (member.isreg() or member.issym()):
            facts.pythons[f"/{path}"] = match[1]
        elif path == _TINI:
            facts.has_tini = True
        elif _SOURCES.match(path) and member.isreg() and member.size <= _MAX_SOURCES:
            file = layer.extractfile(member)
            facts.sources[path] = file.read().decode("utf-8", "replace") if file is not None else ""
        elif path == _KEYS and member.isreg() and member.size <= _MAX_KEYS:
            file = layer.extractfile(member)
            facts.keys = file.read() if file is not None else b""
        elif path in {_STATUS, CACHE, *_RELEASES} and member.isreg() and member.size <= _MAX_STATUS:
            _read_file(layer, member, path, facts)


def _read_file(layer: tarfile.TarFile, member: tarfile.TarInfo, path: str, facts: Facts) -> None:
    file = layer.extractfile(member)
    data = file.read() if file is not None else b""
    if path == CACHE:
        facts.linker_cache = data
        return
    text = data.decode("utf-8", "replace")
    if path == _STATUS:
        facts.status = text
    else:
        facts.release = _variables(text)


def _variables(text: str) -> dict[str, str]:
    pairs = (line.partition("=") for line in text.splitlines() if "=" in line)
    return {name: value.strip().strip("\"'") for name, _, value in pairs}
