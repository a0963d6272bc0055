"""Charts as SVG: words beside colours, escaped, and the same as a table."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from datetime import UTC, datetime, timedelta

import pytest
from cogyard.domain.usage import Column, Span, Times
from cogyard.web.charts import charts

NOON = datetime(2026, 11, 27, tzinfo=UTC)


def _columns(span: Span) -> tuple[Column, ...]:
    size = span.hours // span.step
    plain = [Column(start=NOON + timedelta(hours=span.step * place)) for place in range(size)]
    plain[3] = Column(
        start=plain[3].start,
        counts={"succeeded": 7, "failed": 2, "aborted": 1},
        ran=Times(half=0.5, most=2.5),
        waited=Times(half=0.01, most=70.0),
        instances=3,
    )
    return tuple(plain)


@pytest.mark.parametrize("span", list(Span))
def test_each_chart_says_what_it_shows(span: Span) -> None:
    """It has a title and a description, each bar says its numbers, and the table has the same rows."""
    drawn = charts(_columns(span), span, instances=True)
    assert [chart.name for chart in drawn] == ["ended", "ran", "waited", "instances"]
    for chart in drawn:
        root = ET.fromstring(str(chart.svg))  # noqa: S314 - our own
        assert root.attrib["role"] == "img"
        named = {each.attrib["id"] for each in root.iter() if "id" in each.attrib}
        assert set(root.attrib["aria-labelledby"].split()) == named
        assert len(chart.rows) == 1
        assert len(chart.rows[0]) == len(chart.heads)
        assert "style=" not in str(chart.svg), "the policy forbids styles in markup"
    ended, ran, waited, instances = drawn
    assert ended.rows[0][1:] == ["7", "2", "1"]
    assert "7 succeeded, 2 failed, 1 canceled" in str(ended.svg)
    assert ran.rows[0][1:] == ["500 ms", "2.5 s"]
    assert waited.rows[0][1:] == ["10 ms", "1 min 10 s"]
    assert instances.rows[0][1:] == ["3"]


def test_what_is_stacked_reaches_its_sum() -> None:
    """Heights are as the counts, on top of each other, and the axis ends at a round number."""
    (ended, *_) = charts(_columns(Span.DAY), Span.DAY, instances=False)
    bars = list(ET.fromstring(str(ended.svg)).iter("rect"))  # noqa: S314 - our own
    heights = [float(bar.attrib["height"]) for bar in bars]
    assert [round(height / heights[2]) for height in heights] == [7, 2, 1]
    assert float(bars[2].attrib["y"]) == pytest.approx(8.0, abs=0.05), "ten of at most ten"


def test_nothing_is_drawn_of_nothing() -> None:
    """An empty chart is one all the same, without numbers that nobody measured."""
    empty = tuple(Column(start=NOON + timedelta(hours=place)) for place in range(24))
    for chart in charts(empty, Span.DAY, instances=True):
        root = ET.fromstring(str(chart.svg))  # noqa: S314 - our own
        assert not list(root.iter("rect"))
        assert not list(root.iter("circle"))
        assert chart.rows == []
