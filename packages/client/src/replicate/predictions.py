"""Predictions: create, follow, cancel; and trainings, which live the same life."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Self

from replicate._flow import Answer, Call, Flow, Pause, asynchronous, blocking
from replicate.errors import ModelError, ReplicateError
from replicate.files import FileEncodingStrategy, encode_input
from replicate.pagination import Page
from replicate.resource import Namespace, Resource, ask
from replicate.stream import ServerSentEvent

if TYPE_CHECKING:
    from replicate.client import Client

TERMINAL = frozenset({"succeeded", "failed", "canceled", "aborted"})
LONGEST_WAIT = 60
_PROGRESS = re.compile(r"(\d+)%\|[^|]*\|\s*(\d+)/(\d+)")


@dataclass(kw_only=True)
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
        path = self.urls.get("get") or f"/predictions/{self.id}"
        self._take(type(self).from_json(self._client, (yield from ask("GET", path))))

    def _wait(self) -> Flow[None]:
        """Return once the prediction has ended."""
        while not self.finished:
            yield Pause(self._client.poll_interval)
            yield from self._reload()

    def _cancel(self) -> Flow[None]:
        """Ask that it stop."""
        path = self.urls.get("cancel") or f"/predictions/{self.id}/cancel"
        self._take(type(self).from_json(self._client, (yield from ask("POST", path))))

    reload, async_reload = blocking(_reload), asynchronous(_reload)
    wait, async_wait = blocking(_wait), asynchronous(_wait)
    cancel, async_cancel = blocking(_cancel), asynchronous(_cancel)

    def stream(self, use_file_output: bool | None = None) -> Iterator[ServerSentEvent]:
        """Yield the events of the output as it is made.

        The data of an output that is a file is a FileOutput, or its address where `use_file_output` is False.
        """
        return self._client._events(self._stream_url(), wrap=use_file_output is not False)

    def async_stream(self, use_file_output: bool | None = None) -> AsyncIterator[ServerSentEvent]:
        """Yield the events of the output as `stream` does."""
        return self._client._events_async(self._stream_url(), wrap=use_file_output is not False)

    def output_iterator(self) -> Iterator[Any]:
        """Yield the elements of a list output as they come, by asking again and again."""
        seen = 0
        while True:
            new, done = self._new_output(seen)
            yield from new
            seen += len(new)
            if done:
                return
            self._client._drive(self._step())

    async def async_output_iterator(self) -> AsyncIterator[Any]:
        """Yield the elements of a list output as they come."""
        seen = 0
        while True:
            new, done = self._new_output(seen)
            for item in new:
                yield item
            seen += len(new)
            if done:
                return
            await self._client._drive_async(self._step())

    def _new_output(self, seen: int) -> tuple[list[Any], bool]:
        if self.status == "failed":
            raise ModelError(self)
        output = self.output if isinstance(self.output, list) else []
        return output[seen:], self.finished

    def _step(self) -> Flow[None]:
        yield Pause(self._client.poll_interval)
        yield from self._reload()

    def _stream_url(self) -> str:
        url = self.urls.get("stream")
        if not url:
            raise ReplicateError(title="Nothing to stream", detail=f"Prediction {self.id} has no stream.")
        return url


class Predictions(Namespace):
    """Operations on predictions."""

    def _create(
        self,
        version: Any = None,
        input: Mapping[str, Any] | None = None,
        *,
        model: Any = None,
        deployment: str | None = None,
        webhook: str | None = None,
        webhook_completed: str | None = None,
        webhook_events_filter: list[str] | None = None,
        stream: bool | None = None,
        wait: bool | int | None = None,
        file_encoding_strategy: FileEncodingStrategy | None = None,
        idempotency_key: str | None = None,
    ) -> Flow[Prediction]:
        """Create a prediction of a version, a model or a deployment; with `wait`, answer when it is done.

        The same create again with the same `idempotency_key` returns the first one's prediction.
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
        headers = {} if seconds is None else {"Prefer": "wait" if wait is True else f"wait={seconds}"}
        if idempotency_key is not None:
            headers["Idempotency-Key"] = idempotency_key
        timeout = None if seconds is None else seconds + 5.0
        answer = yield Call("POST", path, json=body, headers=headers, read_timeout=timeout)
        return Prediction.from_json(self._client, answer.json())

    def _get(self, id: str) -> Flow[Prediction]:
        """Return one prediction."""
        return Prediction.from_json(self._client, (yield from ask("GET", f"/predictions/{id}")))

    def _list(self, cursor: str | None = None) -> Flow[Page[Prediction]]:
        """Return a page of the account's predictions, newest first."""
        page = yield from ask("GET", cursor or "/predictions")
        return page_of(Prediction, self._client, page)

    def _cancel(self, id: str) -> Flow[Prediction]:
        """Ask that a prediction stop, and return it."""
        return Prediction.from_json(self._client, (yield from ask("POST", f"/predictions/{id}/cancel")))

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


def _target(version: Any, model: Any, deployment: str | None) -> tuple[str, dict[str, str]]:
    given = [
        name for name, value in (("version", version), ("model", model), ("deployment", deployment)) if value
    ]
    if len(given) != 1:
        raise ValueError(
            f"name exactly one of version, model and deployment; got {', '.join(given) or 'none'}"
        )
    if deployment:
        return f"/deployments/{deployment}/predictions", {}
    if model:
        if isinstance(model, tuple):
            model = "/".join(model)
        path = model if isinstance(model, str) else f"{model.owner}/{model.name}"
        return f"/models/{path}/predictions", {}
    return "/predictions", {"version": version if isinstance(version, str) else version.id}
