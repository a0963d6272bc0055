"""A model server that really runs: its own process, the real worker, a Unix socket or a port of its own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx2


@dataclass
class Server:
    """A started server."""

    process: subprocess.Popen[bytes]
    uds: Path
    folder: Path
    log: Path
    client: httpx2.Client

    def post(
        self, input: Mapping[str, Any], *, headers: Mapping[str, str] | None = None, **body: Any
    ) -> httpx2.Response:
        """Create a prediction."""
        return self.client.post("/predictions", json={"input": input, **body}, headers=dict(headers or {}))

    def result(self, input: Mapping[str, Any], **body: Any) -> dict[str, Any]:
        """Create a prediction, wait for its end and return it."""
        response = self.post(input, **body)
        assert response.status_code == 200, response.text
        found: dict[str, Any] = response.json()
        return found

    def health(self) -> dict[str, Any]:
        """Return what /health-check says."""
        found: dict[str, Any] = self.client.get("/health-check").json()
        return found

    def wait_for(self, *states: str, seconds: float = 45) -> dict[str, Any]:
        """Wait for a health state."""
        return self.until(self.health, lambda health: health["status"] in states, seconds)  # type: ignore[no-any-return]

    def until(self, ask: Callable[[], Any], good: Callable[[Any], bool], seconds: float = 45) -> Any:
        """Ask until the answer is good."""
        end = time.monotonic() + seconds
        while True:
            found = ask()
            if good(found):
                return found
            assert time.monotonic() < end, f"still {found}"
            time.sleep(0.02)

    def raw(self) -> socket.socket:
        """Return a connection of one's own."""
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.settimeout(10)
        sock.connect(str(self.uds))
        return sock

    def metric(self, name: str) -> float:
        """Return one value of /metrics."""
        for line in self.client.get("/metrics").text.splitlines():
            if line.startswith(name + " "):
                return float(line.rpartition(" ")[2])
        raise AssertionError(f"no metric {name}")

    def folders(self) -> list[str]:
        """Return what is left in the server's own folders."""
        left: list[str] = []
        for folder in self.folder.glob("tmp/cogyard-*/*"):
            with suppress(FileNotFoundError):  # the server removes it while we look
                left += map(str, folder.iterdir())
        return left


@contextmanager
def serving(
    project: Path,
    ref: str = "predict.py:Predictor",
    *arguments: str,
    env: Mapping[str, str] | None = None,
    ready: bool = True,
    stdin: int = subprocess.DEVNULL,
    program: tuple[str, ...] = ("-m", "cog_server"),
) -> Iterator[Server]:
    """Start a server over a project's predictor; end it whatever happens."""
    with tempfile.TemporaryDirectory(prefix="ms-") as name:
        folder = Path(name)
        (folder / "tmp").mkdir()
        uds, log = folder / "s", folder / "log"
        command = [sys.executable, *program, "--uds", str(uds), "--python", sys.executable]
        command += ["--project", str(project), *(["--ref", ref] if ref else []), *arguments]
        with log.open("wb") as out:
            process = subprocess.Popen(
                command,
                stdin=stdin,
                stdout=out,
                stderr=subprocess.STDOUT,
                env={**os.environ, "TMPDIR": str(folder / "tmp"), **(env or {})},
            )
        transport = httpx2.HTTPTransport(uds=str(uds))
        with httpx2.Client(transport=transport, base_url="http://model", timeout=60) as client:
            server = Server(process, uds, folder, log, client)
            try:
                wait_for_socket(server)
                if ready:
                    server.wait_for("READY")
                yield server
            finally:
                end(process)


def wait_for_socket(server: Server) -> None:
    """Wait until connections are accepted."""
    for _ in range(4000):
        if server.uds.exists():
            with socket.socket(socket.AF_UNIX) as probe:
                try:
                    probe.connect(str(server.uds))
                except ConnectionRefusedError:
                    pass
                else:
                    return
        if server.process.poll() is not None:
            break
        time.sleep(0.01)
    raise AssertionError(f"the server did not start: {server.log.read_text()}")


def end(process: subprocess.Popen[bytes]) -> None:
    """End a server's process."""
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@dataclass
class Received:
    """A request that a peer got."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    at: float


@dataclass
class Peer:
    """An HTTP server that records requests and answers as told."""

    port: int
    received: list[Received] = field(default_factory=list)
    answer: Callable[[Received], tuple[int, dict[str, str], bytes]] = lambda _: (200, {}, b"")

    def url(self, path: str = "/") -> str:
        """Return an address of the peer."""
        return f"http://127.0.0.1:{self.port}{path}"


@contextmanager
def peer() -> Iterator[Peer]:
    """Run a peer on a port of its own."""
    found = Peer(0)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            if self.headers.get("Transfer-Encoding") == "chunked":
                parts = []
                while size := int(self.rfile.readline(), 16):
                    parts.append(self.rfile.read(size))
                    self.rfile.readline()
                self.rfile.readline()
                body = b"".join(parts)
            else:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            one = Received(self.command, self.path, headers, body, time.monotonic())
            found.received.append(one)
            status, answer_headers, answer = found.answer(one)
            self.send_response(status)
            for name, value in answer_headers.items():
                self.send_header(name, value)
            if "Content-Length" not in answer_headers:
                self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        do_GET = do_PUT = do_POST = handle_any  # noqa: N815 - http.server's names

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    found.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def events(response: httpx2.Response) -> list[tuple[int, str, Any]]:
    """Read an event stream to its end: (id, name, data)."""
    return list(iterate_events(response))


def iterate_events(response: httpx2.Response) -> Iterator[tuple[int, str, Any]]:
    """Read an event stream as it comes."""
    import json

    number, name, data = 0, "", ""
    for line in response.iter_lines():
        if line.startswith("id: "):
            number = int(line[4:])
        elif line.startswith("event: "):
            name = line[7:]
        elif line.startswith("data: "):
            data = line[6:]
        elif not line and name:
            yield number, name, json.loads(data)
            name = ""
