"""What the environment and the command line say to the model server."""

from __future__ import annotations

import sys

import pytest
from cog_server import __main__ as program
from cog_server.errors import StartError

REF = ("--ref", "predict.py:P")


@pytest.mark.parametrize(
    ("variable", "value", "allowed"),
    [
        ("PORT", "abc", "a whole number from 0 to 65535"),
        ("PORT", "65536", "a whole number from 0 to 65535"),
        ("PORT", "-1", "a whole number from 0 to 65535"),
        ("COG_WORKERS", "0", "a whole number from 1 up"),
        ("COG_MAX_CONCURRENCY", "2.5", "a whole number from 1 up"),
        ("COG_QUEUE_SIZE", "-1", "a whole number from 0 up"),
        ("COG_GPUS", "all", "a whole number from 0 up"),
        ("COG_SETUP_TIMEOUT", "nan", "a number of seconds from 0 up"),
        ("COG_PREDICT_TIMEOUT", "0", "a number of seconds above 0"),
        ("COG_CANCEL_GRACE", "soon", "a number of seconds from 0 up"),
        ("COG_THROTTLE_RESPONSE_INTERVAL", "inf", "a number of seconds from 0 up"),
    ],
)
def test_a_variable_that_is_no_such_number_is_named(
    variable: str,
    value: str,
    allowed: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """One line says which variable, its value and what is allowed; not how arguments are used, which nobody gave."""
    monkeypatch.setattr(sys, "argv", ["cog_server", *REF])
    monkeypatch.setenv(variable, value)
    assert program.main() == 1
    said = capsys.readouterr()
    assert said.err == f"Error: {variable} is '{value}'; it must be {allowed}\n"
    assert said.out == ""


def test_an_argument_that_is_no_such_number_is_misuse(capsys: pytest.CaptureFixture[str]) -> None:
    """Here the usage is told, with the value and what is allowed."""
    with pytest.raises(SystemExit) as caught:
        program.options([*REF, "--port", "70000"], {})
    assert caught.value.code == 2
    assert "argument --port: '70000' is not a whole number from 0 to 65535" in capsys.readouterr().err


def test_arguments_win_over_variables_and_empty_ones_are_unset() -> None:
    """As everywhere."""
    env = {"PORT": "8080", "COG_WORKERS": "", "COG_CANCEL_GRACE": "0", "COG_SETUP_TIMEOUT": "1.5"}
    read = program.options([*REF, "--queue", "0"], env)
    assert (read.port, read.workers, read.queue, read.gpus) == (8080, 1, 0, None)
    assert (read.cancel_grace, read.setup_timeout, read.predict_timeout) == (0.0, 1.5, None)
    assert program.options([*REF, "--port", "81"], env).port == 81


def test_a_long_value_is_cut() -> None:
    """A line stays a line."""
    with pytest.raises(StartError) as caught:
        program.options([*REF], {"PORT": "x\n" * 1000})
    assert len(caught.value.message) < 200
    assert "\n" not in caught.value.message
