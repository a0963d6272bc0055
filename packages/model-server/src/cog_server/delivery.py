"""Deliver one prediction's outputs in order, when some of them hold files.

Outputs without files go straight through. From the first file on, everything passes through a queue with one task, so
that what a stream yields arrives in the order it was yielded, whatever the files take.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from mmap import mmap
from typing import Any

import msgspec

from cog_server.errors import OutputError, ServerError
from cog_server.inputs.prepare import FILE_KEY
from cog_server.outputs import OutputStore, output_file

log = logging.getLogger("cog_server")

_AT_ONCE = 8


class Delivery:
    """The queue of one prediction; `on_value(raw, final)` for each value, then `on_done` or `on_failed` once."""

    def __init__(
        self,
        store: OutputStore,
        *,
        on_value: Callable[[bytes | mmap, bool], None],
        on_done: Callable[[], None],
        on_failed: Callable[[str], None],
    ) -> None:
        self._store = store
        self._on_value = on_value
        self._on_done = on_done
        self._on_failed = on_failed
        self._queue: deque[tuple[bytes, bool, bool]] = deque()
        self._ending = False
        self._task: asyncio.Task[None] | None = None
        self._failed = False

    @property
    def idle(self) -> bool:
        """Whether nothing is on its way."""
        return self._task is None

    def put(self, raw: bytes, *, has_files: bool, final: bool = False) -> None:
        """Add a value to deliver."""
        self._queue.append((raw, has_files, final))
        self._run()

    def end(self) -> None:
        """Say that nothing more comes; `on_done` follows when all is delivered."""
        self._ending = True
        self._run()

    def abort(self) -> None:
        """Stop, and say nothing more."""
        self._failed = True
        self._queue.clear()
        if self._task is not None:
            self._task.cancel()

    def _run(self) -> None:
        if self._task is None and not self._failed:
            self._task = asyncio.get_running_loop().create_task(self._deliver())

    async def _deliver(self) -> None:
        try:
            while self._queue:
                raw: bytes | mmap
                raw, has_files, final = self._queue.popleft()
                if has_files:
                    raw = await replace_files(raw, self._store)
                self._on_value(raw if final else bytes(raw), final)
        except ServerError as exc:
            self._stop(exc.message)
        except OSError as exc:
            self._stop(f"The output could not be delivered: {exc.strerror}.")
        except Exception:
            # Whatever it is, the prediction must not hang in this state.
            log.exception("delivery failed")
            self._stop("The output could not be delivered; the server's log says why.")
        else:
            self._task = None
            if self._ending:
                self._ending = False
                self._on_done()

    def _stop(self, reason: str) -> None:
        self._failed = True
        self._queue.clear()
        self._task = None
        self._on_failed(reason)


async def replace_files(raw: bytes, store: OutputStore) -> bytes | mmap:
    """Return the JSON value with every `$cog.file` object replaced by what the store says. Raises OutputError."""
    try:
        tree = [msgspec.json.decode(raw)]
    except (msgspec.MsgspecError, RecursionError) as exc:
        raise OutputError(f"The model's output is not JSON: {exc}.") from exc
    places: list[tuple[Any, Any, Any]] = []
    _find(tree, places)
    limit = asyncio.Semaphore(_AT_ONCE)

    async def one(marker: Any) -> Any:
        async with limit:
            return await store.store(output_file(marker))

    tasks = [asyncio.ensure_future(one(marker)) for _, _, marker in places]
    try:
        values = await asyncio.gather(*tasks)
    finally:
        # When one fails the others are for nothing; and their files are removed next.
        for task in tasks:
            task.cancel()
    for (holder, key, _), value in zip(places, values, strict=True):
        if isinstance(value, mmap) and holder is tree:
            return value  # all there is: nothing to copy it into
        holder[key] = msgspec.Raw(value) if isinstance(value, mmap) else value
    return msgspec.json.encode(tree[0])


def _find(holder: Any, places: list[tuple[Any, Any, Any]]) -> None:
    items = enumerate(holder) if isinstance(holder, list) else holder.items()
    for key, value in items:
        if isinstance(value, dict) and len(value) == 1 and FILE_KEY in value:
            places.append((holder, key, value[FILE_KEY]))
        elif isinstance(value, (dict, list)):
            _find(value, places)
