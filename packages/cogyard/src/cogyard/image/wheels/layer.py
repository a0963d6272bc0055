"""An environment, or a part of one, as tar entries."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

from cogyard.image.errors import HostilePackageError
from cogyard.image.wheels.archive import Installed, Stored, read_wheel
from cogyard.image.wheels.bytecode import Compiler
from cogyard.image.wheels.fetch import Wheel
from cogyard.image.wheels.layout import Layout
from cogyard.oci.layer import CorruptStreamError, LayerWriter


def write_wheels(
    layer: LayerWriter, layout: Layout, wheels: Iterable[Wheel], *, skeleton: str | None = None
) -> None:
    """Write what the wheels install; with `skeleton`, the base's Python, also what makes it an environment.

    Raises HostilePackageError.
    """
    files: dict[str, Installed] = {}
    with ExitStack() as stack:
        opened: dict[Path, int] = {}
        for wheel in wheels:
            files.update({each.path: each for each in read_wheel(wheel.path, wheel.filename, layout)})
            opened[wheel.path] = stack.enter_context(wheel.path.open("rb", buffering=0)).fileno()
        _write(layer, layout, files, opened, skeleton)


def _write(
    layer: LayerWriter,
    layout: Layout,
    files: Mapping[str, Installed],
    opened: Mapping[Path, int],
    skeleton: str | None,
) -> None:
    """Write the entries; `opened` are the wheels' descriptors."""
    entries: dict[str, Installed | str | None] = {
        f"{layout.root}/{path}": each for path, each in files.items()
    }
    if skeleton is not None:
        entries.update(_skeleton(layout, skeleton))
    entries.update(_folders(list(entries)))
    for path in sorted(entries):
        entry = entries[path]
        if entry is None:
            layer.directory(path)
        elif isinstance(entry, str):
            layer.symlink(path, entry)
        else:
            _write_file(layer, path, entry, opened)


def write_bytecode(layer: LayerWriter, layout: Layout, wheels: Iterable[Wheel], compiler: Compiler) -> bool:
    """Write the bytecode of the wheels' modules; return whether there is any."""
    entries: dict[str, bytes | None] = {}
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for found in pool.map(lambda wheel: list(compiler.compile(wheel, layout)), wheels):
            entries.update(found)
    entries.update(_folders(list(entries)))
    for path in sorted(entries):
        data = entries[path]
        if data is None:
            layer.directory(path)
        else:
            layer.file(path, data)
    return bool(entries)


def _folders(paths: Iterable[str]) -> dict[str, None]:
    """Return every folder above the paths."""
    found: dict[str, None] = {}
    for path in paths:
        folder = path.rpartition("/")[0]
        while folder and folder not in found:
            found[folder] = None
            folder = folder.rpartition("/")[0]
    return found


def _write_file(layer: LayerWriter, path: str, file: Installed, opened: Mapping[Path, int]) -> None:
    content = file.content
    if isinstance(content, bytes):
        layer.file(path, content, file.mode)
        return
    try:
        _write_stored(layer, path, content, file.mode, opened[content.wheel])
    except CorruptStreamError as error:
        raise HostilePackageError(f"{content.wheel.name} is broken: {error}") from None


def _write_stored(layer: LayerWriter, path: str, content: Stored, mode: int, opened: int) -> None:
    if content.deflated:
        layer.rewrap(path, content.chunks(opened), content.size, content.crc, mode)
    else:
        layer.stream(path, content.chunks(opened), content.size, mode)


def _skeleton(layout: Layout, python: str) -> dict[str, Installed | str]:
    """Return what turns a folder into a virtual environment over the Python at `python`."""
    home = python.rpartition("/")[0]
    config = f"home = {home}\ninclude-system-site-packages = false\nversion = {layout.python}\nexecutable = {python}\n"
    return {
        f"{layout.root}/pyvenv.cfg": Installed(path="pyvenv.cfg", mode=0o644, content=config.encode()),
        f"{layout.root}/bin/python": python,
        f"{layout.root}/bin/python3": "python",
        f"{layout.root}/bin/python{layout.python}": "python",
        f"{layout.root}/lib64": "lib",
    }
