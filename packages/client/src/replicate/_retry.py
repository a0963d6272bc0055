"""When a request is sent again, and the error that a bad status stands for."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from email.utils import parsedate_to_datetime
from itertools import count

from replicate._flow import Answer, Call, Emit, Flow, Open, Pause, Piece, T
from replicate.errors import ReplicateError, Unreachable

ATTEMPTS = 7
"""With the pauses below about 5 seconds."""
PATIENT_ATTEMPTS = 14
"""With the pauses below about 40 seconds: a platform restarts in less."""
LONGEST_PAUSE = 30.0
LONGEST_BACKOFF = 5.0
RETRIED_STATUSES = frozenset({429, 502, 503, 504})
REPEATABLE = frozenset({"GET", "HEAD", "PUT", "DELETE", "QUERY"})


@dataclass
class Contact:
    """Whether the platform has ever answered: then its address is right, and it is worth waiting for."""

    made: bool = False


def pause_before_retry(
    call: Call, status: int | None, headers: Mapping[str, str], attempt: int, contact: Contact
) -> float | None:
    """Return the seconds after which `call` is to be tried again, or None when it is not.

    `status` is None when no answer came. Only requests that can be repeated without harm are, and any that was
    refused for its rate (429), since a refused request did nothing.
    """
    # Those who are refused for their rate are told when to come again, all of them for the same moment.
    most = PATIENT_ATTEMPTS if contact.made or status == 429 else ATTEMPTS
    if attempt + 1 >= most or (status is not None and status not in RETRIED_STATUSES):
        return None
    if call.method not in REPEATABLE and not call.repeatable and status != 429:
        return None
    told = _retry_after(headers.get("retry-after"))
    backoff: float = min(LONGEST_BACKOFF, 0.1 * 2**attempt) * random.uniform(0.5, 1.0)
    if told is None:
        return backoff
    return max(backoff, min(LONGEST_PAUSE, told) * random.uniform(1.0, 1.25))


def retried(flow: Flow[T], refusal: Callable[[Answer], ReplicateError], contact: Contact) -> Flow[T]:
    """Return `flow` with its requests sent again by the rule; a bad status is raised in it as `refusal` says."""
    came, error = None, None
    while True:
        try:
            step = flow.send(came) if error is None else flow.throw(error)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]  # a generator's return value is untyped
        came, error = None, None
        try:
            if isinstance(step, Call | Open):
                came = yield from _attempts(step, refusal, contact)
            else:
                came = yield step
        except ReplicateError as raised:
            error = raised


def _attempts(
    step: Call | Open, refusal: Callable[[Answer], ReplicateError], contact: Contact
) -> Flow[Answer]:
    call = step.call if isinstance(step, Open) else step
    for attempt in count():
        try:
            answer: Answer = yield step
        except Unreachable:
            pause = pause_before_retry(call, None, {}, attempt, contact)
            if pause is None:
                raise
        else:
            contact.made = contact.made or answer.status not in RETRIED_STATUSES
            pause = pause_before_retry(call, answer.status, answer.headers, attempt, contact)
            if pause is None:
                if answer.status >= 400:
                    raise refusal(answer)
                return answer
        yield Pause(pause)
    raise AssertionError


def _retry_after(value: str | None) -> float | None:
    if not value:
        return None
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return None


def problem(answer: Answer) -> ReplicateError:
    """Return the error an answer with a bad status stands for."""
    try:
        body = answer.json()
    except ReplicateError:
        body = {"detail": answer.shown()} if answer.body else {}
    if not isinstance(body, dict):
        body = {}
    return ReplicateError(
        type=body.get("type"),
        title=body.get("title"),
        status=answer.status,
        detail=body.get("detail") if isinstance(body.get("detail"), str) else None,
        instance=body.get("instance"),
        headers=answer.headers,
    )


def download(call: Call) -> Flow[None]:
    """Emit the bytes of an answer as they come; one with an ETag goes on where its connection broke."""
    had, tag, breaks = 0, "", 0
    while True:
        rest = {"Range": f"bytes={had}-", "If-Range": tag} if had else {}
        answer: Answer = yield Open(replace(call, headers={**call.headers, **rest}))
        if rest and answer.status != 206:
            raise Unreachable(title="The file changed while it was read", detail=call.url)
        tag = "" if "content-encoding" in answer.headers else answer.headers.get("etag", "")
        try:
            while piece := (yield Piece()):
                had, breaks = had + len(piece), 0
                yield Emit(piece)
        except Unreachable:
            if not tag.startswith('"') or breaks == ATTEMPTS:
                raise
            breaks += 1
            yield Pause(min(LONGEST_BACKOFF, 0.1 * 2**breaks))
        else:
            return
