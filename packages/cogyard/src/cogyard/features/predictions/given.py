"""Files of ours in what a caller gives: their addresses become references, and large data URLs become files."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from cog_server.errors import InputFetchError
from cog_server.inputs.data_urls import DataUrl, parse

from cogyard.domain.depth import more_values_than
from cogyard.domain.fileref import FileRef, replaced, safe_name, texts
from cogyard.domain.values import Account
from cogyard.features.files.service import Files, ref
from cogyard.features.predictions.inputs import QUICK_VALUES
from cogyard.http.errors import InvalidError, NotFoundError

# A data URL longer than this is kept as a file: the row of a prediction stays small, and so does every answer.
INLINE_LIMIT = 256 * 1024

_FILE_PATH = re.compile(r"/(?:v1/){0,2}files/([A-Za-z0-9+_=-]{1,64})(?:/download)?")
_DELIVERY_PATH = re.compile(r"/delivery/([0-9a-z]{32})/([^/?#]+)")
_SUFFIXES: Mapping[str, str] = {
    "application/json": ".json",
    "audio/mpeg": ".mp3",
    "audio/wav": ".wav",
    "audio/x-wav": ".wav",
    "image/gif": ".gif",
    "image/jpeg": ".jpg",
    "image/png": ".png",
    "image/webp": ".webp",
    "text/plain": ".txt",
    "video/mp4": ".mp4",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Given:
    """Turns an input as it was sent into one that can be kept and run."""

    files: Files

    async def kept(
        self, caller: Account, value: Mapping[str, Any], *, origin: str, prediction_id: str, account_id: int
    ) -> Mapping[str, Any]:
        """Return the input with references; what must be kept as a file is the account's of that number.

        `origin` is our address as the caller knows it. Raises InvalidError.
        """
        data = (account_id, prediction_id)
        found: dict[str, str] = {}
        for text in await _texts(value):
            if text not in found and (reference := await self._reference(caller, text, origin, data)):
                found[text] = str(reference)
        if not found:
            return value
        return {key: replaced(item, lambda text: found.get(text, text)) for key, item in value.items()}

    async def _reference(
        self, caller: Account, text: str, origin: str, data: tuple[int, str]
    ) -> FileRef | None:
        if text.startswith("data:"):
            return await self._from_data(text, *data) if len(text) > INLINE_LIMIT else None
        here, path = bool(origin) and text.startswith(origin + "/"), _path(text)
        # We have more names than the one that this caller used (localhost, 127.0.0.1, one for each network), and nobody
        # guesses an id or a token: an address of a file that is here means it, whatever the host. Others have such
        # addresses too, so that without a file it is a stranger's.
        if (match := _FILE_PATH.fullmatch(path)) is not None:
            try:
                return ref(await self.files.get(caller, match[1]))
            except NotFoundError as error:
                if not here:
                    return None
                raise InvalidError(f"There is no file {match[1]} of yours; it may have expired.") from error
        if (match := _DELIVERY_PATH.fullmatch(path)) is not None:
            if here:
                return FileRef.parse(f"cogyard-file:{match[1]}/{match[2]}")
            with suppress(NotFoundError):
                return ref(await self.files.open(match[1]))
        return None

    async def _from_data(self, text: str, account_id: int, prediction_id: str) -> FileRef:
        # Megabytes of base64 would hold up every other request.
        data = await asyncio.to_thread(_decoded, text)
        name = safe_name("input" + _SUFFIXES.get(data.media_type, ""))
        file = await self.files.create(
            account_id, name, data.media_type, _once(data.data), prediction_id=prediction_id
        )
        return ref(file)


async def _texts(value: Mapping[str, Any]) -> list[str]:
    if more_values_than(value, QUICK_VALUES):
        return await asyncio.to_thread(_addresses, value)
    return _addresses(value)


def _path(address: str) -> str:
    try:
        return urlsplit(address).path
    except ValueError:
        return ""  # a host that cannot be: whoever fetches it will say so


def _addresses(value: Any) -> list[str]:
    return [text for text in texts(value) if text.startswith(("data:", "http://", "https://"))]


def _decoded(text: str) -> DataUrl:
    # With the model server's own rules: a file must not change with its size.
    try:
        return parse(text)
    except InputFetchError as error:
        raise InvalidError(f"An input cannot be read: {error}.") from error


async def _once(content: bytes) -> AsyncIterator[bytes]:
    yield content
