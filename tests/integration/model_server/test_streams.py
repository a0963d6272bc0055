"""Server-sent events over HTTP with the real worker."""

from __future__ import annotations

import time
from pathlib import Path

from tests.integration.model_server.live import events, iterate_events, serving

SSE = {"accept": "text/event-stream"}


def test_events_come_as_they_happen(project: Path) -> None:
    """The first output is there long before the last is made."""
    with serving(project, "predict.py:Streaming") as server:
        begun = time.monotonic()
        body = {"input": {"count": 4, "pause": 0.25}}
        with server.client.stream("POST", "/predictions", json=body, headers=SSE) as response:
            arrived = [(name, time.monotonic() - begun) for _, name, _ in iterate_events(response)]
        outputs = [when for name, when in arrived if name == "output"]
        assert len(outputs) == 4
        assert outputs[-1] - outputs[0] > 0.6


def test_the_start_is_told_while_the_model_works(project: Path) -> None:
    """The first event waits for company only for a moment, not for whatever the model says next."""
    with serving(project, "predict.py:Plain") as server:
        body = {"input": {"mode": "sleep", "value": "1"}}
        begun = time.monotonic()
        with server.client.stream("PUT", "/predictions/s", json=body, headers=SSE) as response:
            arrived = [(name, time.monotonic() - begun) for _, name, _ in iterate_events(response)]
        assert [name for name, _ in arrived] == ["start", "completed"]
        assert arrived[1][1] - arrived[0][1] > 0.7


def test_a_quick_prediction_is_one_piece(project: Path) -> None:
    """The head of the answer, its start and its end come together: their reader wakes once."""
    with serving(project, "predict.py:Plain") as server, server.raw() as connection:
        body = b'{"input":{"mode":"echo"}}'
        head = b"PUT /predictions/%d HTTP/1.1\r\nhost: m\r\naccept: text/event-stream\r\n"
        rest = b"content-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body)
        whole = 0
        for number in range(20):
            connection.sendall(head % number + rest)
            first = answer = connection.recv(1 << 16)
            while not answer.endswith(b"0\r\n\r\n"):
                answer += connection.recv(1 << 16)
            whole += first == answer
        # A machine that is busy elsewhere can let one wait for longer than the moment.
        assert whole > 10


def test_a_stream_is_taken_up_where_it_broke(project: Path) -> None:
    """Last-Event-ID goes on after what was seen: by PUT while it runs, by GET after its end. Nothing twice."""
    with serving(project, "predict.py:Streaming") as server:
        body = {"input": {"count": 12, "pause": 0.1}}
        seen = []
        with server.client.stream("PUT", "/predictions/s", json=body, headers=SSE) as response:
            for number, name, data in iterate_events(response):
                seen.append((number, name, data))
                if name == "output" and data["index"] == 3:
                    break
        again = {**SSE, "last-event-id": str(seen[-1][0])}
        with server.client.stream("PUT", "/predictions/s", json=body, headers=again) as response:
            seen += events(response)
        assert [number for number, _, _ in seen] == list(range(1, len(seen) + 1))
        assert [data["index"] for _, name, data in seen if name == "output"] == list(range(12))
        assert seen[-1][1] == "completed"
        assert seen[-1][2]["status"] == "succeeded"
        with server.client.stream("GET", "/predictions/s", headers=SSE) as response:
            assert events(response) == seen


def test_two_readers_see_the_same(project: Path) -> None:
    """A second reader joins from the beginning."""
    with serving(project, "predict.py:Streaming") as server:
        body = {"input": {"count": 5, "pause": 0.1}}
        server.client.put("/predictions/s", json=body, headers={"prefer": "respond-async"})
        with (
            server.client.stream("GET", "/predictions/s", headers=SSE) as first,
            server.client.stream("PUT", "/predictions/s", json=body, headers=SSE) as second,
        ):
            assert events(first) == events(second)


def test_a_stream_that_nobody_reads_ends_its_prediction(project: Path) -> None:
    """Without a reader for five seconds, what a stream asked for is canceled; with one it goes on."""
    with serving(project, "predict.py:Streaming") as server:
        body = {"id": "left", "input": {"count": 1000, "pause": 0.1}}
        with server.client.stream("POST", "/predictions", json=body, headers=SSE) as response:
            next(iterate_events(response))
        begun = time.monotonic()
        server.until(
            lambda: server.client.get("/predictions/left").json()["status"],
            lambda status: status == "canceled",
        )
        assert 4 < time.monotonic() - begun < 40


def test_a_model_without_a_stream_has_events_too(project: Path) -> None:
    """Any predictor can be read as events; only iterators have output events."""
    with serving(project, "predict.py:Plain") as server:
        body = {"input": {"mode": "print", "value": "x"}}
        with server.client.stream("POST", "/predictions", json=body, headers=SSE) as response:
            found = events(response)
        names = [name for _, name, _ in found]
        assert names[0] == "start"
        assert names[-1] == "completed"
        assert set(names[1:-1]) == {"log"}
        assert found[-1][2]["output"] == "x"


def test_an_async_generator_streams(project: Path) -> None:
    """Asynchronous models stream as they yield."""
    with serving(project, "asynchronous.py:Tokens") as server:
        body = {"input": {"count": 200}}
        with server.client.stream("POST", "/predictions", json=body, headers=SSE) as response:
            found = events(response)
        assert [data["chunk"] for _, name, data in found if name == "output"] == [f"t{n}" for n in range(200)]


def test_a_slow_reader_holds_nobody_up(project: Path) -> None:
    """A client that does not read its stream costs the model no time and other clients nothing."""
    with serving(project, "predict.py:Streaming") as server, server.raw() as lazy:
        body = b'{"id":"big","input":{"count":20000}}'
        head = b"POST /predictions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        head += b"Accept: text/event-stream\r\n"
        lazy.sendall(head + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        server.until(
            lambda: server.client.get("/predictions/big").json().get("status"),
            lambda s: s == "succeeded",
            seconds=30,
        )
        assert server.result({"count": 1})["status"] == "succeeded"


BURST = """
import cog
from typing import Any, Iterator
class Predictor:
    def predict(self, n: int) -> Iterator[Any]:
        for number in range(n):
            yield f"token {number}"
            if number == n // 2:
                path = cog.Path(cog.current_scope().folder) / "half.txt"
                path.write_text("half")
                yield path
"""


def test_a_burst_comes_whole_and_in_order(tmp_path: Path) -> None:
    """Thousands of outputs at once, a file among them: each once, counted, before the end."""
    (tmp_path / "predict.py").write_text(BURST)
    expected: list[str] = [f"token {number}" for number in range(5000)]
    expected.insert(2501, "data:text/plain;base64,aGFsZg==")
    with serving(tmp_path, "predict.py:Predictor") as server:
        headers = {"accept": "text/event-stream"}
        with server.client.stream(
            "POST", "/predictions", json={"input": {"n": 5000}}, headers=headers
        ) as response:
            found = list(events(response))
        assert [data["chunk"] for _, name, data in found if name == "output"] == expected
        assert [data["index"] for _, name, data in found if name == "output"] == list(range(5001))
        assert [int(number) for number, _, _ in found] == list(range(1, len(found) + 1))
        assert found[-1][1] == "completed"
        assert found[-1][2]["output"] == expected
