"""Weights from folders, addresses and a hub, which are real servers here; whatever goes wrong is said."""

from __future__ import annotations

import hashlib
import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cogyard.oci.layout import ImageStore
from cogyard.project.values import Weights
from cogyard.weights.errors import SourceError
from cogyard.weights.files import WeightFiles
from cogyard.weights.importing import Importer
from cogyard.weights.lock import Entry
from cogyard.weights.wishes import wish_of

COMMIT = "0123456789abcdef0123456789abcdef01234567"
MODEL = b"m" * 5000


class Server(http.server.ThreadingHTTPServer):
    """Files by path, and what was asked for; `breaks` connections end in the middle."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.etag: str | None = None
        self.breaks = 0
        self.asked: list[tuple[str, str, str | None]] = []

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers GET and HEAD, and ranges."""

    server: Server

    def do_HEAD(self) -> None:
        """Answer without the content."""
        self._answer(body=False)

    def do_GET(self) -> None:
        """Answer with the content."""
        self._answer(body=True)

    def _answer(self, *, body: bool) -> None:
        server = self.server
        server.asked.append((self.command, self.path, self.headers.get("authorization")))
        data = server.files.get(self.path)
        if data is None:
            self.send_response(404)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        start = int((self.headers.get("range") or "bytes=0-")[6:-1])
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(data) - start))
        if server.etag:
            self.send_header("ETag", server.etag)
        self.end_headers()
        if not body:
            return
        if server.breaks and self.path.endswith(".bin"):
            server.breaks -= 1
            self.wfile.write(data[start : start + 100])
            self.wfile.flush()
            self.connection.close()
            return
        self.wfile.write(data[start:])

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[Server]:
    """Run a server of files."""
    made = Server()
    thread = threading.Thread(target=made.serve_forever)
    thread.start()
    yield made
    made.shutdown()
    thread.join()
    made.server_close()


def import_(folder: Path, source: Any, **environment: str) -> Entry:
    """Import weights from a source."""
    importer = Importer(
        project=folder,
        files=WeightFiles(folder / ".cache" / "weights"),
        store=ImageStore(folder / ".cache" / "images"),
        environment=environment,
        now="2026-11-26T19:00:00Z",
        progress=lambda _line: None,
    )
    return importer.run(wish_of(Weights(name="base", target="/src/w", source=source)))


def paths(entry: Entry) -> list[str]:
    """Return the files' paths."""
    return [each.path for each in entry.artifact.files]


def test_a_folder_gives_what_is_taken_of_it(tmp_path: Path) -> None:
    """By the patterns; its name for this moment is the digest of what was taken."""
    for name in ("a.bin", "b.txt", "sub/c.bin"):
        (tmp_path / "w" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "w" / name).write_text(name)
    entry = import_(tmp_path, {"uri": "./w", "include": ["*.bin"]})
    assert paths(entry) == ["a.bin", "sub/c.bin"]
    assert entry.sources[0].fingerprint == entry.artifact.set_digest
    assert import_(tmp_path, {"uri": "file://./w", "include": ["*.bin"]}).digest == entry.digest


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda folder: folder.joinpath("x").symlink_to("/etc/passwd"), "'x' in file://./w is a link"),
        (
            lambda folder: (folder / ".cog").mkdir() or (folder / ".cog" / "ready").touch(),
            "belongs to whoever",
        ),
        (lambda folder: (folder / "a\\b").touch(), "a backslash"),
        (lambda _folder: None, "gives no file"),
    ],
)
def test_what_the_format_has_no_room_for_is_refused(tmp_path: Path, make: Any, words: str) -> None:
    """Links, the deliverer's own folder, odd names; never left out in silence. What is excluded does not matter."""
    (tmp_path / "w").mkdir()
    make(tmp_path / "w")
    with pytest.raises(SourceError, match=words):
        import_(tmp_path, {"uri": "./w"})
    (tmp_path / "w" / "good").write_text("1")
    assert paths(import_(tmp_path, {"uri": "./w", "include": ["good"]})) == ["good"]


def test_a_source_that_is_not_there_is_told(tmp_path: Path) -> None:
    """And a file where a folder is meant."""
    with pytest.raises(SourceError, match=r"file://\./w is not there"):
        import_(tmp_path, {"uri": "./w"})
    (tmp_path / "w").write_text("x")
    with pytest.raises(SourceError, match="is not a folder"):
        import_(tmp_path, {"uri": "./w"})


