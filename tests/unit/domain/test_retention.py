"""How long data is kept: the most specific setting wins, and nobody keeps another's data longer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from cogyard.domain.retention import (
    FOREVER,
    Keep,
    Scope,
    Setting,
    Settings,
    Subject,
    problem_of,
    read,
    shorter,
)

ANN, BOB, MODEL, FRONT = 1, 2, 7, 9
HOUR, DAY = Keep(3600), Keep(86400)
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def _settings(**made: tuple[int, Keep, int]) -> Settings:
    return Settings(
        platform=DAY,
        made={Scope(name): {id_: Setting(keep, owner)} for name, (id_, keep, owner) in made.items()},
    )


def test_without_a_setting_the_platforms_holds() -> None:
    """For everything."""
    assert _settings().of(Subject(account_id=ANN, model_id=MODEL, deployment_id=FRONT)) == DAY


def test_the_most_specific_setting_of_ones_own_wins() -> None:
    """Whether it is longer or shorter than the others."""
    whole = Subject(account_id=ANN, model_id=MODEL, deployment_id=FRONT)
    settings = _settings(
        account=(ANN, HOUR, ANN), model=(MODEL, FOREVER, ANN), deployment=(FRONT, Keep(7200), ANN)
    )
    assert settings.of(whole) == Keep(7200)
    assert settings.of(Subject(account_id=ANN, model_id=MODEL)) == FOREVER
    assert settings.of(Subject(account_id=ANN, model_id=MODEL + 1)) == HOUR
    assert settings.of(Subject(account_id=BOB)) == DAY


def test_a_models_owner_can_shorten_for_others_but_not_lengthen() -> None:
    """The data is theirs."""
    theirs = Subject(account_id=BOB, model_id=MODEL)
    assert _settings(model=(MODEL, HOUR, ANN)).of(theirs) == HOUR
    assert _settings(model=(MODEL, FOREVER, ANN)).of(theirs) == DAY
    assert _settings(model=(MODEL, FOREVER, ANN), account=(BOB, HOUR, BOB)).of(theirs) == HOUR
    assert _settings(deployment=(FRONT, FOREVER, ANN)).of(Subject(account_id=BOB, deployment_id=FRONT)) == DAY


def test_data_is_kept_for_the_whole_time() -> None:
    """To the second, and for ever means it."""
    assert not HOUR.ends(NOW, NOW + timedelta(hours=1))
    assert HOUR.ends(NOW, NOW + timedelta(hours=1, seconds=1))
    assert not FOREVER.ends(NOW, NOW + timedelta(days=36500))


def test_the_shorter_is_the_one_that_ends_first() -> None:
    """For ever ends last."""
    assert shorter(HOUR, DAY) == shorter(DAY, HOUR) == HOUR
    assert shorter(FOREVER, DAY) == shorter(DAY, FOREVER) == DAY
    assert shorter(FOREVER, FOREVER) == FOREVER


@pytest.mark.parametrize(
    ("text", "keep"),
    [
        ("12h", Keep(43200)),
        ("30d", Keep(2592000)),
        ("4w", Keep(2419200)),
        ("3601", Keep(3601)),
        ("forever", FOREVER),
    ],
)
def test_times_are_read_and_said_alike(text: str, keep: Keep) -> None:
    """What is said can be read again."""
    assert read(text) == keep
    assert read(str(keep)) == keep


@pytest.mark.parametrize("text", ["", "h", "1 h", "-1h", "1.5h", "1m", "\u0661h", "forever "])
def test_what_is_no_time(text: str) -> None:
    """Is not guessed at."""
    assert read(text) is None


def test_from_an_hour_to_ten_years() -> None:
    """Both included; the limit is in the words."""
    assert problem_of(3600) is None
    assert problem_of(3650 * 86400) is None
    for seconds in (3599, 3650 * 86400 + 1, 0, -1):
        problem = problem_of(seconds)
        assert problem is not None
        assert "3600" in problem
