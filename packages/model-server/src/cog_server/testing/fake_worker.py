"""A small sync worker that speaks protocol 1, for tests of the server: run it as a script in place of `-m cog.worker`.

It loads `file.py:Class` (or a function), has no schema and coerces nothing but files. It stands for the real worker in
what the protocol promises: setup, outputs, streams, files, failures, cancel by SIGUSR1, health, shutdown, end of the
socket.
"""

from __future__ import annotations

import argparse
import collections.abc
import importlib.util
import json
import os
import pathlib
import select
import signal
import socket
import struct
import sys
import threading
import time
import traceback
from typing import Any

_HEADER = struct.Struct(">IBI")


class CancelationException(BaseException):
    """Raised inside predict() when its prediction is canceled."""


class Channel:
    """Frames over a socket."""

    def __init__(self, fd: int) -> None:
        self.socket = socket.socket(fileno=fd)
        self.socket.set_inheritable(False)
        self._buffer = bytearray()

    def send(self, kind: int, tag: int, payload: bytes = b"") -> None:
        """Write one frame."""
        self.socket.sendall(_HEADER.pack(5 + len(payload), kind, tag) + payload)

    def send_json(self, kind: int, tag: int, value: Any) -> None:
        """Write one frame of JSON."""
        self.send(kind, tag, json.dumps(value).encode())

    def receive(self, *, wait: bool = True) -> tuple[int, int, bytes] | None:
        """Return the next frame; None when there is none and `wait` is off. Ends with the server."""
        while True:
            if len(self._buffer) >= 4:
                stop = 4 + int.from_bytes(self._buffer[:4], "big")
                if len(self._buffer) >= stop:
                    kind, tag = _HEADER.unpack_from(self._buffer)[1:]
                    payload = bytes(self._buffer[9:stop])
                    del self._buffer[:stop]
                    return kind, tag, payload
            if not wait and not select.select([self.socket], [], [], 0)[0]:
                return None
            data = self.socket.recv(1 << 16)
            if not data:
                os._exit(0)
            self._buffer += data


def load(ref: str) -> Any:
    """Return the predictor object or function that `ref` names."""
    file, _, name = ref.partition(":")
    sys.path.insert(0, str(pathlib.Path.cwd()))
    spec = importlib.util.spec_from_file_location("fake_model", file)
    if spec is None or spec.loader is None:
        raise ImportError(f"cannot load {file}")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found = getattr(module, name)
    return found() if isinstance(found, type) else found


def plain(value: Any, files: list[str]) -> Any:
    """Return a JSON value; paths become file markers, and are noted in `files`."""
    if isinstance(value, pathlib.PurePath):
        files.append(str(value))
        return {"$cog.file": {"path": str(pathlib.Path(value).resolve()), "name": value.name}}
    if isinstance(value, dict):
        return {key: plain(item, files) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item, files) for item in value]
    return value


def encode(value: Any) -> tuple[int, bytes]:
    """Return (flags, JSON) of an output."""
    files: list[str] = []
    raw = json.dumps(plain(value, files)).encode()
    return int(bool(files)), raw


def given(value: Any) -> Any:
    """Return an input with file markers as paths."""
    if isinstance(value, dict):
        if "$cog.file" in value:
            return pathlib.Path(value["$cog.file"]["path"])
        return {key: given(item) for key, item in value.items()}
    return [given(item) for item in value] if isinstance(value, list) else value


