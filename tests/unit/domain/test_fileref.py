"""Files of ours inside JSON values are found, shown and never mistaken."""

from __future__ import annotations

import pytest
from cogyard.domain.fileref import FileRef, presented, references, safe_name
from hypothesis import given
from hypothesis import strategies as st

TOKEN = "0123456789abcdefghjkmnpqrstvwxyz"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(st.text(min_size=1))
def test_a_reference_reads_back_as_it_was_written(name: str) -> None:
    """Any safe name survives."""
    try:
        ref = FileRef(TOKEN, safe_name(name))
    except UnicodeEncodeError:
        return
    assert FileRef.parse(str(ref)) == ref
    assert str(ref).isascii(), "it also travels in a header"


@pytest.mark.parametrize(
    "text",
    [
        f"cogyard-file:{TOKEN}",
        f"cogyard-file:{TOKEN}/",
        f"cogyard-file:{TOKEN}/..",
        f"cogyard-file:{TOKEN}/a/b",
        f"cogyard-file:{TOKEN}/a%2Fb",
        f"cogyard-file:{TOKEN}/a%00b",
        f"cogyard-file:{TOKEN}/a\nb",
        "cogyard-file:../../etc/passwd",
        f"cogyard-file:{TOKEN.upper()}/x",
        f"https://x/{TOKEN}/x",
    ],
)
def test_anything_else_is_text(text: str) -> None:
    """A string that is not exactly a reference stays as it is."""
    assert FileRef.parse(text) is None
    assert presented({"a": [text]}, lambda ref: "shown") == {"a": [text]}


def test_references_are_shown_wherever_they_are() -> None:
    """Lists and objects are walked; keys are left alone."""
    ref = f"cogyard-file:{TOKEN}/out.png"
    value = {"a": ref, "b": [ref, {"c": ref}], ref: 1}
    assert presented(value, lambda each: each.name) == {
        "a": "out.png",
        "b": ["out.png", {"c": "out.png"}],
        ref: 1,
    }
    assert len(list(references(value))) == 3


@given(JSON)
def test_values_without_references_are_shown_unchanged(value: object) -> None:
    """Showing is the identity when there is nothing to show."""
    assert presented(value, lambda ref: "shown") == value


@pytest.mark.parametrize(
    ("name", "safe"),
    [("../../x", ".._.._x"), ("", "file"), ("..", "file"), ("a\x00b\r\n", "a_b__"), ("été.png", "été.png")],
)
def test_names_from_strangers_are_made_safe(name: str, safe: str) -> None:
    """A name never names a folder and holds no control character."""
    assert safe_name(name) == safe


def test_a_long_name_keeps_its_suffix() -> None:
    """255 bytes at most, cut at the front."""
    assert safe_name("é" * 300 + ".png").endswith(".png")
    assert len(safe_name("é" * 300 + ".png").encode()) <= 255
