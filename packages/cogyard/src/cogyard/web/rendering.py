"""Pages as responses: Jinja2 with everything escaped, under a policy that lets nothing but our own files run."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from cogyard.domain.values import Kind, Prediction, Version
from cogyard.features.bench import Code
from cogyard.features.page import Page
from cogyard.features.predictions.inputs import declared_idempotent
from cogyard.features.predictions.wire import example_json, prediction_json
from cogyard.features.trainings.service import trainable
from cogyard.http import Addresses, caller_of
from cogyard.web import cards, charts, forms, outputs, snippets, standing
from cogyard.web.assets import Assets, script
from cogyard.web.highlight import highlight
from cogyard.web.markdown import render as markdown
from cogyard.web.terminal import shown as terminal

TEMPLATES = Path(__file__).with_name("templates")

HTMX = "vendor/htmx-4.0.1.min.js"

_DIRECTIVES = {
    "default-src": "'self'",
    "img-src": "'self' data: blob:",
    "media-src": "'self' data: blob:",
    "object-src": "'none'",
    "base-uri": "'none'",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
}

POLICY = "; ".join(f"{name} {value}" for name, value in _DIRECTIVES.items())

HEADERS = {
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
    # A page is one person's view: kept by nobody between, and asked for again on the way back.
    "Cache-Control": "private, no-store",
    # `Vary: Cookie` is said by whoever reads the cookie.
}


#: Characters of a default that are repeated below the field.
LONGEST_DEFAULT = 60

_INPUTS = {Kind.PREDICTION: "Input", Kind.TRAINING: "TrainingInput"}

#: An empty file field, from which lists of files make their rows.
BLANK_FILE = forms.Widget(name="file", kind=forms.Kind.FILE, title="file", type="file")


class Renderer:
    """Turns pages into responses."""

    def __init__(self, assets: Assets, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._clock = clock
        self._templates = Environment(
            loader=FileSystemLoader(TEMPLATES),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.globals.update(
            asset=assets.url,
            htmx=script(HTMX),
            card_of=_card_of,
            charts_of=charts.charts,
            ended_state=standing.end,
            instance_state=standing.state,
            lived=standing.lived,
            measured_of=cards.measured,
            blank_file=BLANK_FILE,
            example_of=_example_of,
            fields_of=_fields_of,
            input_of=_input_of,
            said_of=_said_of,
            output_of=_output_of,
            runs_again=_runs_again,
            wire_of=_wire_of,
            snippets_of=_snippets_of,
            shown=_shown,
            trainable=trainable,
        )
        self._templates.filters.update(
            ago=_ago,
            brief=cards.brief,
            count=_count,
            highlight=highlight,
            local=outputs.local,
            markdown=markdown,
            moment=standing.moment,
            number=forms.number_text,
            outward=_outward,
            pretty=_pretty,
            run_time=cards.run_time,
            seconds=cards.seconds,
            size=cards.size,
            soon=_soon,
            terminal=terminal,
        )

    def __call__(self, request: Request, page: Page) -> Response:
        """Render a page for whoever asks."""
        return HTMLResponse(self.text(request, page), page.status, headers={**HEADERS, **page.headers})

    def text(self, request: Request, page: Page) -> str:
        """Return the HTML of a page."""
        addresses = Addresses.of(request)
        account = caller_of(request).account
        common = {
            "addresses": addresses,
            "base": addresses.base,
            "host": addresses.base.partition("://")[2],
            "caller": account,
            "person": caller_of(request).person or account,
            "now": self._clock(),
            "path": request.url.path,
            "query_string": request.url.query,
            "title": page.title,
        }
        return self._templates.get_template(page.template).render({**common, **page.values})


def _fields_of(version: Version, name: str = "Input") -> tuple[forms.Widget, ...]:
    return forms.widgets(version.openapi_schema, name=name)


def _example_of(fields: tuple[forms.Widget, ...], given: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return an input to begin from: what was given, else what shows how to call."""
    return given or forms.examples(fields)


