"""Files: bytes that accounts send and models make, each with an address that nobody can guess."""

from __future__ import annotations

import hashlib
import re
import uuid
from base64 import b64encode
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from cogyard.domain.blobs import BlobStore
from cogyard.domain.fileref import FileRef, safe_name
from cogyard.domain.ids import CAPABILITY_RANDOM_BYTES, is_capability, new_capability
from cogyard.domain.paging import Slice, Window
from cogyard.domain.roles import Role
from cogyard.domain.values import Account, StoredFile
from cogyard.features.files.ports import FileStore
from cogyard.features.world import World
from cogyard.http.errors import ForbiddenError, NotFoundError, TooLargeError

UPLOAD_LIMIT = 100 * 1024 * 1024
OUTPUT_LIMIT = 5 * 1024 * 1024 * 1024
SWEEP_LIMIT = 200

_TYPE = re.compile(
    r"[A-Za-z0-9!#$&^_.+-]{1,100}/[A-Za-z0-9!#$&^_.+-]{1,100}(?:; ?charset=[A-Za-z0-9_-]{1,40})?"
)
_ID = re.compile(r"[A-Za-z0-9+_=-]{1,64}")


@dataclass(frozen=True, kw_only=True)
class Files:
    """Keeps files. Whoever has a file's token may read it; only its account sees it listed.

    `blobs` must be this service's own: it deletes what no file has as its content.
    """

    store: FileStore
    blobs: BlobStore
    world: World = field(default_factory=World)
    life: timedelta | None = None
    """How long an upload is kept; None is until it is deleted."""
    upload_limit: int = UPLOAD_LIMIT
    """Bytes of one upload; what a model makes may be larger."""
    _doomed: set[str] = field(default_factory=set)
    """Contents of deleted files, which go once nobody is in the middle of sending any: it might be the same."""
    _senders: list[object] = field(default_factory=list)

    async def create(
        self,
        account: Account | int,
        name: str,
        content_type: str | None,
        chunks: AsyncIterator[bytes],
        metadata: Mapping[str, Any] | None = None,
        *,
        prediction_id: str | None = None,
        expires_at: datetime | None = None,
        limit: int | None = None,
    ) -> StoredFile:
        """Keep a stream of bytes as a file. Raises TooLargeError; what came until then is not kept."""
        limit = limit or (self.upload_limit if prediction_id is None else OUTPUT_LIMIT)
        now = self.world.now()
        if expires_at is None and self.life is not None and prediction_id is None:
            expires_at = now + self.life
        md5 = hashlib.md5(usedforsecurity=False)
        sender = object()
        self._senders.append(sender)
        try:
            digest, size = await self.blobs.write(_measured(chunks, md5, limit))
            file = StoredFile(
                id=_file_id(self.world.random(16)),
                account_id=account if isinstance(account, int) else account.id,
                token=new_capability(self.world.random(CAPABILITY_RANDOM_BYTES)),
                name=safe_name(name),
                content_type=clean_type(content_type),
                size=size,
                sha256=digest.removeprefix("sha256:"),
                md5=md5.hexdigest(),
                created_at=now,
                metadata=metadata or {},
                expires_at=expires_at,
                prediction_id=prediction_id,
            )
            await self.store.add(file)
        finally:
            self._senders.remove(sender)
        return file

    async def get(self, caller: Account | None, id: str) -> StoredFile:
        """Return a file of the caller's or its organizations'. Raises NotFoundError, also for another's."""
        file = await self.store.get(id) if _ID.fullmatch(id) else None
        if file is None or caller is None or caller.role_at(file.account_id) is None or self._is_over(file):
            raise NotFoundError
        return file

    async def any(self, id: str) -> StoredFile:
        """Return a file whoever asks: for addresses that carry a signature. Raises NotFoundError."""
        file = await self.store.get(id) if _ID.fullmatch(id) else None
        if file is None or self._is_over(file):
            raise NotFoundError
        return file

    async def list(self, caller: Account, window: Window) -> Slice[StoredFile]:
        """Return what the caller uploaded, newest first."""
        return await self.store.uploads(caller.id, window)

    async def open(self, token: str) -> StoredFile:
        """Return the file of a public address. Raises NotFoundError."""
        file = await self.store.by_token(token) if is_capability(token) else None
        if file is None or self._is_over(file):
            raise NotFoundError
        return file

    def read(self, file: StoredFile, start: int = 0, stop: int | None = None) -> AsyncIterator[bytes]:
        """Yield bytes `start` to `stop` of a file."""
        return self.blobs.read(f"sha256:{file.sha256}", start, stop)

    async def delete(self, caller: Account, id: str) -> None:
        """Delete a file of the caller's. Raises NotFoundError, ForbiddenError for an organization's reader."""
        file = await self.get(caller, id)
        role = caller.role_at(file.account_id)
        if role is None or not role.covers(Role.WRITER):
            raise ForbiddenError(
                "As a reader of the organization you may not delete its files; a writer may."
            )
        await self._forget(file)

    async def sweep(self) -> int:
        """Delete files whose time is over; return how many. Called now and then."""
        over = await self.store.expired(self.world.now(), SWEEP_LIMIT)
        for file in over:
            await self._forget(file)
        await self._drop_contents()
        return len(over)

    async def _forget(self, file: StoredFile) -> None:
        await self.store.delete(file.id)
        self._doomed.add(file.sha256)
        await self._drop_contents()

    async def _drop_contents(self) -> None:
        while self._doomed and not self._senders:
            sha256 = self._doomed.pop()
            if not await self.store.uses(sha256):
                await self.blobs.delete(f"sha256:{sha256}")

    def _is_over(self, file: StoredFile) -> bool:
        return file.expires_at is not None and file.expires_at <= self.world.now()


def _file_id(random: bytes) -> str:
    # The hosted service's ids are base64 of a UUID's text; clients take them as they are.
    return b64encode(str(uuid.UUID(bytes=random, version=4)).encode()).decode().rstrip("=")


def ref(file: StoredFile) -> FileRef:
    """Return how a file is written in inputs and outputs."""
    return FileRef(file.token, file.name)


def clean_type(text: str | None) -> str:
    """Return a media type that a stranger gave, or the one that says nothing."""
    return text if text and _TYPE.fullmatch(text) else "application/octet-stream"


async def _measured(chunks: AsyncIterator[bytes], md5: Any, limit: int) -> AsyncIterator[bytes]:
    size = 0
    async for chunk in chunks:
        size += len(chunk)
        if size > limit:
            raise TooLargeError(f"Files must be at most {limit:,} bytes.")
        md5.update(chunk)
        yield chunk
