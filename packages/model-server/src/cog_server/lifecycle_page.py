"""Write docs/reference/lifecycle.md from the transition table; `--check` says whether it is what the table gives."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from cog_server.lifecycle import TABLE, TERMINAL, Event, State, status

_HEAD = """# The life of a prediction in the model server

Generated from the table in `packages/model-server/src/cog_server/lifecycle.py`; change that, then run
`python -m cog_server.lifecycle_page docs/reference/lifecycle.md`.

A prediction is a state. Whatever happens to it is an event; the table gives the next state and the effects, which the
engine then performs in order. A slot is freed before the answer is made. An event that the table does not name changes
nothing once the prediction is over; before that it cannot happen.

"""


def render() -> str:
    """Return the whole page."""
    return "\n".join([_HEAD + _diagram(), "", _statuses(), "", _table(), ""])


def _diagram() -> str:
    lines = ["```mermaid", "stateDiagram-v2", "    [*] --> new"]
    labels: dict[tuple[State, State], list[str]] = {}
    for (state, event), (following, _) in TABLE.items():
        if following is not state:
            labels.setdefault((state, following), []).append(event.value.replace(":", ""))
    for (state, following), events in labels.items():
        lines.append(f"    {state.value} --> {following.value} : {' / '.join(events)}")
    lines += [f"    {state.value} --> [*]" for state in State if state in TERMINAL]
    return "\n".join([*lines, "```"])


def _statuses() -> str:
    lines = ["| state | status in the HTTP API |", "|---|---|"]
    lines += [f"| {state.value} | `{status(state)}` |" for state in State]
    return "\n".join(lines)


def _table() -> str:
    lines = ["| state | event | next state | effects |", "|---|---|---|---|"]
    for state in State:
        for event in Event:
            found = TABLE.get((state, event))
            if found is not None:
                effects = " · ".join(effect.value for effect in found[1])
                lines.append(f"| {state.value} | {event.value} | {found[0].value} | {effects} |")
    return "\n".join(lines)


def main(arguments: list[str]) -> int:
    """Write or check the page; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m cog_server.lifecycle_page", description=__doc__)
    parser.add_argument("page", type=Path)
    parser.add_argument("--check", action="store_true")
    parsed = parser.parse_args(arguments)
    text = render()
    if not parsed.check:
        parsed.page.write_text(text, encoding="utf-8")
        return 0
    if parsed.page.is_file() and parsed.page.read_text(encoding="utf-8") == text:
        return 0
    print(f"{parsed.page} is not what the table gives; write it anew", file=sys.stderr)  # noqa: T201 - a command
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
