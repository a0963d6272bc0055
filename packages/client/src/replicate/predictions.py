"""Predictions: create, follow, cancel; and trainings, which live the same life."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NotRequired, Self, TypedDict

from replicate._flow import (
    Answer,
    Call,
    Emit,
    Flow,
    Pause,
    async_iterating,
    asynchronous,
    blocking,
    iterating,
)
from replicate.errors import ModelError, ReplicateError
from replicate.files import FileEncodingStrategy, encode_input
from replicate.output import transform_output
from replicate.pagination import Cursor, Page
from replicate.resource import Namespace, Resource, ask, first_page
from replicate.stream import EventType, ServerSentEvent, follow, streams_files

if TYPE_CHECKING:
    from replicate.client import Client

TERMINAL = frozenset({"succeeded", "failed", "canceled", "aborted"})
LONGEST_WAIT = 60
_PROGRESS = re.compile(r"(\d+)%\|[^|]*\|\s*(\d+)/(\d+)")


@dataclass
class Progress:
    """How far a model says it is, read from a progress bar in its logs."""

    percentage: float
    current: int
    total: int

    @classmethod
    def parse(cls, logs: str) -> Self | None:
        """Return what the last progress bar in `logs` says; None when there is none."""
        found = _PROGRESS.findall(logs)
        if not found:
            return None
        percent, current, total = found[-1]
        return cls(percentage=int(percent) / 100, current=int(current), total=int(total))


_Progress = Progress


@dataclass(kw_only=True)
class Prediction(Resource):
    """One run of a version on one input."""

    Progress: ClassVar = _Progress  # as the official client nests it
    _PATH: ClassVar = "predictions"

    id: str
    model: str = ""
    version: str = ""
    status: str = "starting"
    input: dict[str, Any] | None = None
    output: Any = None
    logs: str | None = None
    error: str | None = None
    metrics: dict[str, Any] | None = None
    created_at: str | None = None
    started_at: str | None = None
    completed_at: str | None = None
    urls: dict[str, str] = field(default_factory=dict)

    @property
    def finished(self) -> bool:
        """Whether nothing will change any more."""
        return self.status in TERMINAL

    @property
    def progress(self) -> _Progress | None:
        """What the last progress bar in the logs says."""
        return _Progress.parse(self.logs or "")

    def _reload(self) -> Flow[None]:
        """Bring this object up to date."""
        answer = yield from ask("GET", f"/{self._PATH}/{self.id}")
        self._take(type(self).from_json(self._client, answer))

    def _wait(self) -> Flow[None]:
        """Return once it has ended."""
        while not self.finished:
            yield Pause(self._client.poll_interval)
            yield from self._reload()

    def _cancel(self) -> Flow[None]:
        """Ask that it stop."""
        answer = yield from ask("POST", f"/{self._PATH}/{self.id}/cancel", repeatable=True)
        self._take(type(self).from_json(self._client, answer))

    def _stream(self, use_file_output: bool | None = None) -> Flow[None]:
        """Yield the events of the output as it is made; a broken connection is made anew.

        The data of an output that is a file is a FileOutput, or its address where `use_file_output` is False.
        """
        url = (self.urls or {}).get("stream")
        if not url:
            raise ReplicateError(title="Nothing to stream", detail=f"Prediction {self.id} has no stream.")
        files = use_file_output is not False and streams_files(url)

        def shown(event: ServerSentEvent) -> ServerSentEvent:
            if not files or event.event != EventType.OUTPUT:
                return event
            return replace(event, data=transform_output(event.data, self._client))

        yield from follow(url, shown)

    def _follow_output(self, shown: Callable[[Any], Any] = lambda item: item) -> Flow[None]:
        """Yield the elements of a list output as they come, by asking again and again."""
        seen = 0
        while True:
            output = self.output if isinstance(self.output, list) else []
            for item in output[seen:]:
                yield Emit(shown(item))
            seen = max(seen, len(output))
            if self.finished:
                break
            yield Pause(self._client.poll_interval)
            yield from self._reload()
        if self.status != "succeeded":
            raise ModelError(self)

    reload, async_reload = blocking(_reload), asynchronous(_reload)
    wait, async_wait = blocking(_wait), asynchronous(_wait)
    cancel, async_cancel = blocking(_cancel), asynchronous(_cancel)
    stream, async_stream = iterating(_stream), async_iterating(_stream)
    output_iterator, async_output_iterator = iterating(_follow_output), async_iterating(_follow_output)


class CreatePredictionParams(TypedDict):
    """What a prediction may be asked with, beside what to run and its input."""

    webhook: NotRequired[str | None]
    webhook_completed: NotRequired[str | None]
    webhook_events_filter: NotRequired[list[str] | None]
    stream: NotRequired[bool | None]
    wait: NotRequired[bool | int | None]
    """Whether the platform holds the request until the output is there: at most 60 seconds, or so many."""
    file_encoding_strategy: NotRequired[FileEncodingStrategy | None]
    """How files of the input go: "url" (uploaded; the default) or "base64" (in the request)."""
    idempotency_key: NotRequired[str | None]
    """The same create again with the same key returns the first one's prediction."""
    cancel_after: NotRequired[str | int | None]
    """When it must have ended: `"30s"`, `"1h30m"`, or seconds. Then it is canceled, or aborted where it still waits."""
    priority: NotRequired[Literal["high", "normal", "low"] | None]
    """Which of your own predictions goes first where several wait."""


