"""What wheels require, read from a real server without fetching the wheels."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from cogyard.environment.metadata import read_needs

from tests.integration.environment.conftest import wheel


@dataclass
class Server:
    """Files of a folder; what was sent of each is counted."""

    folder: Path
    ranges: bool = True
    beside: bool = False
    sent: dict[str, int] = field(default_factory=dict)
    url: str = ""

    def answer(self, path: str, wanted: str | None) -> tuple[int, dict[str, str], bytes]:
        """Return status, headers and body."""
        name = path.lstrip("/")
        if name.endswith(".metadata"):
            return (200, {}, b"Requires-Dist: beside>=1\n") if self.beside else (404, {}, b"")
        data = (self.folder / name).read_bytes()
        if wanted is None or not self.ranges:
            return 200, {}, data
        first, _, last = wanted.removeprefix("bytes=").partition("-")
        part = data[int(first) : int(last) + 1]
        return 206, {"Content-Range": f"bytes {first}-{last}/{len(data)}"}, part


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """Serve an empty folder."""
    (tmp_path / "files").mkdir()
    served = Server(folder=tmp_path / "files")

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, headers, body = served.answer(self.path, self.headers.get("Range"))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            try:
                sent = self.wfile.write(body)
            except OSError:
                sent = 0
            served.sent[self.path] = served.sent.get(self.path, 0) + sent

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=httpd.serve_forever)
    thread.start()
    served.url = f"http://127.0.0.1:{httpd.server_address[1]}"
    yield served
    httpd.shutdown()
    thread.join()
    httpd.server_close()


def package(server: Server, path: Path) -> dict[str, object]:
    """Return a lock's package for a file of the server."""
    return {"name": path.name.partition("-")[0], "wheels": [{"url": f"{server.url}/{path.name}"}]}


def test_the_file_beside_the_wheel_is_enough(server: Server) -> None:
    """The wheel itself is not touched (PEP 658)."""
    server.beside = True
    path = wheel(server.folder, "alpha", "1.0", "inside>=1")
    assert read_needs([package(server, path)]) == {"alpha": ["beside>=1"]}
    assert path.name not in str([one for one in server.sent if not one.endswith(".metadata")])


def test_else_pieces_of_the_wheel_are(server: Server) -> None:
    """A large wheel is not fetched to see what is in it."""
    path = wheel(
        server.folder, "alpha", "1.0", "inside>=1", 'more; extra == "x"', code=f"x = '{'a' * 5_000_000}'"
    )
    assert read_needs([package(server, path)]) == {"alpha": ["inside>=1", 'more; extra == "x"']}
    assert server.sent[f"/{path.name}"] < 600_000


def test_what_cannot_be_read_is_left_out(server: Server, tmp_path: Path) -> None:
    """No pieces, no wheel, nobody there: the others are still read."""
    local = wheel(tmp_path, "local", "1.0", "here")
    broken = server.folder / "broken-1.0-py3-none-any.whl"
    broken.write_bytes(b"this is not a wheel")
    whole = wheel(server.folder, "whole", "1.0", "inside")
    server.ranges = False
    found = read_needs(
        [
            {"name": "local", "wheels": [{"path": str(local)}]},
            package(server, broken),
            package(server, whole),
            {"name": "gone", "wheels": [{"url": "http://127.0.0.1:9/gone-1.0-py3-none-any.whl"}]},
            {"name": "source", "sdist": {"url": "http://127.0.0.1:9/source-1.0.tar.gz"}},
        ]
    )
    assert found == {"local": ["here"]}
