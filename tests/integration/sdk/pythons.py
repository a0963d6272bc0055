"""The Pythons that the SDK promises to run on: this machine's, and those that Debian's packages give."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cogyard.image.bases.choose import find_base
from cogyard.image.bases.debian.releases import RELEASES
from cogyard.image.platforms import architecture_of, local_platform
from cogyard.image.site import Site
from cogyard.oci.layout import ImageStore

PROMISED = ("3.10", "3.11", "3.12", "3.13", "3.14")
_CACHE = Path(__file__).parents[3] / ".cache" / "pythons"
_RUN = """#!/bin/sh
exec "{root}{loader}" --argv0 "$0" --library-path "{root}/usr/lib/{triplet}" "{root}/usr/bin/python{version}" "$@"
"""
_LOADERS = {
    "amd64": ("/lib64/ld-linux-x86-64.so.2", "x86_64-linux-gnu"),
    "arm64": ("/lib/ld-linux-aarch64.so.1", "aarch64-linux-gnu"),
}


def interpreter(version: str) -> Path | None:
    """Return a Python of the version: one on the PATH, else one of pyenv's; None when there is none."""
    found = shutil.which(f"python{version}")
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    own = sorted((root / "versions").glob(f"{version}.*/bin/python"))
    for path in [*([Path(found)] if found else []), *reversed(own)]:
        if _version(path) == version:
            return path
    return None


def assembled(version: str) -> Path | None:
    """Return a Python made of Debian's packages, once; None where no release that can be a base has it.

    Raises CogyardError when no archive can be reached.
    """
    architecture = architecture_of(local_platform())
    if version not in RELEASES.values() or architecture not in _LOADERS:
        return None
    root = _CACHE / version
    program = root / "usr" / "bin" / "python"
    with _alone():
        if not program.exists():
            _unpack(version, architecture, root)
            loader, triplet = _LOADERS[architecture]
            text = _RUN.format(root=root, loader=loader, triplet=triplet, version=version)
            program.write_text(text)
            program.chmod(0o755)
    return program


def _unpack(version: str, architecture: str, root: Path) -> None:
    shutil.rmtree(root, ignore_errors=True)
    site = Site(store=ImageStore(_CACHE / "images"), cache=_CACHE / "cache")
    base = find_base("assemble:" + _release(version), version, architecture, site)
    for layer in base.layers:
        with tarfile.open(site.store.path(layer.descriptor.digest)) as archive:
            # Of our own making, so it needs no filter; 3.11.2, Debian's, has none, and 3.14 would take the strictest.
            archive.extraction_filter = lambda member, _path: member
            archive.extractall(root)  # noqa: S202 - see above
    shutil.rmtree(_CACHE / "cache")
    shutil.rmtree(_CACHE / "images")


def _release(version: str) -> str:
    return next(release for release, carried in RELEASES.items() if carried == version)


@contextmanager
def _alone() -> Iterator[None]:
    """Let one test process unpack, and the others wait for it."""
    _CACHE.mkdir(parents=True, exist_ok=True)
    with (_CACHE / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _version(path: Path) -> str | None:
    """Return the version that a program says it is; a shim of pyenv may lead nowhere."""
    script = "import sys; print('{}.{}'.format(*sys.version_info[:2]))"
    try:
        done = subprocess.run([path, "-c", script], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
