"""Files in and out over HTTP, and webhooks, with the real worker and real peers."""

from __future__ import annotations

import base64
import itertools
import json
import threading
from pathlib import Path

import pytest

from tests.integration.model_server.live import Peer, Received, events, peer, serving

READER = """
import cog
class Predictor:
    def predict(self, file: cog.Path, others: list[cog.Path] = []) -> str:
        return "|".join(f"{one.name}={one.read_text()}" for one in [file, *others])
"""
TEXT = "data:text/plain;base64," + base64.b64encode(b"hello").decode()


@pytest.fixture
def reader(tmp_path: Path) -> Path:
    """Return a project that reads files."""
    (tmp_path / "predict.py").write_text(READER)
    return tmp_path


def test_data_urls_arrive_as_files_and_leave_nothing(reader: Path) -> None:
    """Data URLs are decoded to files; afterwards the server's folders are empty."""
    with serving(reader) as server:
        found = server.result({"file": TEXT, "others": [TEXT, "data:,plain%20text"]})
        assert found["output"] == "input.txt=hello|input.txt=hello|input.txt=plain text"
        assert found["input"]["file"] == TEXT
        large = "data:application/octet-stream;base64," + base64.b64encode(b"x" * 3_000_000).decode()
        assert len(server.result({"file": large})["output"]) == 3_000_000 + len("input.bin=")
        server.until(server.folders, lambda left: left == [])


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")
def test_many_large_files_need_no_more_memory_than_one(tmp_path: Path) -> None:
    """What is large leaves memory with its answer, unless its client chose an id to ask for it again."""
    (tmp_path / "predict.py").write_text(
        "import cog\nclass Predictor:\n    def predict(self, file: cog.Path) -> cog.Path:\n        return file\n"
    )
    sent = "data:application/octet-stream;base64," + base64.b64encode(b"x" * 3_000_000).decode()
    with serving(tmp_path) as server:
        status = Path(f"/proc/{server.process.pid}/status")

        def peak() -> int:
            line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
            return int(line.split()[1]) // 1024

        for _ in range(2):
            server.result({"file": sent})
        before = peak()
        for _ in range(10):
            assert server.result({"file": sent})["output"] == sent
        assert peak() - before < 16  # MiB; each has 8 MiB of base64
        assert server.result({"file": sent}, id="mine")["status"] == "succeeded"
        assert server.client.get("/predictions/mine").json()["output"] == sent


def test_urls_are_fetched_when_the_operator_allows_it(reader: Path) -> None:
    """Files come over http with their names, through redirects, in parallel."""
    together = threading.Barrier(4)

    def answer(one: Received) -> tuple[int, dict[str, str], bytes]:
        if one.path.startswith("/slow/"):
            together.wait(60)
        return redirecting(one)

    with peer() as files:
        files.answer = answer
        host = f"127.0.0.1:{files.port}"
        with serving(reader, "predict.py:Predictor", "--input-hosts", host) as server:
            others = [files.url(f"/slow/{n}.txt?sig=secret") for n in range(4)]
            # Each of the four is answered when all are asked for.
            found = server.result({"file": files.url("/redirect"), "others": others})
            assert found["output"] == "there.txt=/there.txt|" + "|".join(
                f"{n}.txt=/slow/{n}.txt" for n in range(4)
            )
            assert all(one.headers["host"] == host for one in files.received)


def redirecting(one: Received) -> tuple[int, dict[str, str], bytes]:
    """Answer with the path, sometimes elsewhere."""
    path = one.path.partition("?")[0]
    if path == "/redirect":
        return 302, {"Location": "/there.txt"}, b""
    if path == "/loop":
        return 302, {"Location": "/loop"}, b""
    if path == "/missing":
        return 404, {}, b""
    return 200, {}, path.encode()


def test_private_addresses_are_refused_by_default(reader: Path) -> None:
    """Without the operator's word a private address is never even connected to, whatever name leads there."""
    with peer() as files, serving(reader) as server:
        for url in (files.url("/x"), f"http://localhost:{files.port}/x", f"http://[::ffff:127.0.0.1]:{files.port}/x",
                    f"http://127.1:{files.port}/x", f"http://2130706433:{files.port}/x"):  # fmt: skip
            found = server.result({"file": url})
            assert found["status"] == "failed", url
            assert found["started_at"] is None
        assert files.received == []


