"""The client: where the platform is, who asks, and the two ways of driving a flow."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import AsyncGenerator, Generator, Iterator, Mapping
from typing import Any, Self, TypeVar, Unpack

import httpx2

from replicate.__about__ import __version__
from replicate._connections import Connections
from replicate._flow import Answer, Call, Course, Events, Flow
from replicate._foreign import timeouts
from replicate._retry import Contact, problem, retried
from replicate._run import Pieces, Ref, created, run
from replicate._shells import async_course, blocking_course
from replicate.deployments import Deployments
from replicate.errors import ReplicateError
from replicate.files import Files
from replicate.models import Accounts, Collections, HardwareKinds, Models
from replicate.predictions import CreatePredictionParams, Predictions
from replicate.stream import ServerSentEvent
from replicate.trainings import Trainings
from replicate.webhook import Webhooks

T = TypeVar("T")
_WHERE_SET = "No token is set: set REPLICATE_API_TOKEN, or pass api_token to Client."
LONGEST_SILENCE = 60.0
"""Seconds without a byte after which a stream is taken up anew: platforms say something every 15, or close after 30."""
KEYLESS = frozenset({"api.replicate.com"})
"""Hosts that take an `Idempotency-Key` and heed none."""
TIMEOUT = httpx2.Timeout(connect=5.0, read=30.0, write=60.0, pool=10.0)


class Client:
    """Speak with one platform as one account.

    `base_url` is the platform's address, with or without `/v1`; unset, REPLICATE_BASE_URL. `api_token` unset: the token
    of the running prediction's context in a model, else REPLICATE_API_TOKEN. Both are read when needed, so that
    importing never fails. `transport`, `async_transport` and whatever else is named are httpx2's, or httpx's as the
    official client takes them: `proxy`, `event_hooks`, `verify`, `limits` and so on. One client may serve many threads,
    event loops one after the other or at once, and both sides of a fork.
    """

    accounts: Accounts
    collections: Collections
    deployments: Deployments
    files: Files
    hardware: HardwareKinds
    models: Models
    predictions: Predictions
    trainings: Trainings
    webhooks: Webhooks

    def __init__(
        self,
        api_token: str | None = None,
        *,
        base_url: str | None = None,
        timeout: Any = None,
        poll_interval: float | None = None,
        headers: Mapping[str, str] | None = None,
        transport: Any = None,
        async_transport: Any = None,
        **options: Any,
    ) -> None:
        """Keep the settings; nothing is opened yet."""
        self._api_token, self._base_url = api_token, base_url
        self._timeout = TIMEOUT if timeout is None else timeouts(timeout)
        self._headers = httpx2.Headers(dict(headers or {}))
        self._contact = Contact()
        self._connections = Connections(transport, async_transport or transport, options)
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

    @property
    def keeps_keys(self) -> bool:
        """Whether the platform runs a create once however often it comes; the hosted service ignores its key."""
        return httpx2.URL(self.base_url).host not in KEYLESS

    def run(
        self,
        ref: Ref,
        input: Mapping[str, Any] | None = None,
        *,
        use_file_output: bool | None = True,
        **params: Unpack[CreatePredictionParams],
    ) -> Any:
        """Run a model and return its output; files in it are `FileOutput`.

        `ref` is `owner/name`, `owner/name:version`, `deployments/owner/name`, a Model, a Version or a Deployment. Where
        it names a version whose output is an iterator, so is what is returned. `wait` (default True; or 1 to 60
        seconds; or False) says how long the platform may hold the request before we ask again and again;
        `use_file_output=False` leaves addresses as text. Raises ModelError when the model fails, ReplicateError when
        the platform refuses.
        """
        found = self._drive(run(self, ref, input, params, files=bool(use_file_output)))
        return self._iterate(found.flow) if isinstance(found, Pieces) else found

    async def async_run(
        self,
        ref: Ref,
        input: Mapping[str, Any] | None = None,
        *,
        use_file_output: bool | None = True,
        **params: Unpack[CreatePredictionParams],
    ) -> Any:
        """Run a model as `run` does, without blocking; where that gives an iterator this gives an asynchronous one."""
        found = await self._drive_async(run(self, ref, input, params, files=bool(use_file_output)))
        return self._iterate_async(found.flow) if isinstance(found, Pieces) else found

    def stream(
        self,
        ref: Ref,
        input: Mapping[str, Any] | None = None,
        *,
        use_file_output: bool | None = True,
        **params: Unpack[CreatePredictionParams],
    ) -> Iterator[ServerSentEvent]:
        """Run a model and yield its output's events as they come; `use_file_output` as of `run`."""
        return self._iterate(self._stream(ref, input, params, files=bool(use_file_output)))

    def async_stream(
        self,
        ref: Ref,
        input: Mapping[str, Any] | None = None,
        *,
        use_file_output: bool | None = True,
        **params: Unpack[CreatePredictionParams],
    ) -> Events[ServerSentEvent]:
        """Run a model and yield its output's events as `stream` does; awaiting it first, or not, is the same."""
        return self._iterate_async(self._stream(ref, input, params, files=bool(use_file_output)))

    def _stream(
        self, ref: Ref, given: Mapping[str, Any] | None, params: Mapping[str, Any], *, files: bool
    ) -> Flow[None]:
        prediction = yield from created(self, ref, given, {**params, "wait": False, "stream": True})
        yield from prediction._stream(use_file_output=files)

    def _drive(self, flow: Flow[T]) -> T:
        course = Course(retried(flow, self._refusal, self._contact))
        for _ in blocking_course(self._connections.blocking(), self, course):
            raise AssertionError
        return course.result

    async def _drive_async(self, flow: Flow[T]) -> T:
        course = Course(retried(flow, self._refusal, self._contact))
        async for _ in async_course(self._connections.asynchronous(), self, course):
            raise AssertionError
        return course.result

    def _iterate(self, flow: Flow[None]) -> Generator[Any, None, None]:
        yield from blocking_course(
            self._connections.blocking(), self, Course(retried(flow, self._refusal, self._contact))
        )

    def _iterate_async(self, flow: Flow[None]) -> Events[Any]:
        return Events(self._emitted(flow))

    async def _emitted(self, flow: Flow[None]) -> AsyncGenerator[Any, None]:
        course = Course(retried(flow, self._refusal, self._contact))
        async with contextlib.aclosing(
            async_course(self._connections.asynchronous(), self, course)
        ) as values:
            async for value in values:
                yield value

    def _refusal(self, answer: Answer) -> ReplicateError:
        error = problem(answer)
        if answer.status == 401 and not ("authorization" in self._headers or self.api_token):
            error.detail = f"{error.detail or 'The platform wants to know who asks.'} {_WHERE_SET}"
        return error

    @property
    def api_token(self) -> str | None:
        """The token that says who asks; it may be set."""
        return self._api_token or _token_of_the_prediction() or os.environ.get("REPLICATE_API_TOKEN")

    @api_token.setter
    def api_token(self, value: str | None) -> None:
        self._api_token = value

    def address_of(self, call: Call) -> httpx2.URL:
        """Return the whole address that `call` goes to."""
        return httpx2.URL(call.url if "://" in call.url else f"{self.base_url}/{call.url.lstrip('/')}")

    def request(self, call: Call, *, lasting: bool = False) -> dict[str, Any]:
        """Return the keyword arguments with which httpx2 sends `call`: where to, who asks, and how long it may take."""
        base, url = httpx2.URL(self.base_url), self.address_of(call)
        headers = httpx2.Headers({"User-Agent": f"cogyard-client/{__version__}"})
        # A model's output may name any host: the token, and headers of one's own, go to the platform only.
        if (url.scheme, url.host, url.port) == (base.scheme, base.host, base.port):
            token = self.api_token
            if token:
                headers["Authorization"] = f"Bearer {token}"
            headers.update(self._headers)
        headers.update(dict(call.headers))
        limits = self._timeout.as_dict()
        if call.read_timeout is not None:
            limits["read"] = call.read_timeout
        sent: dict[str, Any] = {
            "method": call.method,
            "url": url,
            "headers": headers,
            "timeout": httpx2.Timeout(**limits | ({"read": LONGEST_SILENCE} if lasting else {})),
        }
        if call.json is not None:
            sent["json"] = call.json
        if call.text is not None:
            sent["content"] = call.text.encode()
        if call.upload is not None:
            sent["files"] = call.upload.parts()
        return sent

    def close(self) -> None:
        """Close the connections of blocking calls."""
        self._connections.close()

    async def aclose(self) -> None:
        """Close the connections of asynchronous calls on this event loop."""
        await self._connections.aclose()

    def __enter__(self) -> Self:
        """Give the client, to close its connections at the end of the block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connections of blocking calls."""
        self.close()

    async def __aenter__(self) -> Self:
        """Give the client, to close its connections at the end of the block."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the connections of asynchronous calls on this event loop."""
        await self.aclose()

    def __deepcopy__(self, _memo: object) -> Client:
        """Return itself: copies of what it made are of the same platform."""
        return self


def _token_of_the_prediction() -> str | None:
    """Return the token that a request gave the model we run in, so that the model asks as who asked it."""
    cog = sys.modules.get("cog")  # a model has it; nobody else is to load it
    scope = getattr(cog, "current_scope", None)
    if scope is None:
        return None
    try:
        context = scope().context
        return next((value for name, value in context.items() if name.upper() == "REPLICATE_API_TOKEN"), None)
    except Exception:  # noqa: BLE001 - another cog than ours, whose scopes have no context
        return None
