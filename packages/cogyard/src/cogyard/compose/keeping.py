"""Files that a server answers with as data URLs, stored as if it had sent them."""

from __future__ import annotations

import asyncio
import base64
import binascii
import mimetypes

import httpx2
from starlette.types import ASGIApp

from cogyard.instances.errors import ServerLostError
from cogyard.instances.reach import DirectReach

_HERE = "http://platform"


class KeptOutputs:
    """Sends them to the application itself, by the way that model servers take."""

    def __init__(self, application: ASGIApp) -> None:
        transport = httpx2.ASGITransport(app=application)
        self._client = httpx2.AsyncClient(transport=transport, timeout=None, trust_env=False)

    async def keep(self, lease_token: str, url: str) -> str:
        """Store what a data URL holds; return the file's reference.

        Raises ServerLostError for one that is none, or when the lease was lost.
        """
        head, _, body = url.partition(",")
        kind = head.removeprefix("data:").partition(";")[0] or "application/octet-stream"
        try:
            # Megabytes of base64 would hold up every other request.
            content = await asyncio.to_thread(base64.b64decode, body, validate=True)
        except (binascii.Error, ValueError) as error:
            raise ServerLostError(
                "The model server answered with a file that is not valid base64."
            ) from error
        name = f"output{mimetypes.guess_extension(kind) or '.bin'}"
        answer = await self._client.put(
            f"{DirectReach(_HERE).outputs(lease_token)}{name}",
            content=content,
            headers={"content-type": kind},
        )
        reference: str | None = answer.headers.get("location")
        if answer.status_code != 201 or reference is None:
            raise ServerLostError(f"An output file could not be kept (status {answer.status_code}).")
        return reference
