"""Make the planned layers, each at most once: what a layer is made of names it in the cache."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import msgspec

from cogyard.environment import cache as kept
from cogyard.environment.wheels import own_wheel
from cogyard.image.bases.base import Base
from cogyard.image.download import Downloader
from cogyard.image.errors import SourceUnreadableError
from cogyard.image.plan import KIND, LOCK_PATH, SCHEMA_PATH, SOURCE_ROOT, PlannedLayer
from cogyard.image.wheels import fetch
from cogyard.oci import packable
from cogyard.oci.descriptor import LAYER_GZIP, Descriptor
from cogyard.oci.layer import QUICK, THOROUGH, CorruptStreamError, LayerWriter
from cogyard.oci.layout import ImageStore
from cogyard.project.ignore import SourceFile, named

if TYPE_CHECKING:
    from cogyard.image.wheels.bytecode import Compiler

#: Changes when the same parts would make other bytes.
RECIPE = "layer 5"
#: The same of files alone.
_FILES = "files 2"
_CHUNK = 1 << 20


class MadeLayer(msgspec.Struct, frozen=True, kw_only=True):
    """A layer in the store; `made` is false when it was there already."""

    kind: str
    title: str
    descriptor: Descriptor
    diff_id: str
    made: bool


class _Known(msgspec.Struct, frozen=True):
    """What the cache remembers of a layer."""

    digest: str
    size: int
    diff_id: str


#: Of bytecode that there is none.
_NOTHING = _Known("", 0, "")


class LayerMaker:
    """Make layers for one build."""

    def __init__(
        self,
        store: ImageStore,
        cache: Path,
        base: Base,
        downloader: Downloader,
        *,
        lock: str,
        schema: bytes,
        epoch: int,
    ) -> None:
        """`lock` is the text of the model's lock, `schema` its OpenAPI document, `epoch` the time of all entries."""
        self._store, self._cache, self._base, self._downloader = store, cache, base, downloader
        self._lock, self._schema, self._epoch = lock, schema, epoch
        self._ours: dict[str, fetch.Wheel] = {}
        #: Of layers that `find` did not find, to ask the disk once what state thousands of files are in.
        self._keys: dict[int, str] = {}
        self._starting = threading.Lock()
        self._started: list[Compiler] | None = None

    def make(
        self, planned: PlannedLayer, on_fetched: Callable[[str], None] | None = None
    ) -> MadeLayer | None:
        """Return the layer, made now or found.

        None for bytecode where there is nothing to compile, or no Python here to compile with. Raises ImageError.
        """
        own = self._own(planned)
        remembered = self._cache / "layers" / (self._keys.pop(id(planned), "") or self._key(planned, own))
        known = _recall(remembered)
        if known is not None and self._there(known, planned):
            return _layer(known, planned, made=False)
        if planned.kind == "bytecode" and self._compiler is None:
            return None
        known = self._write(planned, own, on_fetched, known)
        kept.write(remembered, msgspec.json.encode(known))
        return _layer(known, planned, made=True)

    def find(self, planned: PlannedLayer) -> tuple[bool, MadeLayer | None]:
        """Say whether `make` has nothing to do, and what it returns then. Raises SourceUnreadableError."""
        key = self._key(planned, self._own(planned))
        known = _recall(self._cache / "layers" / key)
        if known is None or not self._there(known, planned):
            self._keys[id(planned)] = key
            return False, None
        return True, _layer(known, planned, made=False)

    def _there(self, known: _Known, planned: PlannedLayer) -> bool:
        return not known.digest or self._store.has(_describe(known, planned))

    def _own(self, planned: PlannedLayer) -> fetch.Wheel | None:
        if planned.own is None:
            return None
        if planned.own not in self._ours:
            self._ours[planned.own] = fetch.local(own_wheel(planned.own))
        return self._ours[planned.own]

    def _key(self, planned: PlannedLayer, own: fetch.Wheel | None) -> str:
        parts = [RECIPE, str(self._epoch), planned.kind]
        if planned.layout is not None:
            parts += [planned.layout.root, planned.layout.python, self._base.python]
        parts += [f"{each.filename} {each.sha256 or each.url or each.path}" for each in planned.wheels]
        if own is not None:
            parts.append(f"{own.filename} {own.sha256}")
        parts += [_FILES, *(_state(each) for each in planned.files)] if planned.files else []
        if planned.kind == "lock":
            parts.append(self._lock)
            parts += [f"{path} {hashlib.sha256(data).hexdigest()}" for path, data in planned.documents]
        if planned.kind == "source":
            parts.append(hashlib.sha256(self._schema).hexdigest())
        return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogateescape")).hexdigest()

    def stop(self) -> None:
        """End what was started to make layers; a layer that is being made fails."""
        with self._starting:
            self._started = self._started or []  # nothing is started any more, either
            for each in self._started:
                each.stop()

    @property
    def _compiler(self) -> Compiler | None:
        """What compiles bytecode, the same for all layers; None where there is no Python to compile with."""
        from cogyard.environment.python import any_python
        from cogyard.image.wheels.bytecode import Compiler

        with self._starting:  # layers are made on several threads
            if self._started is None:
                python, fits = any_python(self._base.python_version)
                mine = Compiler(python, self._cache / "bytecode", mtime=self._epoch) if fits else None
                self._started = [mine] if mine is not None else []
            return self._started[0] if self._started else None

    def _write(
        self,
        planned: PlannedLayer,
        own: fetch.Wheel | None,
        on_fetched: Callable[[str], None] | None,
        known: _Known | None,
    ) -> _Known:
        """Write the layer; what is `known` of one that was made before and is gone saves unpacking it to hash it."""
        wheels: tuple[fetch.Wheel, ...] = ()
        if planned.wheels:
            wheels = fetch.fetch(
                planned.wheels,
                self._downloader,
                self._base.python_version,
                self._cache / "built-wheels",
                (lambda file: on_fetched(file.name)) if on_fetched else None,
            )
        with self._store.writer() as blob:
            layer = LayerWriter(
                blob.file,
                mtime=self._epoch,
                diff_id=known.diff_id if known else None,
                level=QUICK if planned.kind == "bytecode" else THOROUGH,
            )
            if not self._fill(layer, planned, wheels, own):
                return _NOTHING
            summary = layer.finish()
            if known is None or summary.digest == known.digest:
                blob.commit(summary.digest)
                return _Known(summary.digest, summary.size, summary.diff_id)
        # The cache remembers another layer than these parts make, so it is wrong about the diffID as well.
        return self._write(planned, own, on_fetched, None)

    def _fill(
        self,
        layer: LayerWriter,
        planned: PlannedLayer,
        wheels: tuple[fetch.Wheel, ...],
        own: fetch.Wheel | None,
    ) -> bool:
        """Write the layer's entries; False when there are none."""
        every = (*wheels, own) if own else wheels
        if planned.layout is not None:
            # Imported where there are wheels to read: an edit changes the source alone.
            from cogyard.image.wheels.layer import write_bytecode, write_wheels
        if planned.kind == "bytecode":
            assert planned.layout is not None  # noqa: S101 - bytecode is of packages
            assert self._compiler is not None  # noqa: S101 - asked before
            return write_bytecode(layer, planned.layout, every, self._compiler)
        if planned.layout is not None:
            write_wheels(layer, planned.layout, every, skeleton=self._base.python if own else None)
        elif planned.kind == "lock":
            self._documents(layer, {LOCK_PATH: self._lock.encode(), **dict(planned.documents)})
        else:
            self._files(layer, planned)
        return True

    def _documents(self, layer: LayerWriter, documents: Mapping[str, bytes]) -> None:
        folders = _folders(documents)
        for path in sorted({*documents, *folders}):
            layer.directory(path) if path in folders else layer.file(path, documents[path])

    def _files(self, layer: LayerWriter, planned: PlannedLayer) -> None:
        """Write the project's files, and the schema into the source."""
        entries: dict[str, SourceFile | None] = {f"{SOURCE_ROOT}/{each.name}": each for each in planned.files}
        if planned.kind == "source":
            entries[SCHEMA_PATH] = None
        folders = _folders(entries)
        for path in sorted({*entries, *folders}, key=lambda each: each.encode("utf-8", "surrogateescape")):
            if path in folders:
                layer.directory(path)
            elif (file := entries[path]) is None:
                layer.file(path, self._schema)
            elif file.is_folder:
                layer.directory(path)
            elif file.link is not None:
                layer.symlink(path, _relative(file))
            else:
                _copy(layer, path, file, packed=planned.kind != "weights" or file.size < _CHUNK)


