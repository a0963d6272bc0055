"""Rules of deployments: numbers, shares, and how their instances scale."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cogyard.domain.autoscale import Scale
from cogyard.domain.deployables import is_own, of_deployment, version_of
from cogyard.domain.deployments import (
    RETIRED,
    Configuration,
    Deployment,
    Release,
    Split,
    chosen_version,
    problems,
    scale_of,
    scales_of,
)
from cogyard.domain.values import Account

NOW = datetime(2026, 11, 22, tzinfo=UTC)
ANN = Account(id=1, username="ann", name="Ann", created_at=NOW)
PLAIN = Configuration(version="a", hardware="cpu", min_instances=1, max_instances=3)


def test_what_instances_work_for_names_the_version() -> None:
    """A version for everybody is itself; a deployment's is its own."""
    assert (version_of("a"), is_own("a")) == ("a", False)
    own = of_deployment("a", 7)
    assert (version_of(own), is_own(own)) == ("a", True)
    assert own != of_deployment("a", 8)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"min_instances": -1}, "min_instances"),
        ({"min_instances": 6, "max_instances": 9}, "min_instances"),
        ({"max_instances": 21}, "max_instances"),
        ({"min_instances": 4}, "min_instances"),
        ({"split": Split(version="b", percent=0)}, "split.percent"),
        ({"split": Split(version="b", percent=100)}, "split.percent"),
        ({"split": Split(version="a", percent=50)}, "split.version"),
    ],
)
def test_wrong_numbers_are_named(changes: dict[str, object], field: str) -> None:
    """Each problem says its field."""
    assert [where for where, _ in problems(replace(PLAIN, **changes))] == [field]  # type: ignore[arg-type] # a table of fields


def test_good_numbers_have_no_problem() -> None:
    """Zero of everything is a deployment that is switched off."""
    assert problems(PLAIN) == []
    assert problems(replace(PLAIN, min_instances=0, max_instances=0)) == []


@pytest.mark.parametrize("percent", [1, 10, 50, 99])
def test_a_split_gives_its_share(percent: int) -> None:
    """Over all numbers that can come, to within one."""
    configuration = replace(PLAIN, split=Split(version="b", percent=percent))
    share = sum(chosen_version(configuration, number) == "b" for number in range(1 << 16))
    assert abs(share - (1 << 16) * percent / 100) <= 1
    assert chosen_version(PLAIN, 0) == "a"


def test_current_releases_scale_as_they_say_and_past_ones_go() -> None:
    """Both versions of a split are kept; what no current release runs has nothing to spare."""
    release = Release(
        number=1,
        configuration=replace(PLAIN, split=Split(version="b", percent=5)),
        created_at=NOW,
        created_by=ANN,
    )
    deployment = Deployment(id=7, owner="ann", name="d", model="ann/m", created_at=NOW, release=release)
    own = scales_of([deployment], timedelta(minutes=1))
    wanted = Scale(min_instances=1, max_instances=3, idle_timeout=timedelta(minutes=1))
    assert own == {"a@7": wanted, "b@7": wanted}
    default = Scale(max_instances=2)
    assert scale_of("a@7", own, default) is own["a@7"]
    assert scale_of("c@7", own, default) is RETIRED
    assert scale_of("c", own, default) is default
