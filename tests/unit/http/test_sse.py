"""Server-sent events carry any text."""

from __future__ import annotations

from cogyard.http.sse import encode
from hypothesis import given
from hypothesis import strategies as st


def test_each_event_has_a_name_and_an_id() -> None:
    """Official clients drop events that lack either (wire gotcha 5)."""
    assert encode("output", "hi", 7) == b"event: output\nid: 7\ndata: hi\n\n"


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_data_reads_back(data: str) -> None:
    """A reader that follows the standard gets the text, with line ends as line feeds, and nothing else."""
    lines = encode("output", data, 1).decode().split("\n")
    assert lines[:2] == ["event: output", "id: 1"]
    assert lines[-2:] == ["", ""]
    read = "\n".join(line.removeprefix("data: ") for line in lines[2:-2])
    assert read == data.replace("\r\n", "\n").replace("\r", "\n")
