"""A model behind HTTP, ours or Cog's own: what it says becomes the events that a model in process gives."""

from __future__ import annotations

import asyncio
import base64
import binascii
import mimetypes
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes

import httpx2
import msgspec
from cog_server.embedded import Completed, Event, Log, Metric, Output, OutputFile
from cog_server.errors import InputInvalidError, NotReadyError, Problem

from cogyard.cli.errors import CommandError
from cogyard.cli.inputs import is_file, resolved
from cogyard.cli.running import ModelFailedError

#: One value that a model yields, or a whole output, as JSON.
_MAX_EVENT = 256 << 20
#: Deeper values than this are shown as they are.
_MAX_DEPTH = 32
_LOOK_AGAIN = 0.05
_READY = frozenset({"READY", "BUSY", "UNHEALTHY"})
_FAILED = frozenset({"SETUP_FAILED", "DEFUNCT"})
_NO_STREAM = 406
_NOT_READY = 503
_NOT_NOW = frozenset({409, 429})


class RemoteError(CommandError):
    """The model's server answered something that is no answer, or broke off."""

    code = "model_server_lost"


class RemoteModel:
    """A model server at `http://HOST:PORT`; `scratch` is where its output files go."""

    def __init__(
        self,
        address: str,
        scratch: Path,
        document: Mapping[str, Any] | None = None,
        *,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        self.address = address
        self.schema: Mapping[str, Any] = document or {}
        self._scratch = scratch
        self._files = 0
        self._client = httpx2.AsyncClient(
            base_url=address, timeout=httpx2.Timeout(10.0, read=None), trust_env=False, transport=transport
        )

    async def wait(
        self, check: Callable[[], Awaitable[None] | None], *, setup_timeout: float | None = None
    ) -> None:
        """Return when setup() has succeeded; `check` raises when the server can never answer any more.

        Raises ModelFailedError.
        """
        began = time.monotonic()
        while True:
            found = check()
            if found is not None:
                await found
            health = await self._health()
            status = health.get("status")
            if status in _READY:
                break
            if status in _FAILED:
                raise ModelFailedError("the model's setup failed", hint="What it printed stands above.")
            if setup_timeout is not None and time.monotonic() - began > setup_timeout:
                raise ModelFailedError(f"the model's setup took longer than {setup_timeout:g} s")
            await asyncio.sleep(_LOOK_AGAIN)
        if not self.schema:
            self.schema = await self._described()

    async def answers(self) -> bool:
        """Say whether a model server answers, ready or not."""
        return bool(await self._health())

    async def predict(
        self,
        input: Mapping[str, Any],
        path: str = "/predictions",
        *,
        context: Mapping[str, str] | None = None,
    ) -> AsyncGenerator[Event]:
        """Run one prediction and yield what happens. Raises InputInvalidError, NotReadyError, RemoteError."""
        asked = {"input": await asyncio.to_thread(_with_data_urls, dict(input))}
        body = msgspec.json.encode({**asked, "context": dict(context)} if context else asked)
        try:
            async with self._post(path, body, "text/event-stream") as response:
                if response.status_code == 200:
                    async with aclosing(self._events(response)) as events:
                        async for event in events:
                            yield event
                    return
                if response.status_code != _NO_STREAM:
                    await self._refused(response)
            # Cog's own server streams what was declared so, and nothing else.
            async with self._post(path, body, "application/json") as response:
                if response.status_code != 200:
                    await self._refused(response)
                completed = self._completed(_object(await response.aread()))
                if completed.logs:
                    yield Log(source="stdout", data=completed.logs)
                yield completed
        except httpx2.HTTPError as error:
            raise RemoteError(
                f"the model's server broke off in the middle of the prediction ({type(error).__name__})"
            ) from error

    async def aclose(self) -> None:
        """Close connections."""
        await self._client.aclose()

    def _post(self, path: str, body: bytes, accept: str) -> Any:
        headers = {"content-type": "application/json", "accept": accept}
        return self._client.stream("POST", path, content=body, headers=headers)

    async def _health(self) -> Mapping[str, Any]:
        try:
            response = await self._client.get("/health-check", timeout=5.0)
            return _object(response.content) if response.status_code == 200 else {}
        except (httpx2.HTTPError, RemoteError):
            return {}

    async def describe(self) -> Mapping[str, Any]:
        """Ask for the model's document as it is now; empty while the model starts.

        Raises ModelFailedError when it did not, RemoteError when nothing answers.
        """
        self.schema = await self._described()
        if not self.schema:
            health = await self._health()
            if not health:
                raise RemoteError(f"Nothing answers at {self.address}.")
            if health.get("status") in _FAILED:
                reason = health.get("error") or "its setup failed"
                raise ModelFailedError(
                    f"The model did not start: {reason}. What it printed stands where it is served."
                )
        return self.schema

    async def _described(self) -> Mapping[str, Any]:
        try:
            response = await self._client.get("/openapi.json", timeout=10.0)
            return _object(response.content) if response.status_code == 200 else {}
        except (httpx2.HTTPError, RemoteError):
            return {}

    async def _events(self, response: httpx2.Response) -> AsyncGenerator[Event]:
        async for message in httpx2.EventSource(response, max_event_size=_MAX_EVENT):
            data = _object(message.data.encode())
            if message.event == "output":
                items = self._output_schema.get("items") or {}
                yield Output(chunk=self._value(data.get("chunk"), items), index=int(data.get("index") or 0))
            elif message.event == "log":
                yield Log(source=str(data.get("source")), data=str(data.get("data", "")))
            elif message.event == "metric":
                yield Metric(name=str(data.get("name")), value=data.get("value"), mode=str(data.get("mode")))
            elif message.event == "completed":
                yield self._completed(data)
                return
            elif message.event == "error":
                raise RemoteError(f"the model's server broke off: {data.get('error') or data.get('detail')}")
        raise RemoteError("the model's server ended its answer before the prediction was complete")

    def _completed(self, data: Mapping[str, Any]) -> Completed:
        error = data.get("error")
        return Completed(
            id=str(data.get("id", "")),
            status=str(data.get("status", "failed")),
            output=self._value(data.get("output"), self._output_schema),
            error=None if error is None else str(error),
            logs=str(data.get("logs") or ""),
            metrics=data.get("metrics") or {},
        )

    @property
    def _schemas(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.schema.get("components", {}).get("schemas", {})
        return found

    @property
    def _output_schema(self) -> Mapping[str, Any]:
        return resolved(self._schemas.get("Output") or {}, self._schemas)

    def _value(self, value: Any, schema: Mapping[str, Any], depth: int = 0) -> Any:
        """Put files in the place of data URLs, where the schema has files."""
        if depth > _MAX_DEPTH or not isinstance(schema, Mapping):
            return value
        schema = resolved(schema, self._schemas)
        if isinstance(value, str):
            kinds = [resolved(one, self._schemas) for one in schema.get("anyOf", [schema])]
            if value.startswith("data:") and any(is_file(kind) for kind in kinds):
                return self._file(value)
            return value
        if isinstance(value, list):
            return [self._value(one, schema.get("items") or {}, depth + 1) for one in value]
        if isinstance(value, dict):
            inner = schema.get("properties") or {}
            other = schema.get("additionalProperties")
            rest = other if isinstance(other, Mapping) else {}
            return {key: self._value(one, inner.get(key) or rest, depth + 1) for key, one in value.items()}
        return value

    def _file(self, url: str) -> OutputFile | str:
        head, comma, body = url[5:].partition(",")
        if not comma:
            return url
        media_type, *parameters = head.split(";")
        try:
            data = base64.b64decode(body, validate=True) if "base64" in parameters else unquote_to_bytes(body)
        except (binascii.Error, ValueError):
            return url
        media_type = media_type or "text/plain"
        name = f"output{mimetypes.guess_extension(media_type) or ''}"
        self._files += 1
        path = self._scratch / f"received-{self._files}"
        path.write_bytes(data)
        return OutputFile(path=path, name=name, media_type=media_type)

    async def _refused(self, response: httpx2.Response) -> None:
        """Raise what a refusal means."""
        answer = _object(await response.aread())
        detail = answer.get("detail", answer.get("error"))
        if response.status_code == 422 and isinstance(detail, list):
            raise InputInvalidError(
                [
                    Problem(tuple(one.get("loc", ())), str(one.get("msg", "is not valid")), "")
                    for one in detail
                    if isinstance(one, Mapping)
                ]
            )
        if response.status_code == _NOT_READY:
            raise NotReadyError(f"{detail or 'The model is not ready.'}")
        if response.status_code in _NOT_NOW:
            raise RemoteError(f"the model's server is busy: {detail}", hint="Try again when it is free.")
        raise RemoteError(f"the model's server refused the prediction: {detail or response.status_code}")


def _object(data: bytes) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(data)
    except msgspec.DecodeError as error:
        raise RemoteError("the model's server gave an answer that is not JSON") from error
    if not isinstance(found, dict):
        raise RemoteError("the model's server gave an answer that is not an object")
    return found


def _with_data_urls(value: Any) -> Any:
    """Put data URLs in the place of paths: the server cannot see this machine's files."""
    if isinstance(value, Path):
        media_type = mimetypes.guess_type(value.name)[0] or "application/octet-stream"
        return f"data:{media_type};base64,{base64.b64encode(value.read_bytes()).decode()}"
    if isinstance(value, dict):
        return {key: _with_data_urls(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_with_data_urls(one) for one in value]
    return value