class Predictions(Namespace):
    """Operations on predictions."""

    CreatePredictionParams = CreatePredictionParams

    def _create(
        self,
        version: Any = None,
        input: Mapping[str, Any] | None = None,
        *,
        model: Any = None,
        deployment: Any = None,
        webhook: str | None = None,
        webhook_completed: str | None = None,
        webhook_events_filter: list[str] | None = None,
        stream: bool | None = None,
        wait: bool | int | None = None,
        file_encoding_strategy: FileEncodingStrategy | None = None,
        idempotency_key: str | None = None,
        cancel_after: str | int | None = None,
        priority: Literal["high", "normal", "low"] | None = None,
    ) -> Flow[Prediction]:
        """Create a prediction of a version, a model or a deployment; with `wait`, answer when it is done.

        The same create again with the same `idempotency_key` returns the first one's prediction. Each create has such a
        key, yours or one of its own, so that one whose answer was lost is sent again and runs once; not to the hosted
        service, which ignores keys.
        """
        encoded = yield from encode_input(input or {}, self._client.files, file_encoding_strategy)
        body: dict[str, Any] = {
            "input": encoded,
            "webhook": webhook,
            "webhook_completed": webhook_completed,
            "webhook_events_filter": webhook_events_filter,
            "stream": stream,
        }
        path, named = _target(version, model, deployment)
        body = {name: value for name, value in {**named, **body}.items() if value is not None}
        seconds = wait_seconds(wait)
        said = {
            "Prefer": None if seconds is None else "wait" if wait is True else f"wait={seconds}",
            "Idempotency-Key": idempotency_key or uuid.uuid4().hex,
            "Cancel-After": cancel_after,
            "Cogyard-Priority": priority,
        }
        headers = {name: str(value) for name, value in said.items() if value is not None}
        timeout = None if seconds is None else seconds + 5.0
        answer = yield Call(
            "POST", path, json=body, headers=headers, read_timeout=timeout, repeatable=self._client.keeps_keys
        )
        return Prediction.from_json(self._client, answer.json())

    def _get(self, id: str) -> Flow[Prediction]:
        """Return one prediction."""
        return Prediction.from_json(self._client, (yield from ask("GET", f"/predictions/{id}")))

    def _list(self, cursor: Cursor = None) -> Flow[Page[Prediction]]:
        """Return a page of the account's predictions, newest first."""
        page = yield from ask("GET", first_page(cursor, "/predictions"))
        return page_of(Prediction, self._client, page)

    def _cancel(self, id: str) -> Flow[Prediction]:
        """Ask that a prediction stop, and return it."""
        return Prediction.from_json(
            self._client, (yield from ask("POST", f"/predictions/{id}/cancel", repeatable=True))
        )

    def _delete(self, id: str) -> Flow[bool]:
        """Delete a prediction that has ended, with its files; return whether it was deleted."""
        answer: Answer = yield Call("DELETE", f"/predictions/{id}")
        return answer.status == 204

    create, async_create = blocking(_create), asynchronous(_create)
    delete, async_delete = blocking(_delete), asynchronous(_delete)
    get, async_get = blocking(_get), asynchronous(_get)
    list, async_list = blocking(_list), asynchronous(_list)
    cancel, async_cancel = blocking(_cancel), asynchronous(_cancel)


def page_of(kind: Any, client: Client, value: Mapping[str, Any]) -> Page[Any]:
    """Make a page of resources of its JSON."""
    results = [kind.from_json(client, item) for item in value.get("results", [])]
    return Page(results=results, previous=value.get("previous"), next=value.get("next"))


def wait_seconds(wait: bool | int | None) -> int | None:
    """Return how long a create may wait for its result, in seconds (1 to 60), or None for not at all."""
    if wait is None or wait is False:
        return None
    return LONGEST_WAIT if wait is True else max(1, min(LONGEST_WAIT, int(wait)))


def path_of(model: Any) -> str:
    """Return `owner/name` of a model or deployment: that text, a pair, or the object. Raises ValueError."""
    owner, name = getattr(model, "owner", None), getattr(model, "name", None)
    if isinstance(model, str):
        owner, _, name = model.partition("/")
    elif isinstance(model, tuple):
        owner, name = model[:2]
    if not owner or not name:
        raise ValueError(f"name it as owner/name, as a pair of both, or by its object; got {model!r}")
    return f"{owner}/{name}"


def _target(version: Any, model: Any, deployment: Any) -> tuple[str, dict[str, str]]:
    given = [
        name for name, value in (("version", version), ("model", model), ("deployment", deployment)) if value
    ]
    if len(given) != 1:
        raise ValueError(
            f"name exactly one of version, model and deployment; got {', '.join(given) or 'none'}"
        )
    if deployment:
        return f"/deployments/{path_of(deployment)}/predictions", {}
    if not model:
        return "/predictions", {"version": version if isinstance(version, str) else version.id}
    path = path_of(model)
    if ":" in path:
        raise ValueError(f"{path} names a version: give it as `version`")
    return f"/models/{path}/predictions", {}
