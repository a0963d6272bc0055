"""The payloads of the worker's frames, in the order of keys that spec/worker/*.json has."""

from __future__ import annotations

import json
from typing import Any

from cog.errors import InputError
from cog.worker import frames

_dumps = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode
_decode = json.JSONDecoder().decode


def _json(value: Any) -> bytes:
    return _dumps(value).encode("utf-8", "replace")


def read_request(payload: bytes) -> dict[str, Any]:
    """Return the request of a PREDICT frame. Raises InputError when it can't be read."""
    try:
        request: dict[str, Any] = _decode(payload.decode())
    except (ValueError, RecursionError) as error:
        raise InputError("input", f"can't be read: {error}") from None
    return request


def ready(
    *,
    sdk: str,
    python: str,
    is_async: bool,
    concurrency: int,
    streaming: bool,
    iterator: bool,
    healthcheck: bool,
    schema: Any,
    schema_error: str | None,
    batch: tuple[int, float] | None = None,
) -> bytes:
    """Return READY."""
    payload = {
        "protocol": frames.PROTOCOL,
        "sdk": sdk,
        "python": python,
        "is_async": is_async,
        "concurrency": concurrency,
        "streaming": streaming,
        "iterator": iterator,
        "healthcheck": healthcheck,
        **({} if batch is None else {"batch": {"max_size": batch[0], "max_wait": batch[1]}}),
        "schema": schema,
        "schema_error": schema_error,
    }
    return frames.encode(frames.READY, 0, _json(payload))


def setup_failed(error: str) -> bytes:
    """Return SETUP_FAILED."""
    return frames.encode(frames.SETUP_FAILED, 0, _json({"error": error}))


def failed(tag: int, error: str, predict_time: float) -> bytes:
    """Return FAILED; `predict_time` in seconds."""
    return frames.encode(frames.FAILED, tag, _json({"error": error, "predict_time": predict_time}))


def canceled(tag: int, predict_time: float) -> bytes:
    """Return CANCELED; `predict_time` in seconds."""
    return frames.encode(frames.CANCELED, tag, _json({"predict_time": predict_time}))


def metric(tag: int, name: str, value: Any, mode: str) -> bytes:
    """Return METRIC. Raises TypeError or ValueError when JSON has no such value, NaN among them."""
    return frames.encode(frames.METRIC, tag, _json({"name": name, "value": value, "mode": mode}))


def health(ok: bool, error: str | None) -> bytes:  # noqa: FBT001 - the frame's own first field
    """Return HEALTH."""
    return frames.encode(frames.HEALTH, 0, _json({"ok": ok} if error is None else {"ok": ok, "error": error}))


def judge(answer: Any) -> tuple[bool, str | None]:
    """Return what the author's healthcheck() said, as HEALTH has it."""
    return (True, None) if answer else (False, "healthcheck() returned False")
