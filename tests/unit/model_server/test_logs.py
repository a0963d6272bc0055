"""The server's own log, and the model's text as JSON lines."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest
from cog_server import __main__ as program
from cog_server import logs
from cog_server.errors import StartError
from hypothesis import given
from hypothesis import strategies as st


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    """Return the server's logger; it is as before afterwards."""
    found = logging.getLogger("cog_server")
    before = (found.handlers[:], found.level, found.propagate)
    yield found
    found.handlers[:], found.level, found.propagate = before[0], before[1], before[2]


def test_a_line_of_json_has_what_machines_look_for(logger: logging.Logger) -> None:
    """Time, level, message, the fields beside it, and the traceback where there is one."""
    out = io.StringIO()
    logs.set_up("info", "json", out)
    logger.info("prediction ended", extra={"fields": {"prediction": "p1", "status": "failed"}})
    logger.debug("not told")
    try:
        int("broken")
    except ValueError:
        logger.exception("it failed")
    first, second = map(json.loads, out.getvalue().splitlines())
    assert (first["level"], first["message"], first["prediction"]) == ("info", "prediction ended", "p1")
    assert first["time"].endswith("+00:00")
    assert "ValueError: invalid literal" in second["exception"]


def test_the_console_says_the_message_alone(logger: logging.Logger) -> None:
    """As before the level could be chosen."""
    out = io.StringIO()
    logs.set_up("warn", "console", out)
    logger.warning("worker died pid=%s", 7)
    logger.info("not told")
    assert out.getvalue() == "worker died pid=7\n"


@given(
    st.lists(st.text(st.characters(exclude_characters="\r\x85\u2028\u2029\x0b\x0c\x1c\x1d\x1e"), max_size=20))
)
def test_text_in_pieces_is_lines_of_json(pieces: list[str]) -> None:
    """However the text is cut, each line is one object, in order, and nothing is lost."""
    lines = logs.JsonLines()
    written = "".join(lines.feed("stdout", piece, 0.0) for piece in pieces) + lines.rest(0.0)
    said = [json.loads(line)["message"] for line in written.splitlines()]
    text = "".join(pieces)
    expected = text.split("\n")
    assert said == (expected if expected[-1] else expected[:-1])


def test_a_line_without_end_is_not_kept_for_ever() -> None:
    """A progress bar of a gigabyte costs no memory."""
    lines = logs.JsonLines()
    assert json.loads(lines.feed("stderr", "x" * (logs.LONGEST + 1), 0.0))["message"].startswith("xxx")
    assert lines.rest(0.0) == ""


@pytest.mark.parametrize("variable", ["LOG_FORMAT", "COG_LOG_LEVEL"])
def test_a_word_that_is_none_of_them_is_misuse(variable: str) -> None:
    """The variable, the value and what is allowed are told."""
    with pytest.raises(StartError, match=f"{variable} is 'loud'; it may be "):
        program.options(["--ref", "predict.py:P"], {variable: "loud"})
    assert set(program.LEVELS) == set(logs.LEVELS)