def test_a_redirect_cannot_lead_to_a_private_address(reader: Path) -> None:
    """Every hop is checked: an allowed host that redirects to another private one is refused."""
    with peer() as allowed, peer() as forbidden:
        allowed.answer = lambda _: (302, {"Location": forbidden.url("/secret")}, b"")
        with serving(reader, "predict.py:Predictor", "--input-hosts", f"127.0.0.1:{allowed.port}") as server:
            found = server.result({"file": allowed.url("/go")})
            assert "not on the public internet" in found["error"]
            assert forbidden.received == []


def test_odd_urls_fail_the_prediction_in_words(reader: Path) -> None:
    """Whatever is written behind http://, the prediction ends with a reason; nothing hangs."""
    with serving(reader) as server:
        for url in ("http://exa mple/x", "http://a..b/x", "http://" + "a" * 300 + "/x", "http://x:y/",
                    "https://[::1/x", "http://user:pass@127.0.0.1/x", "data:x",
                    "http://\u0000/x", "http://ex\u00e4mple.invalid/x"):  # fmt: skip
            found = server.result({"file": url})
            assert found["status"] == "failed", url
            assert found["error"].startswith("The input does not fit the model: file: "), url
            assert "pass" not in found["error"]


@pytest.mark.parametrize(
    ("path", "reason"), [("/missing", "answered 404"), ("/loop", "redirects more than 5 times")]
)
def test_a_file_that_cannot_be_had_fails_the_prediction(reader: Path, path: str, reason: str) -> None:
    """The prediction fails before it takes the model's time, and says which input and why."""
    with peer() as files:
        files.answer = redirecting
        with serving(reader, "predict.py:Predictor", "--allow-private-inputs") as server:
            found = server.result({"file": files.url(path)})
            assert found["status"] == "failed"
            assert found["error"].startswith("The input does not fit the model: file: ")
            assert reason in found["error"]


def test_hostile_file_names_stay_in_their_folder(reader: Path) -> None:
    """A URL whose name climbs out of the folder is only a name."""
    with peer() as files:
        files.answer = lambda _: (200, {}, b"x")
        with serving(reader, "predict.py:Predictor", "--allow-private-inputs") as server:
            found = server.result({"file": files.url("/a/%2e%2e%2f%2e%2e%2fetc%2fpasswd")})
            assert found["output"] == "passwd=x"


def test_output_files_become_data_urls(project: Path) -> None:
    """A path becomes a data URL with its media type; the folders are left empty."""
    with serving(project, "predict.py:Files") as server:
        found = server.result({"name": "out.json", "text": "{}"})
        assert found["output"] == "data:application/json;base64,e30="
        server.until(server.folders, lambda left: left == [])


def test_a_missing_output_file_fails_the_prediction(tmp_path: Path) -> None:
    """A path to nothing is a failed prediction that names it, not a broken answer."""
    source = "class Predictor:\n    def predict(self) -> Path:\n        return Path('absent.png')\n"
    (tmp_path / "predict.py").write_text("from pathlib import Path\n" + source)
    with serving(tmp_path) as server:
        found = server.result({})
        assert found["status"] == "failed"
        assert "absent.png" in found["error"]


def storing(one: Received) -> tuple[int, dict[str, str], bytes]:
    """Take uploads; some only at the second attempt."""
    if one.path.startswith("/plain/"):
        return 201, {}, b""
    return 201, {"Location": f"cogyard-file:token{one.path}"}, b""


def test_outputs_are_uploaded_where_the_request_says(project: Path) -> None:
    """PUT prefix+name with the content type; Location is the file's address, else the URL without its query."""
    with peer() as store, serving(project, "predict.py:Files") as server:
        store.answer = storing
        located = server.result({"name": "a b.txt", "text": "x"}, output_file_prefix=store.url("/up/"))
        assert located["output"] == "cogyard-file:token/up/a%20b.txt"
        plain = server.result({"name": "a.txt", "text": "x"}, output_file_prefix=store.url("/plain/?sig=s"))
        assert plain["output"] == store.url("/plain/a.txt")
        assert [one.method for one in store.received] == ["PUT", "PUT"]
        assert store.received[0].headers["content-type"] == "text/plain"
        assert store.received[0].body == b"x"
        assert store.received[1].path == "/plain/a.txt?sig=s"


