"""Webhooks of a real platform: told in the end, also when the platform was killed before it could."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from cogyard.testing.images import make_image


class _Target(ThreadingHTTPServer):
    """Notes what it is told; answers 503 while `broken`."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.told: list[tuple[str, str]] = []
        self.broken = False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/hook"


class _Handler(BaseHTTPRequestHandler):
    server: _Target

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if not self.server.broken:
            self.server.told.append((body["id"], body["status"]))
        self.send_response(503 if self.server.broken else 200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def target() -> Iterator[_Target]:
    """Give a server that is told things."""
    server = _Target()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def _create(platform: Any, version: str, url: str | None = None) -> str:
    body: dict[str, Any] = {"version": version, "input": {}}
    if url is not None:
        body |= {"webhook": url, "webhook_events_filter": ["completed"]}
    answer = platform.http.post("/v1/predictions", json=body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def test_the_end_is_told_even_after_a_kill(stopped: Any, target: _Target) -> None:
    """The target is down, the platform is killed; started again, it tells what it still owes."""
    stopped.settings |= {"webhook_http": "true", "webhook_private": "true"}
    stopped.start()
    version = stopped.push(make_image(python=stopped.python), "hello")
    first = _create(stopped, version, target.url)
    stopped.until(first)
    stopped.wait_for(lambda: target.told)
    assert target.told == [(first, "succeeded")]
    target.broken = True
    second = _create(stopped, version, target.url)
    stopped.until(second)
    stopped.end(signal.SIGKILL)
    target.broken = False
    stopped.start()
    stopped.wait_for(lambda: (second, "succeeded") in target.told)
    assert target.told.count((first, "succeeded")) == 1


def test_private_targets_need_the_operators_word(shared_platform: Any, target: _Target) -> None:
    """By default nobody makes the platform call into its own network."""
    version = shared_platform.push(make_image(python=shared_platform.python), "hello")
    body = {"version": version, "input": {}, "webhook": target.url}
    assert shared_platform.http.post("/v1/predictions", json=body).status_code == 422
    assert target.told == []


def test_an_endpoint_is_told_even_after_a_kill(stopped: Any, target: _Target) -> None:
    """It hears of predictions that name no webhook, and is known again when the platform is started again."""
    stopped.settings |= {"webhook_http": "true", "webhook_private": "true"}
    stopped.start()
    version = stopped.push(make_image(python=stopped.python), "hello")
    wanted = {"url": target.url, "events": ["completed"]}
    assert stopped.http.post("/v1/webhooks/endpoints", json=wanted).status_code == 201
    target.broken = True
    ids = [_create(stopped, version), _create(stopped, version)]
    stopped.until(ids[1])
    stopped.end(signal.SIGKILL)
    target.broken = False
    stopped.start()
    ids.append(_create(stopped, version))
    stopped.wait_for(lambda: {each for each, _ in target.told} == set(ids))
