"""An account's export as a tar file that is made while it is sent: nothing of it is kept anywhere.

Theory of operation: the rows go to files without a name first (see `compose.export`), because a tar file says how long
each of its members is before the member; whatever ends this, a kill too, leaves nothing of them. While they are
written, comments that every reader of tar files skips show that something happens. A reader that is slow then holds up
files only, never the database.
"""

from __future__ import annotations

import json
import os
import tarfile
import tempfile
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import IO

from cogyard.compose.datadir import DataDir
from cogyard.compose.export import Book, Part, Reading, belongings
from cogyard.compose.export_images import Bytes, Text
from cogyard.domain.values import Account

_PIECE = 256 * 1024
_END = bytes(10 * 1024)


@dataclass(frozen=True, slots=True)
class AccountArchives:
    """Archives of accounts whose belongings are in a folder."""

    folder: DataDir

    def pieces(self, account: Account, at: datetime, *, images: bool) -> Generator[bytes]:
        """Yield the bytes of a tar file, all below a folder that is called as the account. Blocks between them.

        Its last member, `missing.jsonl`, names the files whose bytes are gone from the platform's disk.
        """
        tar = _Tar(account.username, at.timestamp())
        yield tar.comment(f"The export of {account.username} begins.")
        parts = belongings(
            self.folder, account.username, account.id, lambda _kind: self._book(), images=images
        )
        with self._book() as missing:
            for part in parts:
                yield from tar.member(part, missing)
            yield from tar.book("missing", missing)
        yield _END

    def _book(self) -> IO[bytes]:
        return tempfile.TemporaryFile(dir=self.folder.root)


@dataclass(frozen=True, slots=True)
class _Tar:
    """Members of a tar file, as POSIX has it (pax): names and sizes without limits."""

    root: str
    moment: float

    def comment(self, text: str) -> bytes:
        return tarfile.TarInfo.create_pax_global_header({"comment": text})

    def member(self, part: Part, missing: IO[bytes]) -> Iterator[bytes]:
        match part:
            case Reading():
                yield self.comment(f"{part.rows} rows so far.")
            case Book():
                yield from self.book(part.kind, part.file)
            case Text():
                yield self._head(part.name, len(part.content)) + part.content + _padding(len(part.content))
            case Bytes():
                yield from self._bytes(part, missing)

    def book(self, kind: str, file: IO[bytes]) -> Iterator[bytes]:
        size = file.seek(0, 2)
        file.seek(0)
        yield from self._file(f"{kind}.jsonl", file, size)

    def _bytes(self, part: Bytes, missing: IO[bytes]) -> Iterator[bytes]:
        try:
            file = part.source.open("rb")
        except FileNotFoundError:
            line = json.dumps({"name": part.name, "digest": part.digest}).encode()
            missing.write(line + b"\n")
            return
        with file:
            yield from self._file(part.name, file, os.fstat(file.fileno()).st_size)

    def _file(self, name: str, file: IO[bytes], size: int) -> Iterator[bytes]:
        yield self._head(name, size)
        left = size
        while left and (piece := file.read(min(left, _PIECE))):
            left -= len(piece)
            yield piece
        if left:
            raise OSError(f"{name} became {left} bytes shorter while it was read.")
        yield _padding(size)

    def _head(self, name: str, size: int) -> bytes:
        info = tarfile.TarInfo(f"{self.root}/{name}")
        info.size, info.mode, info.mtime = size, 0o600, int(self.moment)
        return info.tobuf(tarfile.PAX_FORMAT)


def _padding(size: int) -> bytes:
    return bytes(-size % tarfile.BLOCKSIZE)