def test_streamed_files_are_uploaded_in_order_under_names_of_their_own(project: Path) -> None:
    """Files of one name do not overwrite each other; events come in the order of the model."""
    with (
        peer() as store,
        serving(project, "predict.py:FileStream", "--upload-url", store.url("/plain/")) as server,
    ):
        store.answer = storing
        body = {"input": {"count": 3}}
        with server.client.stream(
            "POST", "/predictions", json=body, headers={"accept": "text/event-stream"}
        ) as one:
            found = [data["chunk"] for _, name, data in events(one) if name == "output"]
        assert found == [store.url(f"/plain/{name}") for name in ("same.txt", "same-2.txt", "same-3.txt")]
        bodies = {one.path: one.body for one in store.received}
        assert bodies == {
            f"/plain/same{tail}.txt": f"file {n}".encode() for n, tail in enumerate(("", "-2", "-3"))
        }


def test_uploads_are_tried_again_and_failures_told(project: Path) -> None:
    """A 503 is tried again; a 403 is not, and fails the prediction with the reason."""
    with peer() as store, serving(project, "predict.py:Files") as server:
        answers = iter([503, 201])
        store.answer = lambda _: (next(answers), {}, b"")
        ok = server.result({"name": "a.txt", "text": "x"}, output_file_prefix=store.url("/"))
        assert ok["status"] == "succeeded"
        store.answer = lambda _: (403, {}, b"")
        refused = server.result({"name": "a.txt", "text": "x"}, output_file_prefix=store.url("/"))
        assert refused["status"] == "failed"
        assert "answered 403" in refused["error"]
        assert len(store.received) == 3


def hooks(store: Peer) -> list[dict[str, object]]:
    """Return the predictions that webhooks told."""
    return [json.loads(one.body) for one in store.received]


def test_webhooks_come_in_order_and_complete(project: Path) -> None:
    """Start first, completed last, each the whole prediction; outputs are told at most every half second."""
    with (
        peer() as store,
        serving(project, "predict.py:Streaming", env={"WEBHOOK_AUTH_TOKEN": "hush"}) as server,
    ):
        server.result({"count": 13, "pause": 0.1}, webhook=store.url("/hook"))
        server.until(
            lambda: hooks(store)[-1:], lambda found: bool(found) and found[0]["status"] == "succeeded"
        )
        found = hooks(store)
        assert [one["status"] for one in found[:-1]] == ["processing"] * (len(found) - 1)
        assert found[0]["output"] is None or found[0]["output"] == []
        sizes = [len(one["output"] or []) for one in found]  # type: ignore[arg-type]
        assert sizes == sorted(sizes)
        assert sizes[-1] == 13
        assert 3 <= len(found) <= 6
        times = [one.at for one in store.received[:-1]]
        assert all(later - earlier > 0.4 for earlier, later in itertools.pairwise(times[1:]))
        assert store.received[0].headers["authorization"] == "Bearer hush"


def test_webhooks_are_filtered_and_tried_again(project: Path) -> None:
    """Only the events asked for are told; the last one is tried until it is taken."""
    with peer() as store, serving(project, "predict.py:Streaming") as server:
        answers = iter([500, 429, 200])
        store.answer = lambda _: (next(answers), {}, b"")
        server.result({"count": 3}, webhook=store.url("/hook"), webhook_events_filter=["completed"])
        server.until(lambda: len(store.received), lambda n: n == 3)
        assert {one["status"] for one in hooks(store)} == {"succeeded"}


def test_a_webhook_under_way_does_not_delay_the_answer(project: Path) -> None:
    """A slow receiver costs the caller nothing, and ending the server still delivers the last event."""
    with peer() as store:
        answered = threading.Event()
        store.answer = lambda _: (answered.wait(60), (200, {}, b""))[1]
        with serving(project, "predict.py:Streaming") as server:
            server.result(
                {"count": 1}, webhook=store.url("/hook")
            )  # the receiver has not answered anything yet
            answered.set()
        assert hooks(store)[-1]["status"] == "succeeded"
