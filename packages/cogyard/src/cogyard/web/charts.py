"""Small charts as SVG: drawn here, coloured by our style sheet, and readable as a table. Pure: columns in, markup out.

A chart is 360 units wide, about what a telephone is, so that its words keep their size there; on wider screens several
stand beside each other. Nothing is told by colour alone: each bar and point says what it is, and so does the table.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from cogyard.domain.usage import Column, Span, Times
from cogyard.web.cards import seconds

_LEFT, _RIGHT, _TOP, _BOTTOM = 40.0, 354.0, 8.0, 104.0
_HEIGHT = 122
#: What is counted together, its name, and the class that colours it; from the bottom up.
_ENDS = (
    (("succeeded",), "succeeded", "good"),
    (("failed",), "failed", "bad"),
    (("canceled", "aborted"), "canceled", "off"),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Chart:
    """A drawing, and the same as a table."""

    name: str
    title: str
    svg: Markup
    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    legend: Sequence[tuple[str, str]]
    """(class, what it stands for)."""


def charts(columns: Sequence[Column], span: Span, *, instances: bool) -> tuple[Chart, ...]:
    """Return the charts of what was run; with `instances`, of how many instances there were too."""
    drawn = (
        _ended(columns, span),
        _times("ran", "Run time", columns, span, lambda each: each.ran),
        _times("waited", "Wait in the queue", columns, span, lambda each: each.waited),
    )
    return (*drawn, _instances(columns, span)) if instances else drawn


def _ended(columns: Sequence[Column], span: Span) -> Chart:
    counted = [[sum(each.counts.get(one, 0) for one in of) for of, _, _ in _ENDS] for each in columns]
    top = _nice(max((sum(row) for row in counted), default=0))
    drawn = [
        _bars(
            columns,
            span,
            place,
            [(count, name, kind) for count, (_, name, kind) in zip(row, _ENDS, strict=True)],
            top,
        )
        for place, row in enumerate(counted)
    ]
    totals = [sum(row[number] for row in counted) for number in range(len(_ENDS))]
    said = ", ".join(f"{total} {name}" for total, (_, name, _) in zip(totals, _ENDS, strict=True))
    each_step = "hour" if span.step == 1 else f"{span.step} hours"
    return Chart(
        name="ended",
        title=f"Predictions per {each_step}",
        svg=_drawing(
            _Words(name="ended", title=f"Predictions per {each_step}", said=f"{said}.", top=_count(top)),
            drawn,
            columns,
            span,
        ),
        heads=["Began (UTC)", *(name for _, name, _ in _ENDS)],
        rows=[
            [_when(each, span), *map(str, row)]
            for each, row in zip(columns, counted, strict=True)
            if any(row)
        ],
        legend=[(kind, f"{total} {name}") for total, (_, name, kind) in zip(totals, _ENDS, strict=True)],
    )


def _instances(columns: Sequence[Column], span: Span) -> Chart:
    top = _nice(max((each.instances for each in columns), default=0))
    drawn = [
        _bars(columns, span, place, [(each.instances, "at once", "plain")], top)
        for place, each in enumerate(columns)
    ]
    most = max((each.instances for each in columns), default=0)
    return Chart(
        name="instances",
        title="Instances",
        svg=_drawing(
            _Words(name="instances", title="Instances", said=f"At most {most} at once.", top=_count(top)),
            drawn,
            columns,
            span,
        ),
        heads=["Began (UTC)", "at once"],
        rows=[[_when(each, span), str(each.instances)] for each in columns if each.instances],
        legend=[("plain", f"{most} at most")],
    )


def _times(
    name: str, title: str, columns: Sequence[Column], span: Span, of: Callable[[Column], Times | None]
) -> Chart:
    found = [(place, times) for place, each in enumerate(columns) if (times := of(each)) is not None]
    top = _nice(max((times.most for _, times in found), default=0.0))
    drawn = [
        _line(columns, span, [(place, times.most) for place, times in found], top, "p95"),
        _line(columns, span, [(place, times.half) for place, times in found], top, "p50"),
    ]
    worst = max((times.most for _, times in found), default=None)
    said = "Nothing ran." if worst is None else f"95 of 100 within {seconds(worst)} in the slowest of them."
    return Chart(
        name=name,
        title=title,
        svg=_drawing(
            _Words(name=name, title=title, said=said, top=seconds(top) if top else ""), drawn, columns, span
        ),
        heads=["Began (UTC)", "half within", "95 of 100 within"],
        rows=[
            [_when(columns[place], span), seconds(times.half), seconds(times.most)] for place, times in found
        ],
        legend=[("p50", "half"), ("p95", "95 of 100")],
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Words:
    """What a drawing is called, and what is written at the top of its axis."""

    name: str
    title: str
    said: str
    top: str


def _drawing(words: _Words, drawn: Sequence[Markup], columns: Sequence[Column], span: Span) -> Markup:
    middle = len(columns) // 2
    return Markup(
        '<svg class="chart-svg" viewBox="0 0 360 {height}" role="img" aria-labelledby="{name}-title {name}-said">'
        '<title id="{name}-title">{title}</title><desc id="{name}-said">{said}</desc>'
        '<path class="chart-grid" d="M{left} {top_y}H{right}M{left} {half_y}H{right}"></path>'
        '<path class="chart-axis" d="M{left} {bottom}H{right}"></path>{drawn}'
        '<g class="chart-words" aria-hidden="true">'
        '<text x="{label}" y="{top_text}" text-anchor="end">{top}</text>'
        '<text x="{label}" y="{bottom_text}" text-anchor="end">0</text>'
        '<text x="{left}" y="{below}">{first}</text>'
        '<text x="{middle_x}" y="{below}" text-anchor="middle">{middle}</text>'
        '<text x="{right}" y="{below}" text-anchor="end">now</text></g></svg>'
    ).format(
        height=_HEIGHT,
        name=f"chart-{words.name}",
        title=words.title,
        said=words.said,
        left=_LEFT,
        right=_RIGHT,
        top_y=_TOP,
        half_y=(_TOP + _BOTTOM) / 2,
        bottom=_BOTTOM,
        drawn=Markup("").join(drawn),
        label=_LEFT - 4,
        top_text=_TOP + 4,
        bottom_text=_BOTTOM + 3,
        below=_HEIGHT - 5,
        top=words.top,
        first=_when(columns[0], span),
        middle=_when(columns[middle], span),
        middle_x=round(_LEFT + (_RIGHT - _LEFT) * middle / len(columns), 1),
    )


def _bars(
    columns: Sequence[Column], span: Span, place: int, parts: Sequence[tuple[int, str, str]], top: float
) -> Markup:
    """Return the bar of a column, its parts on top of each other."""
    if not any(count for count, _, _ in parts):
        return Markup("")
    width = (_RIGHT - _LEFT) / len(columns)
    said = (
        f"{_when(columns[place], span)}: {', '.join(f'{count} {name}' for count, name, _ in parts if count)}"
    )
    drawn, base = Markup(""), _BOTTOM
    for count, _, kind in parts:
        height = _scaled(count, top)
        base -= height
        if height:
            drawn += Markup('<rect class="chart-{}" x="{}" y="{}" width="{}" height="{}"></rect>').format(
                kind,
                round(_LEFT + place * width + width * 0.12, 1),
                round(base, 2),
                round(width * 0.76, 1),
                round(height, 2),
            )
    return Markup("<g><title>{}</title>{}</g>").format(said, drawn)


def _line(
    columns: Sequence[Column], span: Span, points: Sequence[tuple[int, float]], top: float, kind: str
) -> Markup:
    """Return a line through points; it is broken where there is nothing between them."""
    width = (_RIGHT - _LEFT) / len(columns)
    path, dots, before = "", Markup(""), -2
    for place, value in points:
        x, y = round(_LEFT + (place + 0.5) * width, 1), round(_BOTTOM - _scaled(value, top), 2)
        path += f"{'L' if place == before + 1 else 'M'}{x} {y}"
        before = place
        said = f"{_when(columns[place], span)}: {'half' if kind == 'p50' else '95 of 100'} within {seconds(value)}"
        dots += Markup('<circle cx="{}" cy="{}" r="2"><title>{}</title></circle>').format(x, y, said)
    return Markup('<g class="chart-{}"><path d="{}"></path>{}</g>').format(kind, path or "M0 0", dots)


def _scaled(value: float, top: float) -> float:
    return (_BOTTOM - _TOP) * value / top if top else 0.0


def _nice(most: float) -> float:
    """Return a round number that is no smaller."""
    if most <= 0:
        return 0.0
    size = 10.0 ** math.floor(math.log10(most))
    return next(size * step for step in (1, 2, 5, 10) if size * step >= most * (1 - 1e-9))


def _count(top: float) -> str:
    if not top:
        return ""
    return f"{top:g}" if top < 10_000 else f"{top / 1000:g}k"


def _when(column: Column, span: Span) -> str:
    return (
        f"{column.start:%H:%M}"
        if span is Span.DAY
        else f"{column.start:%b} {column.start.day}, {column.start:%H:%M}"
    )
