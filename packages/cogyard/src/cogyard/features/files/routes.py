"""The files API."""

from __future__ import annotations

import hmac
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator, Mapping
from hashlib import sha256
from typing import Any

import msgspec
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from cogyard.domain.depth import deeper_than
from cogyard.domain.fileref import NAME_LIMIT
from cogyard.domain.scopes import Scope
from cogyard.features.files.delivery import delivered
from cogyard.features.files.wire import file_json
from cogyard.features.page import services_of
from cogyard.features.services import Services
from cogyard.http.addresses import Addresses
from cogyard.http.bodies import FORM_LIMIT
from cogyard.http.caller import require_account
from cogyard.http.endpoints import Access, Endpoint, reply
from cogyard.http.errors import (
    BadRequestError,
    InvalidError,
    NotFoundError,
    TooLargeError,
    UnsupportedMediaError,
)
from cogyard.http.pages import page, window

PER_PAGE = 100
METADATA_LIMIT = 64 * 1024
_CHUNK = 256 * 1024


async def create(request: Request) -> Response:
    """Keep an uploaded file."""
    account, files = require_account(request), services_of(request).files
    async with _form(request, files.upload_limit) as form:
        content = form.get("content")
        if not isinstance(content, UploadFile):
            raise InvalidError(
                "The part `content` with the file is missing.", problems=[("content", "is missing")]
            )
        name = _text(form, "filename") or content.filename or "file"
        if len(name.encode(errors="replace")) > NAME_LIMIT:
            raise InvalidError(
                f"filename has more than {NAME_LIMIT} bytes.", problems=[("filename", "is too long")]
            )
        content_type = _text(form, "type") or content.content_type
        file = await files.create(account, name, content_type, _chunks(content), await _metadata(form))
    return reply(file_json(file, Addresses.of(request)), 201)


async def listing(request: Request) -> Response:
    """List the caller's uploads, newest first."""
    asked = window(request, limit=PER_PAGE, key_types=(int,))
    found = await services_of(request).files.list(require_account(request), asked)
    addresses = Addresses.of(request)
    return reply(page(request, found, lambda file: file_json(file, addresses), path="/files"))


async def get(request: Request) -> Response:
    """Return what is known of a file."""
    file = await services_of(request).files.get(require_account(request), request.path_params["id"])
    return reply(file_json(file, Addresses.of(request)))


async def delete(request: Request) -> Response:
    """Delete a file."""
    await services_of(request).files.delete(require_account(request), request.path_params["id"])
    return Response(status_code=204)


async def download(request: Request) -> Response:
    """Return a file's bytes for an address signed by its owner; no token is needed."""
    services, query = services_of(request), request.query_params
    owner, expiry, given = query.get("owner", ""), query.get("expiry", ""), query.get("signature", "")
    file = await services.files.any(request.path_params["id"])
    account = await services.accounts.by_id(file.account_id)
    if account is None or account.username.lower() != owner.lower() or not _is_future(services, expiry):
        raise NotFoundError
    secret = await services.accounts.webhook_secret(account.id)
    if not hmac.compare_digest(signature(secret, owner, file.id, expiry).encode(), given.encode()):
        raise NotFoundError
    return delivered(request, services.files, file)


def signature(secret: str, owner: str, file_id: str, expiry: str) -> str:
    """Sign a download. `secret` is the account's `whsec_…`, `expiry` Unix seconds."""
    key = b64decode(secret.removeprefix("whsec_"))
    return b64encode(hmac.new(key, f"{owner} {file_id} {expiry}".encode(), sha256).digest()).decode()


def _is_future(services: Services, expiry: str) -> bool:
    if not (expiry.isascii() and expiry.isdigit() and len(expiry) < 13):
        return False
    return int(expiry) > services.files.world.now().timestamp()


class _form:  # noqa: N801 - used as a function
    """The parts of a multipart body, within the limit; temporary files are gone afterwards."""

    def __init__(self, request: Request, limit: int) -> None:
        self._request = request
        self._limit = limit

    async def __aenter__(self) -> FormData:
        request = self._request
        if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
            raise UnsupportedMediaError("The body must be multipart/form-data.")
        announced = request.headers.get("content-length", "")
        self._room = self._limit + FORM_LIMIT
        if announced.isascii() and announced.isdigit() and int(announced[:20]) > self._room:
            raise self._too_large()
        receive = request.receive

        async def counted() -> Any:
            message = await receive()
            self._room -= len(message.get("body", b""))
            if self._room < 0:
                raise self._too_large()
            return message

        self._request = Request(request.scope, counted)
        try:
            # Two: the official JavaScript client sends `metadata` as a part with a file name of its own.
            return await self._request.form(max_files=2, max_fields=10, max_part_size=METADATA_LIMIT)
        except HTTPException as error:
            raise BadRequestError(str(error.detail)) from error
        except ClientDisconnect as error:
            raise BadRequestError("The client went away in the middle of the file.") from error

    async def __aexit__(self, *_: object) -> None:
        await self._request.close()

    def _too_large(self) -> TooLargeError:
        return TooLargeError(f"Files must be less than {self._limit // (1024 * 1024)}MB in size")


def _text(form: FormData, name: str) -> str:
    value = form.get(name)
    return value.strip() if isinstance(value, str) else ""


async def _metadata(form: FormData) -> Mapping[str, Any]:
    value = form.get("metadata")
    # Some clients send the JSON as a part with a file name.
    text = (
        (await value.read(METADATA_LIMIT)).decode(errors="replace")
        if isinstance(value, UploadFile)
        else value
    )
    if not text:
        return {}
    try:
        # Not the standard library's decoder: it makes strings of half characters, which nothing can keep.
        found = msgspec.json.decode(text)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise InvalidError("metadata is not JSON.", problems=[("metadata", "is not JSON")]) from error
    if not isinstance(found, dict) or deeper_than(found):
        raise InvalidError("metadata must be a JSON object.", problems=[("metadata", "must be an object")])
    return found


async def _chunks(content: UploadFile) -> AsyncIterator[bytes]:
    while chunk := await content.read(_CHUNK):
        yield chunk


_ONE = "/files/{id}"
ENDPOINTS = (
    Endpoint(method="GET", path="/files", handler=listing, access=Access.ACCOUNT, operation="files.list"),
    Endpoint(
        method="POST",
        path="/files",
        handler=create,
        access=Access.ACCOUNT,
        operation="files.create",
        scope=Scope.RUN,
    ),
    Endpoint(method="GET", path=_ONE, handler=get, access=Access.ACCOUNT, operation="files.get"),
    Endpoint(method="DELETE", path=_ONE, handler=delete, access=Access.ACCOUNT, operation="files.delete"),
    Endpoint(
        method="GET",
        path=f"{_ONE}/download",
        handler=download,
        access=Access.CAPABILITY,
        operation="files.download",
    ),
)
