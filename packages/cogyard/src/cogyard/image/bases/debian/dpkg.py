"""dpkg's own records of what is installed, so that apt, scanners and people see an ordinary Debian."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping

from debian.deb822 import Packages

from cogyard.image.bases.debian.index import relations
from cogyard.image.bases.debian.resolver import Installed
from cogyard.image.bases.debian.tree import Tree, Unpacked, left_out

STATUS = "var/lib/dpkg/status"
_INFO = "var/lib/dpkg/info"
_LOADERS = "usr/lib64"
#: Control records that dpkg keeps for later.
_KEPT = frozenset(
    {"md5sums", "conffiles", "triggers", "shlibs", "symbols", "preinst", "postinst", "prerm", "postrm"}
)


def record(tree: Tree, packages: Iterable[Unpacked], *, before: str = "") -> None:
    """Write the records of `packages` into the tree; `before` is the status of the layers below."""
    stanzas = {_stanza_key(stanza): stanza for stanza in _stanzas(before)}
    for package in packages:
        control = package.records["control"].decode("utf-8", "replace").strip("\n")
        fields = Packages(control)
        conffiles = package.records.get("conffiles", b"").decode("utf-8", "replace").split("\n")
        stanzas[_key(fields)] = _installed(
            tree, control, [path for path in conffiles if path.startswith("/")]
        )
        name = package.name
        if fields.get("Multi-Arch") == "same":
            name = f"{name}:{fields['Architecture']}"
        listing = "".join(f"/{path}\n" for path in package.paths)
        if _LOADERS in package.paths:
            # A link of the merged root, and the one that scripts ask dpkg about: what nobody owns they take away,
            # and with it every program's loader.
            listing += f"/{_LOADERS.removeprefix('usr/')}\n"
        tree.file(f"{_INFO}/{name}.list", f"/.\n{listing}".encode())
        for kind in sorted(_KEPT & package.records.keys()):
            mode = 0o755 if kind in {"preinst", "postinst", "prerm", "postrm"} else 0o644
            data = package.records[kind]
            tree.file(f"{_INFO}/{name}.{kind}", _present(data) if kind == "md5sums" else data, mode)
    if not before:
        tree.file(f"{_INFO}/format", b"1\n")
        tree.file("var/lib/dpkg/available", b"")
    status = "\n".join(f"{stanzas[key]}\n" for key in sorted(stanzas))
    tree.file(STATUS, status.encode())


def _present(sums: bytes) -> bytes:
    """Return a package's checksums without those of files that are left out, which `dpkg -V` would miss."""
    lines = sums.decode("utf-8", "surrogateescape").splitlines(keepends=True)
    kept = [line for line in lines if not left_out(line.partition("  ")[2].rstrip("\n"))]
    return "".join(kept).encode("utf-8", "surrogateescape")


def installed(status: str) -> Installed:
    """Return what a status file says is installed."""
    versions: dict[str, str] = {}
    provides = {}
    for stanza in _stanzas(status):
        fields = Packages(stanza)
        if fields.get("Status", "").split()[-1:] != ["installed"]:
            continue
        versions[fields["Package"]] = fields["Version"]
        if "Provides" in fields:
            groups = relations(fields, "provides")
            provides[fields["Package"]] = tuple(each for group in groups for each in group)
    return Installed(versions=versions, provides=provides)


def architecture(status: str) -> str | None:
    """Return the architecture of a status file's C library, so of the system."""
    for stanza in _stanzas(status):
        if _field(stanza, "Package") == "libc6":
            return _field(stanza, "Architecture")
    return None


def _stanzas(status: str) -> list[str]:
    return [stanza.strip("\n") for stanza in re.split(r"\n\n+", status) if stanza.strip()]


def _field(stanza: str, name: str) -> str | None:
    match = re.search(rf"^{name}: *(.*)$", stanza, re.MULTILINE)
    return match[1].strip() if match else None


def _stanza_key(stanza: str) -> str:
    return f"{_field(stanza, 'Package')}:{_field(stanza, 'Architecture')}"


def _key(fields: Mapping[str, str]) -> str:
    return f"{fields['Package']}:{fields['Architecture']}"


def _installed(tree: Tree, control: str, conffiles: list[str]) -> str:
    first, newline, rest = control.partition("\n")
    stanza = f"{first}\nStatus: install ok installed{newline}{rest}"
    lines = [
        f" {path} {hashlib.md5(tree.read(path[1:]), usedforsecurity=False).hexdigest()}"
        for path in conffiles
        if path[1:] in tree
    ]
    return "\n".join([stanza, "Conffiles:", *lines]) if lines else stanza
