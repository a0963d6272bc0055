"""A small archive with the layout of Ubuntu's: components, pockets, packages in zstd, indexes by hash."""

from __future__ import annotations

import functools
import hashlib
import http.server
import lzma
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pysequoia

COMPONENTS = ("main", "restricted", "universe", "multiverse")


@dataclass(frozen=True, kw_only=True)
class Offered:
    """A package, the pocket and component it is in, and the script that it has below /usr/bin; `files` it has too."""

    name: str
    version: str
    script: str
    component: str = "main"
    pocket: str = "noble"
    depends: str = ""
    postinst: str = ""
    files: Mapping[str, str] = field(default_factory=dict)


def make_archive(folder: Path, key: pysequoia.Tsk, packages: list[Offered], *, architecture: str) -> None:
    """Write an archive of Ubuntu noble and its updates."""
    entries: dict[tuple[str, str], list[str]] = {}
    for each in packages:
        entries.setdefault((each.pocket, each.component), []).append(_package(folder, each, architecture))
    for pocket in ("noble", "noble-updates"):
        suite, sums = folder / "dists" / pocket, []
        for component in COMPONENTS:
            plain = "\n".join(entries.get((pocket, component), [])).encode()
            for name, data in (("Packages", plain), ("Packages.xz", lzma.compress(plain))):
                path = f"{component}/binary-{architecture}/{name}"
                digest = hashlib.sha256(data).hexdigest()
                hashed = suite / component / f"binary-{architecture}" / "by-hash" / "SHA256" / digest
                hashed.parent.mkdir(parents=True, exist_ok=True)
                hashed.write_bytes(data)
                sums.append(f" {digest} {len(data)} {path}")
        release = (
            f"Origin: Ubuntu\nLabel: Ubuntu\nSuite: {pocket}\nVersion: 24.04\nCodename: noble\n"
            f"Date: Thu, 25 Apr 2024 15:10:33 UTC\nArchitectures: {architecture}\n"
            f"Components: {' '.join(COMPONENTS)}\nDescription: Ubuntu Noble 24.04\nAcquire-By-Hash: yes\n"
            "SHA256:\n" + "\n".join(sums) + "\n"
        )
        signed = pysequoia.sign(key.signer(), release.encode(), mode=pysequoia.SignatureMode.CLEAR)
        (suite / "InRelease").write_bytes(bytes(signed))


def _package(folder: Path, offered: Offered, architecture: str) -> str:
    """Make a package as Ubuntu's are, compressed with zstd; return its entry of the index."""
    tree = folder / "trees" / f"{offered.name}_{offered.version}"
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "usr" / "bin").mkdir(parents=True)
    program = tree / "usr" / "bin" / offered.name
    program.write_text(f"#!/bin/sh\n{offered.script}\n")
    program.chmod(0o755)
    for path, text in offered.files.items():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_text(text)
    control = (
        f"Package: {offered.name}\nVersion: {offered.version}\nArchitecture: {architecture}\n"
        "Maintainer: Nobody <nobody@example.com>\n"
        + (f"Depends: {offered.depends}\n" if offered.depends else "")
        + "Description: a package of the tests\n"
    )
    (tree / "DEBIAN" / "control").write_text(control)
    if offered.postinst:
        script = tree / "DEBIAN" / "postinst"
        script.write_text(f"#!/bin/sh\nset -e\n{offered.postinst}\n")
        script.chmod(0o755)
    name = f"pool/{offered.component}/{offered.name}_{offered.version}_{architecture}.deb"
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        ["dpkg-deb", "--root-owner-group", "-Zzstd", "--build", tree, folder / name],
        check=True, capture_output=True,
    )  # fmt: skip
    data = (folder / name).read_bytes()
    return f"{control}Filename: {name}\nSize: {len(data)}\nSHA256: {hashlib.sha256(data).hexdigest()}\n"


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Serve a folder on a port of its own; give the address."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Handler, directory=str(folder))
    )
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
