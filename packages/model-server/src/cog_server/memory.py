"""Predictions that have ended, for a while: the last hundred, at most ten minutes, at most 64 MiB.

A large one that nobody has a reason to ask for again is not kept: a server that answers with files would else hold
64 MiB of them all the time.
"""

from __future__ import annotations

from collections import OrderedDict

from cog_server.prediction import Prediction

MOST = 100
SECONDS = 600.0
BYTES = 64 << 20
LARGE = 1 << 20
"""Bytes from which a prediction is kept only for who may still ask for it."""


class Memory:
    """What `GET /predictions/{id}` can still tell about. Time comes as an argument, in seconds of any steady clock."""

    def __init__(self, *, most: int = MOST, seconds: float = SECONDS, limit: int = BYTES) -> None:
        self._most = most
        self._seconds = seconds
        self._limit = limit
        self._size = 0
        self._kept: OrderedDict[str, tuple[Prediction, int]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def keep(self, prediction: Prediction, now: float) -> None:
        """Remember an ended prediction, and forget what no longer fits."""
        self.forget(prediction.id)
        size = prediction.size
        if prediction.told and size >= LARGE:
            return
        prediction.keep_until = now + self._seconds
        self._kept[prediction.id] = (prediction, size)
        self._size += size
        while len(self._kept) > self._most or (self._size > self._limit and len(self._kept) > 1):
            _, (_, freed) = self._kept.popitem(last=False)
            self._size -= freed

    def get(self, id: str, now: float) -> Prediction | None:
        """Return a remembered prediction."""
        entry = self._kept.get(id)
        if entry is None:
            return None
        if entry[0].keep_until < now:
            self.forget(id)
            return None
        return entry[0]

    def sweep(self, now: float) -> None:
        """Forget what is too old."""
        while self._kept:
            prediction, _ = next(iter(self._kept.values()))
            if prediction.keep_until >= now:
                return
            self.forget(prediction.id)

    def forget(self, id: str) -> None:
        """Forget one prediction."""
        entry = self._kept.pop(id, None)
        if entry is not None:
            self._size -= entry[1]
