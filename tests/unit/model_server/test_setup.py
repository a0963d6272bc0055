"""How setup() went, with its log."""

from __future__ import annotations

from cog_server.workers.setup import SETUP_LOG_LIMIT, Setup


def test_the_log_ends_with_why_it_failed() -> None:
    """On a line of its own, once, and also where the log is full; a setup that succeeded adds nothing."""
    for text, logs in (
        ("", "late\n"),
        ("loading", "loading\nlate\n"),
        ("a\n", "a\nlate\n"),
        ("so late.", "so late."),
    ):
        setup = Setup()
        setup.text(text)
        setup.done("failed", "late")
        assert (setup.logs, setup.status) == (logs, "failed")
    full = Setup()
    full.text("x" * (SETUP_LOG_LIMIT + 9))
    full.done("failed", "late")
    assert full.logs == f"{'x' * SETUP_LOG_LIMIT}\nlate\n"
    good = Setup()
    good.done("succeeded")
    assert good.logs == ""
