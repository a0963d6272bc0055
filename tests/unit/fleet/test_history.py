"""How instances fared, kept in files."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from cogyard.fleet.history import KEPT, History
from cogyard.fleet.local import Ended
from cogyard.instances.errors import SetupFailedError
from cogyard.instances.runtime import Exit

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def _ended(number: int, **more: object) -> Ended:
    started = NOW + timedelta(seconds=number)
    return Ended(
        instance=f"i{number}",
        deployable="v",
        started_at=started,
        ended_at=started,
        became_ready=False,
        setup_logs="loading\n",
        **more,  # type: ignore[arg-type]  # one of the two ends
    )


def test_reason_and_setup_log_are_kept(tmp_path: Path) -> None:
    """Newest first, with why it ended and what setup printed."""
    history = History(tmp_path)
    history.add(_ended(1, error=SetupFailedError("The model's setup() failed.")))
    history.add(_ended(2, exit=Exit(code=-9)))
    newest, older = history.of("v")
    assert newest["exit"].startswith("was killed")
    assert (older["error"], older["setup_logs"]) == ("The model's setup() failed.", "loading")


def test_only_the_last_ones_stay(tmp_path: Path) -> None:
    """A model that is restarted for years does not fill the disk."""
    history = History(tmp_path)
    for number in range(KEPT + 5):
        history.add(_ended(number))
    kept = history.of("v")
    assert len(kept) == KEPT
    assert kept[0]["instance"] == f"i{KEPT + 4}"


def test_a_broken_file_is_passed_over(tmp_path: Path) -> None:
    """What cannot be read is as if it were not there; nothing kept is nothing."""
    history = History(tmp_path)
    history.add(_ended(1))
    (tmp_path / "v" / "zzz.json").write_text("{")
    assert len(history.of("v")) == 1
    assert history.of("w") == []
