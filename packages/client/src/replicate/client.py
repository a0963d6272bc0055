"""The client: where the platform is, who asks, and the two ways of driving a flow."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator, Mapping
from dataclasses import replace
from typing import Any, TypeVar

import httpx2

from replicate._flow import Answer, Call, Flow, Pause
from replicate._transport import problem, request_arguments, send, send_async, unreachable
from replicate.deployments import Deployment, Deployments
from replicate.errors import ModelError, ReplicateError
from replicate.files import FileOutput, Files, decode_output
from replicate.identifier import Identifier
from replicate.models import Accounts, Collections, HardwareKinds, Model, Models, Version
from replicate.predictions import Prediction, Predictions
from replicate.stream import Decoder, EventType, ServerSentEvent, streams_files
from replicate.trainings import Trainings
from replicate.webhook import Webhooks

T = TypeVar("T")
_WHERE_SET = "No token is set: set REPLICATE_API_TOKEN, or pass api_token to Client."
TIMEOUT = httpx2.Timeout(connect=5.0, read=30.0, write=60.0, pool=10.0)
STREAM_TIMEOUT = httpx2.Timeout(connect=5.0, read=None, write=30.0, pool=10.0)


class Client:
    """Speak with one platform as one account.

    `base_url` is the platform's address, with or without `/v1`; unset, REPLICATE_BASE_URL. `api_token` unset:
    REPLICATE_API_TOKEN. Both are read when first needed, so that importing never fails. `transport` and
    `async_transport` are httpx2's, for tests and proxies.
    """

    def __init__(
        self,
        api_token: str | None = None,
        *,
        base_url: str | None = None,
        timeout: httpx2.Timeout | None = None,
        poll_interval: float | None = None,
        headers: Mapping[str, str] | None = None,
        transport: httpx2.BaseTransport | None = None,
        async_transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        """Keep the settings; nothing is opened yet."""
        self._token, self._base_url = api_token, base_url
        self._timeout = timeout or TIMEOUT
        self._headers = dict(headers or {})
        self._transport, self._async_transport = transport, async_transport
        self._http: httpx2.Client | None = None
        self._async_http: tuple[httpx2.AsyncClient, asyncio.AbstractEventLoop] | None = None
        self.poll_interval = poll_interval or float(os.environ.get("REPLICATE_POLL_INTERVAL", "0.5"))
        self.accounts = Accounts(self)
        self.collections = Collections(self)
        self.deployments = Deployments(self)
        self.files = Files(self)
        self.hardware = HardwareKinds(self)
        self.models = Models(self)
        self.predictions = Predictions(self)
        self.trainings = Trainings(self)
        self.webhooks = Webhooks(self)

    @property
    def base_url(self) -> str:
        """The API's root, ending in `/v1`."""
        given = self._base_url or os.environ.get("REPLICATE_BASE_URL")
        if not given:
            raise ReplicateError(
                title="No platform is set",
                detail="Set REPLICATE_BASE_URL to the platform's address, such as http://localhost:8000, "
                "or pass base_url to Client.",
            )
        given = given.rstrip("/")
        return given if given.endswith("/v1") else f"{given}/v1"

    def run(self, ref: Any, input: Mapping[str, Any] | None = None, **options: Any) -> Any:
        """Run a model and return its output; files in it are `FileOutput`, an iterator model gives an iterator.

        `ref` is `owner/name`, `owner/name:version`, a Model, a Version or a Deployment. `wait` (default True; or 1 to
        60 seconds; or False) says how long the platform may hold the request before we ask again and again;
        `use_file_output=False` leaves addresses as text. Raises ModelError when the model fails, ReplicateError when
        the platform refuses.
        """
        wrap = options.pop("use_file_output", True)
        prediction, iterates = self._drive(self._begin(ref, input, options))
        if iterates and not prediction.finished:
            return (self._output(item, wrap=wrap) for item in prediction.output_iterator())
        return self._drive(self._end(prediction, iterates=iterates, wrap=wrap))

    async def async_run(self, ref: Any, input: Mapping[str, Any] | None = None, **options: Any) -> Any:
        """Run a model as `run` does, without blocking; an iterator model gives an async iterator while it runs."""
        wrap = options.pop("use_file_output", True)
        prediction, iterates = await self._drive_async(self._begin(ref, input, options))
        if iterates and not prediction.finished:
            return (self._output(item, wrap=wrap) async for item in prediction.async_output_iterator())
        return await self._drive_async(self._end(prediction, iterates=iterates, wrap=wrap))

    def stream(
        self, ref: Any, input: Mapping[str, Any] | None = None, **options: Any
    ) -> Iterator[ServerSentEvent]:
        """Run a model and yield its output's events as they come; `use_file_output` as of `run`."""
        wrap = options.pop("use_file_output", True)
        options["wait"] = False
        prediction, _ = self._drive(self._begin(ref, input, options))
        yield from prediction.stream(use_file_output=wrap)

    async def async_stream(
        self,
        ref: Any,
        input: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> AsyncIterator[ServerSentEvent]:
        """Run a model and yield its output's events as they come; `use_file_output` as of `run`."""
        wrap = options.pop("use_file_output", True)
        options["wait"] = False
        prediction, _ = await self._drive_async(self._begin(ref, input, options))
        async for event in prediction.async_stream(use_file_output=wrap):
            yield event

    def _begin(
        self, ref: Any, given: Mapping[str, Any] | None, options: dict[str, Any]
    ) -> Flow[tuple[Prediction, bool]]:
        options.setdefault("wait", True)
        version: Version | None = ref if isinstance(ref, Version) else None
        create = self.predictions._create
        if version is not None:
            prediction = yield from create(version=version, input=given, **options)
        elif isinstance(ref, Deployment):
            prediction = yield from create(deployment=ref.id, input=given, **options)
        elif isinstance(ref, Model):
            prediction = yield from create(model=ref, input=given, **options)
            version = ref.latest_version
        else:
            who = Identifier.parse(str(ref))
            if who.version:
                prediction = yield from create(version=who.version, input=given, **options)
            else:
                prediction = yield from create(model=f"{who.owner}/{who.name}", input=given, **options)
        if version is None and prediction.version not in {"", "hidden"} and "/" in prediction.model:
            version = yield from self.models.versions_of(prediction.model)._get(prediction.version)
        return prediction, version is not None and version.output_is_iterator

    def _end(self, prediction: Prediction, *, iterates: bool, wrap: bool) -> Flow[Any]:
        # A platform that holds the request may answer "processing" with the output complete (its wait=n form).
        held = prediction.status == "processing" and prediction.output is not None
        if not held:
            yield from prediction._wait()
        if prediction.status in {"failed", "canceled", "aborted"}:
            raise ModelError(prediction)
        output = self._output(prediction.output, wrap=wrap)
        return iter(output) if iterates and isinstance(output, list) else output

    def _output(self, value: Any, *, wrap: bool) -> Any:
        return decode_output(value, lambda url: FileOutput(url, self)) if wrap else value

    def _drive(self, flow: Flow[T]) -> T:
        answer: Answer | None = None
        while True:
            try:
                step = flow.send(answer)
            except StopIteration as end:
                return end.value  # type: ignore[no-any-return]  # a generator's return value is untyped
            if isinstance(step, Pause):
                time.sleep(step.seconds)
                answer = None
            else:
                answer = self._checked(step, send(self._sync(), self._own(step), self._timeout))

    async def _drive_async(self, flow: Flow[T]) -> T:
        answer: Answer | None = None
        while True:
            try:
                step = flow.send(answer)
            except StopIteration as end:
                return end.value  # type: ignore[no-any-return]  # as above
            if isinstance(step, Pause):
                await asyncio.sleep(step.seconds)
                answer = None
            else:
                answer = self._checked(step, await send_async(self._async(), self._own(step), self._timeout))

    def _checked(self, call: Call, answer: Answer) -> Answer:
        if answer.status >= 400 and not call.raw:
            error = problem(answer)
            if answer.status == 401 and not self._has_token():
                error.detail = f"{error.detail or 'The platform wants to know who asks.'} {_WHERE_SET}"
            raise error
        return answer

    def _has_token(self) -> bool:
        own = any(name.lower() == "authorization" for name in self._headers)
        return own or bool(self._token or os.environ.get("REPLICATE_API_TOKEN"))

    def _events(self, url: str, *, wrap: bool) -> Iterator[ServerSentEvent]:
        decoder, files = Decoder(), wrap and streams_files(url)
        with contextlib.closing(self._download(url, accept="text/event-stream")) as pieces:
            for piece in pieces:
                for event in decoder.feed(piece):
                    yield self._shown(_checked_event(event), files)
                    if event.event == "done":
                        return

    async def _events_async(self, url: str, *, wrap: bool) -> AsyncIterator[ServerSentEvent]:
        decoder, files = Decoder(), wrap and streams_files(url)
        async with contextlib.aclosing(self._download_async(url, accept="text/event-stream")) as pieces:
            async for piece in pieces:
                for event in decoder.feed(piece):
                    yield self._shown(_checked_event(event), files)
                    if event.event == "done":
                        return

    def _shown(self, event: ServerSentEvent, files: bool) -> ServerSentEvent:
        if not files or event.event != EventType.OUTPUT:
            return event
        return replace(event, data=self._output(event.data, wrap=True))

    def _download(self, url: str, accept: str = "*/*") -> Generator[bytes, None, None]:
        call = self._own(Call("GET", url, headers={"Accept": accept, "Cache-Control": "no-store"}))
        try:
            with self._sync().stream(call.method, call.url, **request_arguments(call, STREAM_TIMEOUT)) as got:
                if got.status_code >= 400:
                    raise problem(Answer(got.status_code, got.headers, got.read()))
                yield from got.iter_bytes()
        except httpx2.TransportError as error:
            raise unreachable(call, error) from error

    async def _download_async(self, url: str, accept: str = "*/*") -> AsyncGenerator[bytes, None]:
        call = self._own(Call("GET", url, headers={"Accept": accept, "Cache-Control": "no-store"}))
        try:
            async with self._async().stream(
                call.method, call.url, **request_arguments(call, STREAM_TIMEOUT)
            ) as got:
                if got.status_code >= 400:
                    raise problem(Answer(got.status_code, got.headers, await got.aread()))
                async for piece in got.aiter_bytes():
                    yield piece
        except httpx2.TransportError as error:
            raise unreachable(call, error) from error

    def _own(self, call: Call) -> Call:
        """Return `call` with its absolute address, and with the token when that address is the platform's own."""
        base = httpx2.URL(self.base_url)
        url = (
            httpx2.URL(call.url)
            if "://" in call.url
            else httpx2.URL(f"{self.base_url}/{call.url.lstrip('/')}")
        )
        headers = {"User-Agent": "cogyard-client/0.1.0", **self._headers}
        token = self._token or os.environ.get("REPLICATE_API_TOKEN")
        # A model's output may name any host: the token goes to the platform only.
        if token and (url.scheme, url.host, url.port) == (base.scheme, base.host, base.port):
            headers["Authorization"] = f"Bearer {token}"
        merged = {**headers, **call.headers}
        return Call(
            call.method, str(url), call.json, call.text, call.files, merged, call.read_timeout, call.raw
        )

    def _sync(self) -> httpx2.Client:
        if self._http is None:
            self._http = httpx2.Client(transport=self._transport, follow_redirects=True)
        return self._http

    def _async(self) -> httpx2.AsyncClient:
        # Connections belong to the event loop that opened them; a second asyncio.run() needs new ones.
        loop = asyncio.get_running_loop()
        if self._async_http is None or self._async_http[1] is not loop:
            self._async_http = (
                httpx2.AsyncClient(transport=self._async_transport, follow_redirects=True),
                loop,
            )
        return self._async_http[0]

    def close(self) -> None:
        """Close the connections of blocking calls."""
        if self._http is not None:
            self._http.close()
            self._http = None

    async def aclose(self) -> None:
        """Close the connections of asynchronous calls."""
        if self._async_http is not None:
            await self._async_http[0].aclose()
            self._async_http = None


def _checked_event(event: ServerSentEvent) -> ServerSentEvent:
    if event.event == "error":
        raise ReplicateError(title="The stream ended with an error", detail=event.data)
    return event
