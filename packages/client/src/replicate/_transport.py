"""The two shells that perform a flow's steps with httpx2, and the rule for trying again."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any

import httpx2

from replicate._flow import Answer, Call
from replicate.errors import ReplicateError

ATTEMPTS = 6
LONGEST_PAUSE = 30.0
RETRIED_STATUSES = frozenset({429, 502, 503, 504})
REPEATABLE = frozenset({"GET", "HEAD", "PUT", "DELETE", "QUERY"})


def request_arguments(call: Call, timeout: httpx2.Timeout) -> dict[str, Any]:
    """Return the keyword arguments with which either of httpx2's clients sends `call`."""
    arguments: dict[str, Any] = {"headers": dict(call.headers), "timeout": timeout}
    if call.read_timeout is not None:
        arguments["timeout"] = httpx2.Timeout(**{**timeout.as_dict(), "read": call.read_timeout})
    if call.json is not None:
        arguments["json"] = call.json
    if call.text is not None:
        arguments["content"] = call.text.encode()
    if call.files is not None:
        arguments["files"] = dict(call.files)
    return arguments


def pause_before_retry(
    call: Call, status: int | None, headers: Mapping[str, str], attempt: int
) -> float | None:
    """Return the seconds after which `call` is to be tried again, or None when it is not.

    `status` is None when no answer came. Only requests that can be repeated without harm are, and any that was
    refused for its rate (429), since a refused request did nothing.
    """
    if attempt + 1 >= ATTEMPTS or (status is not None and status not in RETRIED_STATUSES):
        return None
    if call.method not in REPEATABLE and status != 429:
        return None
    told = _retry_after(headers.get("retry-after"))
    backoff = min(LONGEST_PAUSE, 0.1 * 2**attempt) * random.uniform(0.5, 1.0)
    return min(LONGEST_PAUSE, told) if told is not None else backoff


def _retry_after(value: str | None) -> float | None:
    if not value:
        return None
    if value.isdigit():
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return None


def unreachable(call: Call, error: Exception) -> ReplicateError:
    """Return the error that says the platform gave no answer."""
    return ReplicateError(
        title="No answer from the platform",
        detail=f"{call.method} {call.url}: {str(error) or type(error).__name__}. "
        "Check REPLICATE_BASE_URL and that the platform is running.",
    )


def send(http: httpx2.Client, call: Call, timeout: httpx2.Timeout) -> Answer:
    """Send `call`, trying again by the rule; raise ReplicateError when no answer comes."""
    attempt = 0
    while True:
        try:
            got = http.request(call.method, call.url, **request_arguments(call, timeout))
            pause = pause_before_retry(call, got.status_code, got.headers, attempt)
            if pause is None:
                return Answer(got.status_code, got.headers, got.content)
        except httpx2.TransportError as error:
            pause = pause_before_retry(call, None, {}, attempt)
            if pause is None:
                raise unreachable(call, error) from error
        time.sleep(pause)
        attempt += 1


async def send_async(http: httpx2.AsyncClient, call: Call, timeout: httpx2.Timeout) -> Answer:
    """Do as `send` does, without blocking."""
    attempt = 0
    while True:
        try:
            got = await http.request(call.method, call.url, **request_arguments(call, timeout))
            pause = pause_before_retry(call, got.status_code, got.headers, attempt)
            if pause is None:
                return Answer(got.status_code, got.headers, got.content)
        except httpx2.TransportError as error:
            pause = pause_before_retry(call, None, {}, attempt)
            if pause is None:
                raise unreachable(call, error) from error
        await asyncio.sleep(pause)
        attempt += 1


def problem(answer: Answer) -> ReplicateError:
    """Return the error an answer with a bad status stands for."""
    try:
        body = answer.json()
    except ValueError:
        body = {}
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