def _copy(layer: LayerWriter, path: str, file: SourceFile, *, packed: bool) -> None:
    try:
        mode = 0o755 if file.path.stat().st_mode & 0o100 else 0o644
        if file.size < packable.LEAST:
            layer.file(path, file.path.read_bytes(), mode)
        else:
            packed = packed and _packable(file)
            layer.stream(path, _read(file.path), file.size, mode, packed=packed)
    except CorruptStreamError:
        raise SourceUnreadableError(f"{file.name} changed while it was read", hint="Build again.") from None
    except OSError as error:
        raise SourceUnreadableError(f"{file.name} cannot be read: {error.strerror}") from None


def _packable(file: SourceFile) -> bool:
    with file.path.open("rb") as opened:
        return packable.packable([_piece(opened, *each) for each in packable.pieces(file.size)])


def _piece(file: BinaryIO, start: int, end: int) -> bytes:
    file.seek(start)
    return file.read(end - start)


def _relative(file: SourceFile) -> str:
    """Return a link's target as it holds in the image: an absolute one would name a folder of this machine."""
    target = file.link or ""
    if not target.startswith("/"):
        return target
    return named(os.path.relpath(file.path.resolve(), file.path.parent.resolve()))


def _read(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            yield chunk


def _state(file: SourceFile) -> str:
    """Return what changes when the file does, without reading it."""
    if file.link is not None:
        return f"{file.name} -> {file.link}"
    if file.is_folder:
        return f"{file.name}/"
    try:
        state = file.path.stat()
    except OSError as error:
        raise SourceUnreadableError(f"{file.name} cannot be read: {error.strerror}") from None
    return (
        f"{file.name} {state.st_size} {state.st_mtime_ns} {state.st_ctime_ns} {state.st_ino} {state.st_mode}"
    )


def _folders(paths: Iterable[str]) -> set[str]:
    found: set[str] = set()
    for path in paths:
        parts = path.split("/")[:-1]
        found.update("/".join(parts[:count]) for count in range(1, len(parts) + 1))
    return found


def _describe(known: _Known, planned: PlannedLayer) -> Descriptor:
    annotations = {KIND: planned.kind, "run.cog.layer.title": _shown(planned.title)}
    return Descriptor(media_type=LAYER_GZIP, digest=known.digest, size=known.size, annotations=annotations)


def _layer(known: _Known, planned: PlannedLayer, *, made: bool) -> MadeLayer | None:
    """Return the layer that is known; None for bytecode of which there is none."""
    if not known.digest:
        return None
    return MadeLayer(
        kind=planned.kind,
        title=planned.title,
        descriptor=_describe(known, planned),
        diff_id=known.diff_id,
        made=made,
    )


def _shown(title: str) -> str:
    return title.encode("utf-8", "replace").decode()


def _recall(path: Path) -> _Known | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=_Known)
    except (FileNotFoundError, msgspec.MsgspecError):
        return None
