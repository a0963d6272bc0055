"""Log lines: one for each event, that nobody can forge."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest
import uvicorn
from cog_server.inputs.addresses import AddressRule
from cog_server.inputs.fetch import Fetcher
from cogyard.compose.gates import UnixGates
from cogyard.compose.logs import configure, shown_path
from cogyard.instances.gate import Gate, Offers

from tests.sandboxes import nothing


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """Catch what is logged, and put the root logger back as it was."""
    root = logging.getLogger()
    before, level = root.handlers, root.level
    yield io.StringIO()
    root.handlers = before
    root.setLevel(level)


def test_a_line_for_people(stream: io.StringIO) -> None:
    """Event first, then its fields; empty ones are left out."""
    configure(level="info", style="text", access_log=False, stream=stream)
    logging.getLogger("cogyard.fleet").info(
        "instance_ended", extra={"instance": "a-1", "reason": "", "exit": "no luck"}
    )
    logging.getLogger("cogyard.fleet").debug("unheard")
    line = stream.getvalue()
    assert line.endswith(' info instance_ended instance=a-1 exit="no luck"\n')
    assert line.count("\n") == 1


def test_no_line_can_be_forged(stream: io.StringIO) -> None:
    """Line breaks, escapes and quotes from strangers stay inside one quoted value."""
    configure(level="info", style="text", access_log=False, stream=stream)
    logging.getLogger("x").warning(
        "odd", extra={"name_": 'a\n10:00:00 info admin_created "x"', "esc": "\x1b[2J"}
    )
    assert stream.getvalue().count("\n") == 1
    assert "\x1b" not in stream.getvalue()


def test_a_line_for_machines(stream: io.StringIO) -> None:
    """JSON, with the traceback as a field."""
    configure(level="info", style="json", access_log=False, stream=stream)
    try:
        int("boom")
    except ValueError:
        logging.getLogger("cogyard").exception("failed", extra={"n": 1})
    entry = json.loads(stream.getvalue())
    assert (entry["event"], entry["level"], entry["n"]) == ("failed", "error", 1)
    assert "ValueError: invalid literal" in entry["traceback"]


@pytest.mark.parametrize("wanted", [True, False])
def test_requests_are_logged_only_when_asked(stream: io.StringIO, wanted: bool) -> None:
    """The access log is off unless the operator wants it, whatever uvicorn was told before in this process."""
    uvicorn.Config(app="none")
    configure(level="info", style="text", access_log=wanted, stream=stream)
    logging.getLogger("uvicorn.access").info(
        '%s - "%s %s HTTP/%s" %d', "1.2.3.4:5", "GET", "/alice?q=1", "1.1", 200
    )
    logging.getLogger("httpx2").info("noise")
    assert (" info request method=GET path=/alice status=200 client=1.2.3.4:5" in stream.getvalue()) is wanted
    assert "noise" not in stream.getvalue()


def test_gates_of_instances_do_not_silence_requests(stream: io.StringIO) -> None:
    """The access log that an operator asked for is written too where models run in sandboxes."""
    configure(level="info", style="text", access_log=True, stream=stream)
    UnixGates(Gate(Offers(), Fetcher(AddressRule()), nothing))
    logging.getLogger("uvicorn.access").info(
        '%s - "%s %s HTTP/%s" %d', "1.2.3.4:5", "GET", "/alice", "1.1", 200
    )
    assert "request method=GET path=/alice" in stream.getvalue()


@pytest.mark.parametrize(
    "path",
    [
        "/delivery/s3cret/out.png",
        "/internal/outputs/s3cret/out.png",
        "/signin/link/s3cret",
        "/v1/streams/s3cret",
        "/v1/v1/streams/s3cret",
        "/streams/s3cret",
        "/v1/files/id/download?signature=s3cret",
        "/alice/model?token=s3cret",
        "//delivery/s3cret/out.png",
        "/v1//streams/s3cret",
        "/Delivery/s3cret/out.png",
    ],
)
def test_addresses_that_are_secrets_are_not_logged(path: str) -> None:
    """A path that opens something by itself is cut before its secret; queries are left out."""
    assert "s3cret" not in shown_path(path)
