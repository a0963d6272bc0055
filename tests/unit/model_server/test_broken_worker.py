"""A worker that breaks the protocol, as the author's code can make it do by writing where it should not."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from cog_server import frames
from cog_server.workers.worker import Worker

pytestmark = pytest.mark.anyio


class Listener:
    """Notes the frames it gets."""

    def __init__(self) -> None:
        self.received: list[frames.Frame] = []

    def frames_received(self, received: list[frames.Frame]) -> None:
        """Take frames."""
        self.received += received

    def text_received(self, source: str, data: bytes) -> None:
        """Take text."""

    def exited(self, how: Any) -> None:
        """Learn that the process is gone."""


async def test_nothing_is_believed_after_what_was_no_frame() -> None:
    """The worker is killed, and an answer that was already on its way is not taken for one."""
    listener, kills = Listener(), list[bool]()
    process: Any = SimpleNamespace(
        popen=SimpleNamespace(pid=1), stdout=-1, stderr=-1, kill=lambda: kills.append(True)
    )
    worker = Worker(process, listener)
    worker.data_received(frames.encode(frames.OUTPUT, 1, b'\x00"a"'))
    worker.data_received(bytes(64))
    worker.data_received(frames.encode(frames.SUCCEEDED, 1, bytes(9)))
    assert [kind for kind, _, _ in listener.received] == [frames.OUTPUT]
    assert kills == [True]