def test_an_address_gives_one_file(tmp_path: Path, server: Server) -> None:
    """Called as the address ends; a strong ETag names its moment, else its digest."""
    server.files["/x/model.bin"] = MODEL
    entry = import_(tmp_path, {"uri": f"{server.url}/x/model.bin"})
    assert paths(entry) == ["model.bin"]
    assert entry.sources[0].fingerprint == entry.artifact.set_digest
    server.etag = '"abc"'
    assert import_(tmp_path, {"uri": f"{server.url}/x/model.bin"}).sources[0].fingerprint == 'etag:"abc"'
    server.etag = 'W/"abc"'
    assert (
        import_(tmp_path, {"uri": f"{server.url}/x/model.bin"}).sources[0].fingerprint.startswith("sha256:")
    )


def test_a_connection_that_breaks_is_gone_on_with(tmp_path: Path, server: Server) -> None:
    """Where it broke; more often than it may, it is given up in words."""
    server.files["/model.bin"] = MODEL
    server.breaks = 2
    assert import_(tmp_path, {"uri": f"{server.url}/model.bin"}).artifact.size == len(MODEL)
    server.breaks = 10
    server.files["/model.bin"] = MODEL + b"more"
    with pytest.raises(SourceError, match=r"model\.bin cannot be fetched"):
        import_(tmp_path, {"uri": f"{server.url}/model.bin"})


def test_an_address_of_nothing_is_told(tmp_path: Path, server: Server) -> None:
    """With its status; an unreachable one too."""
    with pytest.raises(SourceError, match="its server answered 404"):
        import_(tmp_path, {"uri": f"{server.url}/gone.bin"})
    with pytest.raises(SourceError, match="cannot be fetched"):
        import_(tmp_path, {"uri": "http://127.0.0.1:1/x.bin"})


def test_a_hub_s_repository_is_taken_at_one_commit(tmp_path: Path, server: Server) -> None:
    """Which names its moment; the token goes to the hub, and a file that is here is not fetched again."""
    listing = {
        "sha": COMMIT,
        "siblings": [
            {"rfilename": "config.json", "size": 2},
            {
                "rfilename": "sub/model.bin",
                "size": len(MODEL),
                "lfs": {"sha256": hashlib.sha256(MODEL).hexdigest()},
            },
            {"rfilename": "README.md", "size": 9},
        ],
    }
    server.files |= {
        "/api/models/owner/name/revision/v1?blobs=true": json.dumps(listing).encode(),
        f"/owner/name/resolve/{COMMIT}/config.json": b"{}",
        f"/owner/name/resolve/{COMMIT}/sub/model.bin": MODEL,
    }
    source = {"uri": "hf://owner/name@v1", "exclude": ["*.md"]}
    entry = import_(tmp_path, source, HF_ENDPOINT=server.url, HF_TOKEN="secret")
    assert paths(entry) == ["config.json", "sub/model.bin"]
    assert entry.sources[0].fingerprint == f"commit:{COMMIT}"
    assert {token for _, _, token in server.asked} == {"Bearer secret"}
    server.asked.clear()
    import_(tmp_path, source, HF_ENDPOINT=server.url)
    assert not [path for _, path, _ in server.asked if path.endswith("model.bin")]


@pytest.mark.parametrize(
    ("listing", "words"),
    [
        ({"sha": COMMIT, "siblings": [{"rfilename": "../../x"}]}, "not a plain relative path"),
        ({"sha": "main"}, "calls the commit"),
        ({"siblings": []}, "is not understood"),
        (
            {"sha": COMMIT, "siblings": [{"rfilename": "m.bin", "size": 1, "lfs": {"sha256": "0" * 64}}]},
            "not sha256:0",
        ),
    ],
)
def test_a_hub_that_is_not_honest_is_refused(
    tmp_path: Path, server: Server, listing: dict[str, Any], words: str
) -> None:
    """Paths that lead elsewhere, moments without a name, files that are not those it named."""
    from cogyard.errors import CogyardError

    server.files["/api/models/owner/name/revision/main?blobs=true"] = json.dumps(listing).encode()
    server.files[f"/owner/name/resolve/{COMMIT}/m.bin"] = b"x"
    with pytest.raises(CogyardError, match=words):
        import_(tmp_path, {"uri": "hf://owner/name"}, HF_ENDPOINT=server.url)


def test_two_sources_are_one_set(tmp_path: Path, server: Server) -> None:
    """Each with a name of its moment; the same path twice is refused."""
    server.files["/model.bin"] = MODEL
    (tmp_path / "w").mkdir()
    (tmp_path / "w" / "config.json").write_text("{}")
    both = [{"uri": "./w"}, {"uri": f"{server.url}/model.bin"}]
    entry = import_(tmp_path, both)
    assert sorted(paths(entry)) == ["config.json", "model.bin"]
    assert len({each.fingerprint for each in entry.sources}) == 2
    (tmp_path / "w" / "model.bin").write_text("other")
    with pytest.raises(SourceError, match="is in two sources"):
        import_(tmp_path, both)
