"""What the maintainer scripts of the base's own packages would have done, done here.

These packages are a fixed list, so their scripts were read once and what matters in a container is here:
accounts, name service, certificates, the shell, the time zone. Nothing of it runs a program.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from cogyard.image.bases.debian import linker
from cogyard.image.bases.debian.deb import merge
from cogyard.image.bases.debian.scripts import Alternative
from cogyard.image.bases.debian.tree import Tree

BUNDLE = "etc/ssl/certs/ca-certificates.crt"


def finish(tree: Tree) -> None:
    """Complete a tree that holds the base's packages."""
    for master, path in (("passwd", "etc/passwd"), ("group", "etc/group")):
        source = f"usr/share/base-passwd/{master}.master"
        if source in tree:
            tree.file(path, tree.read(source))
    _apt_user(tree)
    if "etc/dpkg/origins/ubuntu" in tree and "etc/dpkg/origins/default" not in tree:
        tree.link("etc/dpkg/origins/default", "ubuntu")
    if "usr/share/base-files/nsswitch.conf" in tree and "etc/nsswitch.conf" not in tree:
        tree.file("etc/nsswitch.conf", tree.read("usr/share/base-files/nsswitch.conf"))
    if "usr/bin/sh" not in tree:
        tree.link("usr/bin/sh", "dash")
    if "usr/bin/awk" not in tree and "usr/bin/mawk" in tree:
        tree.link("usr/bin/awk", "mawk")
    if "usr/share/zoneinfo/Etc/UTC" in tree:
        tree.link("etc/localtime", "/usr/share/zoneinfo/Etc/UTC")
        tree.file("etc/timezone", b"Etc/UTC\n")
    certificates(tree)
    for path in ("tmp", "var/tmp"):
        tree.folder(path, 0o1777)
    for path in ("proc", "sys", "dev", "run", "root", "home"):
        tree.folder(path)


def _apt_user(tree: Tree) -> None:
    """Give apt the user that Debian's base-passwd has for it since 3.6.1, and Ubuntu's since 24.04."""
    path = "etc/passwd"
    if path in tree and b"\n_apt:" not in (users := tree.read(path)):
        tree.file(path, users + b"_apt:x:42:65534::/nonexistent:/usr/sbin/nologin\n")


def certificates(tree: Tree) -> None:
    """Make the bundle of trusted certificates, and let OpenSSL's default file be it."""
    found = tree.matching(r"usr/share/ca-certificates/.+\.crt")
    if not found:
        return
    tree.file(BUNDLE, b"".join(tree.read(path).rstrip(b"\n") + b"\n" for path in found))
    names = "".join(path.removeprefix("usr/share/ca-certificates/") + "\n" for path in found)
    tree.file("etc/ca-certificates.conf", names.encode())
    if "usr/lib/ssl/cert.pem" not in tree:
        tree.link("usr/lib/ssl/cert.pem", f"/{BUNDLE}")


def own_lists(tree: Tree) -> None:
    """Begin the lists of ucf, which keeps what people changed in configurations; it appends to them."""
    if "usr/bin/ucf" in tree:
        for name in ("hashfile", "registry"):
            tree.file(f"var/lib/ucf/{name}", b"")


def linker_cache(tree: Tree, architecture: str, below: Iterable[linker.Library] = ()) -> None:
    """Write the dynamic linker's cache over the tree's libraries and those of the layers below."""
    texts = [tree.read(path).decode("utf-8", "replace") for path in tree.matching(linker.CONFIGURATION)]
    found: list[linker.Library] = []
    for folder in linker.folders(texts, architecture):
        for path in tree.matching(rf"{re.escape(folder)}/[^/]+\.so(?:\.[^/]+)?"):
            soname = linker.soname_of(tree.read(path), architecture)
            if soname is not None and (f"{folder}/{soname}" in tree):
                found.append(linker.Library(soname=soname, path=_shown(f"{folder}/{soname}")))
    tree.file(linker.CACHE, linker.write_cache([*found, *below], architecture))


def _shown(path: str) -> str:
    """Return a library's path as ldconfig writes it: by /lib, which is a link into /usr."""
    return "/" + (path.removeprefix("usr/") if path.startswith("usr/lib/") else path)


def alternatives(tree: Tree, found: Iterable[Alternative]) -> None:
    """Make the links of update-alternatives: for each name, the path of the highest priority."""
    best: dict[str, Alternative] = {}
    for each in found:
        if each.name not in best or best[each.name].priority < each.priority:
            best[each.name] = each
    for name, each in sorted(best.items()):
        tree.link(f"etc/alternatives/{name}", each.path)
        # gcc's says /lib/cpp: a folder /lib in a layer would take the place of the link that /lib is.
        tree.link(merge(each.link.lstrip("/")), f"/etc/alternatives/{name}")
