"""Bytecode of a wheel's modules, compiled here by a Python of the image's version, several processes at once.

Theory of operation. Bytecode depends on Python's minor version alone, not on the processor, so a Python of this machine
compiles for any image. What `marshal` writes depends a little on what its process did before and on the hash seed; so
each process gets a fixed part of one wheel, in a fixed order, and a fixed seed: the same wheel gives the same bytes.
(Two patch releases of Python may differ where a compiler's mistake was mended.) A process for each core is started once
and forks for each part (`cogyard.image.wheels.compiler`).
"""

from __future__ import annotations

import json
import os
import struct
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath

from cogyard.environment import cache as kept
from cogyard.image.wheels.archive import Stored, read_wheel
from cogyard.image.wheels.compilers import Compilers
from cogyard.image.wheels.fetch import Wheel
from cogyard.image.wheels.layout import Layout

#: Modules that one process compiles: enough to pay for its start, few enough for all cores to have work.
_PART = 250
_TESTS = frozenset({"test", "tests"})
_LENGTHS = struct.Struct(">II")


class Compiler:
    """Compile wheels for one Python; what was compiled is kept by the wheel's hash. Call `stop` when done."""

    def __init__(self, python: Path, cache: Path, *, mtime: int) -> None:
        """`python` is an executable of the image's minor version; `mtime` is the time of the modules there."""
        self._cache, self._mtime = cache, mtime
        self._compilers = Compilers(python)

    def stop(self) -> None:
        """End the processes; what is being compiled fails."""
        self._compilers.stop()

    def compile(self, wheel: Wheel, layout: Layout) -> Iterator[tuple[str, bytes]]:
        """Yield the path below the root of the image and the content of each .pyc file, sorted by the module's path."""
        key = kept.key(
            "bytecode 2", layout.python, layout.root, str(self._mtime), wheel.filename, wheel.sha256
        )
        path = self._cache / key[:2] / key
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            data = self._compile(wheel, layout)
            kept.write(path, data)
        yield from _records(data, layout)

    def _compile(self, wheel: Wheel, layout: Layout) -> bytes:
        members = _modules(wheel, layout)
        parts = [members[start : start + _PART] for start in range(0, len(members), _PART)]
        with (
            tempfile.TemporaryDirectory(prefix="cogyard-") as folder,
            ThreadPoolExecutor(os.cpu_count() or 1) as pool,
        ):
            return b"".join(
                pool.map(
                    lambda each: self._part(wheel, each[1], Path(folder) / str(each[0])), enumerate(parts)
                )
            )

    def _part(self, wheel: Wheel, members: list[tuple[str, str]], out: Path) -> bytes:
        job = {"wheel": str(wheel.path), "members": members, "mtime": self._mtime, "out": str(out)}
        # What cannot be compiled here is left out; the image then compiles those modules itself.
        return out.read_bytes() if self._compilers.run(json.dumps(job)) else b""


def _modules(wheel: Wheel, layout: Layout) -> list[tuple[str, str]]:
    """Return (name in the wheel, absolute path in the image) of every module, sorted by path.

    Packages' own tests are left out: they are two fifths of numpy, scipy and scikit-learn, and nobody imports them.
    """
    inside = f"{layout.site_packages}/"
    found = [
        (each.content.member, f"/{layout.root}/{each.path}")
        for each in read_wheel(wheel.path, wheel.filename, layout)
        if isinstance(each.content, Stored)
        and each.path.endswith(".py")
        and each.path.startswith(inside)
        and not _TESTS & set(each.path.split("/")[:-1])
    ]
    return sorted(found, key=lambda pair: pair[1])


def _records(data: bytes, layout: Layout) -> Iterator[tuple[str, bytes]]:
    tag = f"cpython-{layout.python.replace('.', '')}"
    at = 0
    while at < len(data):
        name_size, size = _LENGTHS.unpack_from(data, at)
        at += _LENGTHS.size
        module = PurePosixPath(data[at : at + name_size].decode("utf-8", "surrogateescape"))
        at += name_size
        yield f"{str(module.parent)[1:]}/__pycache__/{module.stem}.{tag}.pyc", data[at : at + size]
        at += size