@pass_context
def _shown(context: Context, value: Any) -> Any:
    return context["addresses"].show(value)


def _said_of(field: forms.Widget) -> str:
    """Return what a field says below itself: limits and default."""
    shows_default = field.kind not in {forms.Kind.CHECKBOX, forms.Kind.PASSWORD, forms.Kind.FILE}
    default = field.default_text if shows_default and len(field.default_text) <= LONGEST_DEFAULT else ""
    return ", ".join(part for part in (field.limits, f"default: {default}" if default else "") if part)


def _output_of(version: Version, name: str = "Output") -> Mapping[str, Any]:
    return forms.input_schema(version.openapi_schema, name=name)


def _runs_again(version: Version) -> bool:
    return declared_idempotent(version, Kind.PREDICTION)


@pass_context
def _input_of(context: Context, prediction: Prediction, version: Version | None) -> outputs.View:
    """Return how to show an input: addresses instead of our references, secrets hidden."""
    fields = _fields_of(version, _INPUTS[prediction.kind]) if version is not None else ()
    values = context["addresses"].show(cards.shown_input(prediction))
    kinds = {field.name: {"format": "uri"} for field in fields if field.kind is forms.Kind.FILE}
    return outputs.view(values, {"properties": kinds}, base=context["base"])


@pass_context
def _card_of(context: Context, prediction: Prediction, version: Version | None) -> cards.Card:
    return cards.card(
        prediction,
        # What a training returns is an object that says what it holds: its version and its weights.
        version.openapi_schema if version is not None and prediction.kind is Kind.PREDICTION else {},
        shown_output=context["addresses"].show(prediction.output),
        base=context["base"],
        now=context["now"],
    )


@pass_context
def _wire_of(context: Context, prediction: Prediction, is_example: bool) -> Mapping[str, Any]:  # noqa: FBT001 - a template's argument
    """Return the prediction as the API gives it: as an example, without whom its owner has told."""
    if is_example:
        return example_json(prediction, context["addresses"])
    return prediction_json(prediction, context["addresses"], knows_aborted=True)


@pass_context
def _snippets_of(
    context: Context, version: Version, given: Mapping[str, Any] | None, code: Code
) -> tuple[snippets.Snippet, ...]:
    fields = _fields_of(version, "Input" if code.destination is None else "TrainingInput")
    schema = forms.output_schema(version.openapi_schema)
    values = context["addresses"].show(dict(given)) if given else _example(fields)
    call = snippets.Call(
        base=context["base"],
        model=version.model,
        version=version.id,
        input=values,
        streams=outputs.streams_text(schema),
        makes_file=outputs.makes_files(schema),
        deployment=code.deployment,
        destination=code.destination,
    )
    return snippets.snippets(call)


def _example(fields: tuple[forms.Widget, ...]) -> dict[str, Any]:
    files = {field.name for field in fields if field.kind is forms.Kind.FILE and not field.has_default}
    shown = forms.examples(fields)
    return {
        name: snippets.LocalFile(name=_file_name(name)) if name in files else value
        for name, value in shown.items()
    }


def _file_name(field: str) -> str:
    """Return what a file for this field may be called on the reader's machine."""
    suffixes = {
        "png": ("image", "img", "picture", "photo", "mask"),
        "wav": ("audio", "sound"),
        "mp4": ("video",),
    }
    found = [suffix for suffix, words in suffixes.items() if any(word in field.lower() for word in words)]
    return "input." + (found[0] if found else "bin")


@pass_context
def _ago(context: Context, moment: datetime) -> str:
    return cards.ago(moment, context["now"])


@pass_context
def _soon(context: Context, moment: datetime) -> str:
    return cards.soon(moment, context["now"])


def _count(number: int, word: str) -> str:
    return f"{number:,} {word}{'' if number == 1 else 's'}".replace(",", "\u202f")


def _outward(url: str | None) -> bool:
    """Whether an address that an owner gave may be linked."""
    return bool(url) and str(url).startswith(("https://", "http://"))


def _pretty(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)
