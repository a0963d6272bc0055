"""One worker and the predictions that run on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from cog_server.workers import messages

if TYPE_CHECKING:
    from cog_server.prediction import Prediction
    from cog_server.workers.supervisor import Supervisor


class Listener(Protocol):
    """Who hears what all workers do."""

    def worker_ready(self, lane: Lane, ready: messages.Ready) -> None:
        """Learn that a worker takes predictions."""

    def worker_frame(self, lane: Lane, kind: int, tag: int, payload: bytes) -> None:
        """Take a frame about a prediction."""

    def worker_outputs(self, lane: Lane, tag: int, payloads: list[bytes]) -> None:
        """Take what one prediction put out since the last read: payloads of OUTPUT frames, in order."""

    def worker_text(self, lane: Lane, source: str, text: str) -> None:
        """Take text that was written after setup."""

    def worker_gone(self, lane: Lane, why: str, signal: int | None) -> None:
        """Learn that a worker died; what ran on it is over."""

    def worker_lost(self, lane: Lane, why: str) -> None:
        """Learn that this worker will not come back."""


class Group:
    """A batch that runs: how many of its predictions have not ended, and the folders to remove when all have."""

    __slots__ = ("folders", "left")

    def __init__(self, size: int) -> None:
        self.left = size
        self.folders: list[str] = []


class Lane:
    """A worker's slots. It passes on what its supervisor says, with itself as the first argument."""

    __slots__ = (
        "_listener",
        "batch",
        "groups",
        "groups_most",
        "lost",
        "ready",
        "running",
        "slots",
        "supervisor",
    )

    supervisor: Supervisor

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self.running: dict[int, Prediction] = {}
        self.ready = False
        self.lost = False
        self.slots = 1
        self.batch: messages.Batch | None = None
        self.groups = 0
        """Batches that run."""
        self.groups_most = 1

    @property
    def free(self) -> bool:
        """Whether a prediction, or a batch of them, could be sent now."""
        if self.batch is not None:
            return self.ready and self.groups < self.groups_most
        return self.ready and len(self.running) < self.slots

    def open(self, ready: messages.Ready, slots: int | None) -> None:
        """Learn what the worker can do; `slots` is the operator's number of predictions for an async one."""
        size = 1 if ready.batch is None else ready.batch.max_size
        offered = max(1, ready.concurrency) if slots is None else max(1, slots // size)
        self.groups_most = offered if ready.is_async else 1
        self.batch, self.groups = ready.batch, 0
        self.slots = self.groups_most * size
        self.ready, self.lost = True, False

    def worker_ready(self, ready: messages.Ready) -> None:
        """Learn that predictions may be sent."""
        self._listener.worker_ready(self, ready)

    def worker_frame(self, kind: int, tag: int, payload: bytes) -> None:
        """Pass a frame on."""
        self._listener.worker_frame(self, kind, tag, payload)

    def worker_outputs(self, tag: int, payloads: list[bytes]) -> None:
        """Pass outputs of one prediction on."""
        self._listener.worker_outputs(self, tag, payloads)

    def worker_text(self, source: str, text: str) -> None:
        """Pass text on."""
        self._listener.worker_text(self, source, text)

    def worker_gone(self, why: str, signal: int | None) -> None:
        """Learn that the worker died."""
        self.ready = False
        self._listener.worker_gone(self, why, signal)

    def worker_lost(self, why: str) -> None:
        """Learn that there will be no other."""
        self.ready, self.lost = False, True
        self._listener.worker_lost(self, why)
