"""The reader's own values behave as frozen dataclasses do."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
from cog.schema.types import STRING, ArrayType, ChoiceType, RecordType, Scalar


def test_fields_are_given_by_place_or_name_and_some_left_out() -> None:
    """What has a value in the class need not be given."""
    assert ArrayType(STRING) == ArrayType(items=STRING, form="list") == ArrayType(STRING, "list")
    assert ArrayType(STRING).form == "list"


@pytest.mark.parametrize("wrong", [{}, {"name": "a", "nme": "b"}])
def test_wrong_fields_are_refused(wrong: dict[str, Any]) -> None:
    """A missing or unknown field is an error when the value is made, not when it is read."""
    with pytest.raises(TypeError, match=r"Scalar"):
        Scalar(**wrong)


@pytest.mark.parametrize(("values", "named"), [(("a", "b"), {}), (("a",), {"name": "a"})])
def test_a_field_is_given_once(values: tuple[Any, ...], named: dict[str, Any]) -> None:
    """Too many values, or one field twice, are an error."""
    with pytest.raises(TypeError, match="name"):
        Scalar(*values, **named)


def test_values_of_two_classes_differ() -> None:
    """The same fields in another class are another value; what stands apart counts for neither."""
    assert Scalar("path") != ArrayType(STRING, "path")
    one, two = (ChoiceType(("a",), STRING, python=each) for each in (int, str))
    assert (one, hash(one)) == (two, hash(two))
    assert one != ChoiceType(("b",), STRING, python=int)


def test_a_value_never_changes() -> None:
    """Values are shared between signatures."""
    kind = RecordType("Output", ())
    with pytest.raises(AttributeError, match=r"RecordType\.name"):
        kind.name = "Other"  # type: ignore[misc]
    with pytest.raises(AttributeError, match=r"RecordType\.name"):
        del kind.name
    assert kind == RecordType("Output", ())


def test_values_are_copied_and_shown() -> None:
    """A copy is equal, and the text names every field."""
    kind = ArrayType(STRING)
    assert pickle.loads(pickle.dumps(kind)) == copy.deepcopy(kind) == kind  # noqa: S301 - our own bytes
    assert repr(kind) == "ArrayType(items=Scalar(name='string'), form='list')"
