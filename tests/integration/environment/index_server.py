"""A package index over real HTTP: a folder of wheels, with a password where one is wanted."""

from __future__ import annotations

import base64
import hashlib
import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote


@dataclass
class IndexServer:
    """`/simple/NAME/` lists the wheels of `folder`, `/files/` serves them, `/flat/` lists them all.

    `login` is `user:password`; without the right one the answer is 401. Everything asked for is kept.
    """

    folder: Path
    login: str | None = None
    asked: list[str] = field(default_factory=list)
    address: str = ""

    @property
    def simple(self) -> str:
        """The index's address."""
        return f"http://{self.address}/simple"

    def with_login(self, login: str) -> str:
        """The index's address with user and password."""
        return f"http://{login}@{self.address}/simple"

    def allows(self, header: str | None) -> bool:
        """Whether a request may see anything."""
        if self.login is None:
            return True
        return header == f"Basic {base64.b64encode(self.login.encode()).decode()}"

    def answer(self, path: str) -> tuple[int, bytes]:
        """Return status and body."""
        parts = [unquote(part) for part in path.partition("?")[0].strip("/").split("/")]
        if parts[0] == "files" and (self.folder / parts[1].removesuffix(".metadata")).is_file():
            # no metadata beside the wheels: uv and we read it in them
            return (
                (404, b"") if parts[1].endswith(".metadata") else (200, (self.folder / parts[1]).read_bytes())
            )
        if parts[0] == "simple" and len(parts) == 2:
            wheels = [
                one
                for one in sorted(self.folder.iterdir())
                if one.name.startswith(f"{parts[1].replace('-', '_')}-")
            ]
            return (200, self._page(wheels)) if wheels else (404, b"")
        if parts[0] == "flat":
            wanted = parts[-1]
            wheels = [one for one in sorted(self.folder.iterdir()) if one.name.startswith(f"{wanted}-")]
            return 200, self._page(wheels)
        return 404, b""

    def _page(self, wheels: list[Path]) -> bytes:
        links = (
            f'<a href="/files/{one.name}#sha256={hashlib.sha256(one.read_bytes()).hexdigest()}">{one.name}</a>'
            for one in wheels
        )
        return f"<!DOCTYPE html><html><body>{' '.join(links)}</body></html>".encode()


@contextmanager
def serving(folder: Path, login: str | None = None) -> Iterator[IndexServer]:
    """Serve a folder for the length of a block."""
    index = IndexServer(folder=folder, login=login)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            index.asked.append(self.path)
            allowed = index.allows(self.headers.get("Authorization"))
            status, body = index.answer(self.path) if allowed else (401, b"")
            wanted = self.headers.get("Range", "")
            self.send_response(206 if status == 200 and wanted else status)
            if not allowed:
                self.send_header("WWW-Authenticate", 'Basic realm="index"')
            if status == 200 and wanted:
                first, _, last = wanted.removeprefix("bytes=").partition("-")
                start = int(first) if first else max(0, len(body) - int(last))
                stop = int(last) + 1 if first and last else len(body)
                self.send_header("Content-Range", f"bytes {start}-{min(stop, len(body)) - 1}/{len(body)}")
                body = body[start:stop]
            self.send_header("Accept-Ranges", "bytes")
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_HEAD = do_GET  # noqa: N815 - http.server's name

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    index.address = f"127.0.0.1:{httpd.server_address[1]}"
    thread = threading.Thread(target=httpd.serve_forever)
    thread.start()
    try:
        yield index
    finally:
        httpd.shutdown()
        thread.join()
        httpd.server_close()
