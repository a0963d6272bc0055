"""How model servers find files: pure rewriting of a prediction's input."""

from __future__ import annotations

from typing import Any

import pytest
from cogyard.instances.gate import Offers
from cogyard.instances.reach import DirectReach, GatedReach, file_inputs

TOKEN = "0" * 32
OURS = f"cogyard-file:{TOKEN}/a%20b.png"
ELSEWHERE = "https://example.com/cat.png?size=2"


def _schema(**properties: Any) -> dict[str, Any]:
    schemas = {"Input": {"properties": properties}, "Image": {"type": "string", "format": "uri"}}
    return {"components": {"schemas": schemas}}


def test_direct_reach_gives_addresses_of_the_platform() -> None:
    """References to our files become addresses below the base; everything else stays."""
    reach = DirectReach("http://127.0.0.1:8000")
    given = {"image": OURS, "other": ELSEWHERE, "many": [OURS, 1]}
    ours = f"http://127.0.0.1:8000/delivery/{TOKEN}/a%20b.png"
    assert reach.inputs(given) == {"image": ours, "other": ELSEWHERE, "many": [ours, 1]}
    assert reach.outputs("lease") == "http://127.0.0.1:8000/internal/outputs/lease/"


def test_a_gate_fetches_what_file_inputs_name() -> None:
    """An address elsewhere in an input that is a file is offered behind the gate; in a text it is a text."""
    offers = Offers()
    reach = GatedReach("http://127.0.0.1:5001", offers.add, frozenset({"image", "many"}))
    found = reach.inputs({"image": ELSEWHERE, "many": [ELSEWHERE, OURS, "data:,x"], "text": ELSEWHERE})
    assert found["text"] == ELSEWHERE
    assert found["many"][1:] == [f"http://127.0.0.1:5001/delivery/{TOKEN}/a%20b.png", "data:,x"]
    for address in (found["image"], found["many"][0]):
        path = address.removeprefix("http://127.0.0.1:5001")
        assert path.endswith("/cat.png")
        assert offers.find(path) == ELSEWHERE
    assert offers.find("/fetch/guessed/cat.png") is None


def test_only_the_newest_offers_are_kept() -> None:
    """Offers are bounded, however many inputs name addresses."""
    offers = Offers()
    first = offers.add(ELSEWHERE)
    last = [offers.add(f"{ELSEWHERE}{number}") for number in range(10_000)]
    assert offers.find(first) is None
    assert offers.find(last[0]) == f"{ELSEWHERE}0"


def test_inputs_that_are_files_are_named_by_the_schema() -> None:
    """Files are found alone, in lists, as alternatives and by reference."""
    uri = {"type": "string", "format": "uri"}
    schema = _schema(
        plain=uri,
        many={"type": "array", "items": uri},
        maybe={"anyOf": [uri, {"type": "null"}]},
        named={"allOf": [{"$ref": "#/components/schemas/Image"}]},
        text={"type": "string"},
    )
    assert file_inputs(schema) == {"plain", "many", "maybe", "named"}


@pytest.mark.parametrize(
    "schema",
    [{}, {"components": []}, _schema(a=None, b=[1], c={"$ref": "#/components/schemas/Input"}, d={"$ref": 1})],
)
def test_a_broken_schema_names_none(schema: dict[str, Any]) -> None:
    """A stranger's document that is not one, or refers to itself, names no files and raises nothing."""
    assert file_inputs(schema) == frozenset()


def test_a_schema_that_is_a_circle_ends() -> None:
    """References in a circle end."""
    schema = {"components": {"schemas": {"Input": {"properties": {"a": {"$ref": "#/components/schemas/A"}}}}}}
    schema["components"]["schemas"]["A"] = {"properties": {}, "items": {"$ref": "#/components/schemas/A"}}  # type: ignore[dict-item] # deeper than the first
    assert file_inputs(schema) == frozenset()
