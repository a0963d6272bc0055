"""Small output files inside the answer itself, as data URLs: official clients make files of those without a fetch."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import Mapping
from typing import Any

from cogyard.domain.fileref import FileRef, presented, references
from cogyard.domain.values import StoredFile
from cogyard.features.files.service import Files
from cogyard.http.errors import NotFoundError

# All output files of one answer together; larger ones are fetched from their addresses.
INLINE_LIMIT = 32 * 1024 * 1024


async def inlined(output: Any, files: Files) -> Any:
    """Return the output with its files as data URLs; unchanged when they are too large together, or one is gone."""
    found: dict[FileRef, StoredFile] = {}
    size = 0
    for ref in references(output):
        if ref not in found:
            try:
                found[ref] = await files.open(ref.token)
            except NotFoundError:
                return output
        # Each time it is named: a model may name one file a thousand times.
        size += found[ref].size
        if size > INLINE_LIMIT:
            return output
    texts: Mapping[FileRef, str] = {ref: await _data_url(files, file) for ref, file in found.items()}
    return presented(output, lambda ref: texts[ref])


async def _data_url(files: Files, file: StoredFile) -> str:
    content = b"".join([chunk async for chunk in files.read(file)])
    encoded = await asyncio.to_thread(b64encode, content) if len(content) > 65536 else b64encode(content)
    return f"data:{file.content_type.replace(' ', '')};base64,{encoded.decode()}"