class FakeWorker:
    """Run one predictor."""

    def __init__(self, channel: Channel, predictor: Any) -> None:
        self.channel = channel
        self.predictor = predictor
        self.predict = getattr(predictor, "predict", None) or getattr(predictor, "run", predictor)
        self.running = 0
        self.later: list[tuple[int, int, bytes]] = []

    def interrupted(self, *_: Any) -> None:
        """Look for a CANCEL of what runs; at any other time the main loop may be reading, and drops it as stale."""
        if not self.running:
            return
        while (frame := self.channel.receive(wait=False)) is not None:
            kind, tag = frame[:2]
            if kind == 2:
                if tag == self.running:
                    self.running = 0
                    raise CancelationException
            else:
                self.later.append(frame)

    def run(self) -> int:
        """Serve frames until SHUTDOWN."""
        while True:
            frame = self.later.pop(0) if self.later else self.channel.receive()
            if frame is None:
                continue
            kind, tag, payload = frame
            if kind == 1:
                self.one(tag, json.loads(payload))
            elif kind == 3:
                teardown = getattr(self.predictor, "teardown", None)
                if teardown is not None:
                    teardown()
                return 0
            elif kind == 4:
                self.health()
            elif kind != 2:
                return 2

    def health(self) -> None:
        """Answer HEALTHCHECK."""
        try:
            ok = bool(getattr(self.predictor, "healthcheck", lambda: True)())
            answer: dict[str, Any] = {"ok": ok}
        except Exception as exc:  # noqa: BLE001 - the author's code
            answer = {"ok": False, "error": str(exc)}
        self.channel.send_json(0x89, 0, answer)

    def one(self, tag: int, request: dict[str, Any]) -> None:
        """Run one prediction."""
        started = time.perf_counter()
        try:
            self.running = tag
            # A signal that came before this line was not looked at; one that comes while we look waits.
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
            try:
                self.interrupted()
            finally:
                signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGUSR1})
            result = self.predict(**given(request["input"]))
            if isinstance(result, collections.abc.Iterator):
                for item in result:
                    flags, raw = encode(item)
                    self.channel.send(0x83, tag, bytes([flags]) + raw)
                flags, raw = 0, b""
            else:
                flags, raw = encode(result)
            self.running = 0
        except CancelationException:
            self.end(tag, 0x86, {"predict_time": time.perf_counter() - started})
        except Exception as exc:  # noqa: BLE001 - the author's code
            self.running = 0
            traceback.print_exc()
            error = str(exc) or type(exc).__name__
            self.end(tag, 0x85, {"error": error, "predict_time": time.perf_counter() - started})
        else:
            flush()
            head = struct.pack(">d", time.perf_counter() - started) + bytes([flags])
            self.channel.send(0x84, tag, head + raw)

    def end(self, tag: int, kind: int, value: dict[str, Any]) -> None:
        """Send a terminal frame that is JSON."""
        flush()
        self.channel.send_json(kind, tag, value)


def flush() -> None:
    """Write out what the author printed."""
    sys.stdout.flush()
    sys.stderr.flush()


def watch(channel: Channel) -> None:
    """End the process soon after the server is gone, whatever the model does."""
    poll = select.poll()
    poll.register(channel.socket, select.POLLHUP)
    while not any(event & select.POLLHUP for _, event in poll.poll(500)):
        pass
    os._exit(0)


def main() -> int:
    """Load, set up, serve."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--fd", type=int, required=True)
    parser.add_argument("--ref")
    parser.add_argument("--mode", default="predict")
    parser.add_argument("--train-ref")
    arguments = parser.parse_args()
    channel = Channel(arguments.fd)
    threading.Thread(target=watch, args=(channel,), daemon=True).start()
    try:
        predictor = load(arguments.train_ref if arguments.mode == "train" else arguments.ref)
        if hasattr(predictor, "setup"):
            predictor.setup()
    except Exception as exc:  # noqa: BLE001 - the author's code
        traceback.print_exc()
        flush()
        channel.send_json(0x82, 0, {"error": str(exc) or type(exc).__name__})
        return 1
    flush()
    ready = {
        "protocol": 1,
        "sdk": "fake",
        "python": sys.version.split()[0],
        "is_async": False,
        "concurrency": 1,
    }
    ready["healthcheck"] = hasattr(predictor, "healthcheck")
    worker = FakeWorker(channel, predictor)
    # Before READY: the first CANCEL may follow it at once, and SIGUSR1 ends a process that does not listen.
    signal.signal(signal.SIGUSR1, worker.interrupted)
    channel.send_json(0x81, 0, ready)
    return worker.run()


if __name__ == "__main__":
    sys.exit(main())
