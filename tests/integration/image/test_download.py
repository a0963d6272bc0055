"""Fetching over real HTTP: whole files or none, tried again where that helps, ended when nobody waits."""

from __future__ import annotations

import hashlib
import http.server
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from cogyard.image.download import Downloader
from cogyard.image.errors import ChecksumError, DownloadError

DATA = b"0123456789" * 100_000
SHA256 = hashlib.sha256(DATA).hexdigest()


@dataclass
class Server:
    """A server that answers as it is told: statuses first, then the body."""

    url: str = ""
    statuses: list[int] = field(default_factory=list)
    body: bytes = DATA
    cut: int = 0
    """How many of the next answers are cut in the middle."""
    seen: list[str] = field(default_factory=list)


@pytest.fixture
def server() -> Iterator[Server]:
    """Run a server on a port of its own."""
    state = Server()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.seen.append(self.path)
            status = state.statuses.pop(0) if state.statuses else 200
            body = state.body if status == 200 else b""
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if state.cut and status == 200:
                state.cut -= 1
                body = body[: len(body) // 2]
                self.close_connection = True
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    listening = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=listening.serve_forever)
    thread.start()
    state.url = f"http://127.0.0.1:{listening.server_address[1]}"
    yield state
    listening.shutdown()
    thread.join()
    listening.server_close()


@pytest.fixture
def downloader(tmp_path: Path) -> Iterator[Downloader]:
    """Give a downloader that does not wait between attempts."""
    with Downloader(tmp_path / "cache", pause=lambda _: None) as found:
        yield found


def leftovers(tmp_path: Path) -> list[Path]:
    """Return what is in the cache besides whole files."""
    return [path for path in (tmp_path / "cache").rglob("*") if path.is_file() and path.name != SHA256]


def test_a_file_is_fetched_once(server: Server, downloader: Downloader) -> None:
    """The second time it comes from the cache, whatever its address."""
    path = downloader.file(f"{server.url}/a.whl", SHA256, len(DATA))
    assert path.read_bytes() == DATA
    assert downloader.file(f"{server.url}/b.whl", SHA256) == path
    assert server.seen == ["/a.whl"]


def test_passing_failures_are_tried_again(server: Server, downloader: Downloader, tmp_path: Path) -> None:
    """503 and broken connections are; the file is whole in the end and nothing else is left."""
    server.statuses, server.cut = [503], 1
    assert downloader.file(f"{server.url}/a.whl", SHA256).read_bytes() == DATA
    assert len(server.seen) == 3
    assert leftovers(tmp_path) == []


def test_what_is_tried_again_is_said(
    server: Server, downloader: Downloader, caplog: pytest.LogCaptureFixture
) -> None:
    """A line for each wait: what failed, without secrets, and for how long."""
    server.statuses = [503]
    address = server.url.replace("//", "//me:s3cret@") + "/a.whl?token=s3cret"
    downloader.file(address, SHA256)
    assert caplog.messages == [f"{server.url}/a.whl answered 503 Service Unavailable. Trying again in 0.5 s."]


@pytest.mark.parametrize("body", [DATA[:-1], DATA + b"more", b"", DATA[::-1]])
def test_other_bytes_are_not_kept(
    server: Server, downloader: Downloader, tmp_path: Path, body: bytes
) -> None:
    """A file with another checksum is refused at once, by name, and leaves nothing."""
    server.body = body
    with pytest.raises(ChecksumError, match=r"a\.whl"):
        downloader.file(f"{server.url}/a.whl", SHA256, len(DATA))
    assert len(server.seen) == 1
    assert leftovers(tmp_path) == []


def test_a_refusal_is_told_without_secrets(server: Server, downloader: Downloader) -> None:
    """403 is not tried again, and the address is shown without credentials or query."""
    server.statuses = [403]
    with pytest.raises(DownloadError) as caught:
        downloader.file(server.url.replace("//", "//me:s3cret@") + "/a.whl?token=s3cret", SHA256)
    assert "403" in caught.value.message
    assert "s3cret" not in caught.value.message
    assert len(server.seen) == 1


def test_a_document_may_be_missing_but_not_endless(server: Server, downloader: Downloader) -> None:
    """404 is an answer, and more than the limit is refused."""
    server.statuses = [404]
    assert downloader.document(f"{server.url}/x") is None
    assert downloader.document(f"{server.url}/x") == DATA
    with pytest.raises(DownloadError):
        downloader.document(f"{server.url}/x", limit=1000)


def test_what_is_under_way_ends_with_the_build(
    server: Server, downloader: Downloader, tmp_path: Path
) -> None:
    """After a failure elsewhere no fetch goes on to its end."""

    def fail() -> None:
        with downloader.ending():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    with pytest.raises(DownloadError):
        downloader.file(f"{server.url}/a.whl", SHA256)
    assert leftovers(tmp_path) == []


def test_many_who_ask_for_one_file_fetch_it_once(server: Server, downloader: Downloader) -> None:
    """A layer that needs what is being fetched ahead waits for it, instead of fetching it beside."""
    with ThreadPoolExecutor(8) as pool:
        paths = set(pool.map(lambda _: downloader.file(f"{server.url}/a", SHA256, len(DATA)), range(8)))
    assert len(paths) == 1
    assert server.seen == ["/a"]
