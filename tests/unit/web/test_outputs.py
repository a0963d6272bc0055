"""A model's value is shown for what it is, and can do nothing."""

from __future__ import annotations

from typing import Any

import pytest
from cogyard.web.outputs import Shape, View, file_kind, view
from hypothesis import given
from hypothesis import strategies as st

BASE = "http://here:8080"
FILE = {"type": "string", "format": "uri"}
TEXT = {"type": "array", "items": {"type": "string"}, "x-cog-array-display": "concatenate"}


@pytest.mark.parametrize(
    ("value", "schema", "shape"),
    [
        ("hello", {"type": "string"}, Shape.TEXT),
        (f"{BASE}/delivery/t/out.png", FILE, Shape.IMAGE),
        (f"{BASE}/delivery/t/out.PNG", {}, Shape.IMAGE),
        (f"{BASE}/delivery/t/out.wav", FILE, Shape.AUDIO),
        (f"{BASE}/delivery/t/out.mp4", FILE, Shape.VIDEO),
        (f"{BASE}/delivery/t/out.html", FILE, Shape.FILE),
        ("data:image/png;base64,AAAA", FILE, Shape.IMAGE),
        ("data:text/html,<script>1</script>", FILE, Shape.FILE),
        (["a", "b"], TEXT, Shape.TEXT),
        (["a", "b"], {"type": "array"}, Shape.LIST),
        ([[1, 2], [3.5]], {}, Shape.JSON),
        ({"a": 1}, {}, Shape.OBJECT),
        (3.5, {}, Shape.TEXT),
        (False, {}, Shape.TEXT),
        (None, {}, Shape.EMPTY),
    ],
)
def test_each_value_has_its_renderer(value: Any, schema: dict[str, Any], shape: Shape) -> None:
    """A value is shown as text, picture, sound, film, download, list or object."""
    assert view(value, schema, base=BASE).shape is shape


def test_streamed_text_is_one_text() -> None:
    """What an iterator yields to be concatenated is read as one text."""
    assert view(["Once ", "upon"], TEXT).text == "Once upon"


def test_pictures_make_a_gallery() -> None:
    """A list of pictures stands side by side."""
    urls = [f"{BASE}/delivery/t/{number}.png" for number in range(3)]
    assert view(urls, {"type": "array", "items": FILE}, base=BASE).shape is Shape.GALLERY


def test_a_file_of_ours_is_named_by_its_path() -> None:
    """A page reached by another name than the base still shows our files."""
    assert view(f"{BASE}/delivery/t/out.png", FILE, base=BASE).url == "/delivery/t/out.png"


def test_a_picture_elsewhere_is_only_linked() -> None:
    """A stranger's server does not learn who looks at an output."""
    assert view("https://elsewhere.example/x.png", FILE, base=BASE).shape is Shape.FILE


@pytest.mark.parametrize("text", ["javascript:alert(1)", "file:///etc/passwd", "vbscript:x", " https://x"])
def test_an_address_that_could_act_is_text(text: str) -> None:
    """Only http, https and data addresses are links."""
    assert view(text, FILE, base=BASE) == View(shape=Shape.TEXT, text=text)


def test_an_address_in_text_stays_text() -> None:
    """A model whose output is text does not make links by it."""
    assert view("https://elsewhere.example", {"type": "string"}, base=BASE).shape is Shape.TEXT


def test_depth_ends_in_json() -> None:
    """A deep value is taken apart only so far."""
    deep: Any = "end"
    for _ in range(50):
        deep = {"in": deep}
    shown, steps = view(deep), 0
    while shown.shape is Shape.OBJECT:
        shown, steps = shown.items[0][1], steps + 1
    assert (shown.shape, steps) == (Shape.JSON, 4)


def test_a_large_object_is_json() -> None:
    """A value with thousands of entries is not thousands of elements."""
    assert view({str(number): "x" for number in range(5000)}).shape is Shape.JSON


def test_unicode_tricks_do_not_change_the_kind() -> None:
    """The kind comes from the path's last suffix, not from a query or a fragment."""
    assert file_kind(f"{BASE}/delivery/t/evil.html?x=.png#.png") == "file"
    assert file_kind("http://[broken/x.png") == "file"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=15,
)


@given(value=json_values, schema=json_values)
def test_any_value_is_shown(value: Any, schema: Any) -> None:
    """No value and no schema breaks the page."""
    assert isinstance(view(value, schema, base=BASE), View)
