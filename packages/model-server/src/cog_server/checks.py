"""The checks of single values, one function for each kind of schema: pure, and they note all problems at once."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from cog_server.errors import Problem
from cog_server.formats import EXAMPLES, is_of_form
from cog_server.inputs.prepare import FILE_KEY, FilePlace

Loc = tuple["str | int", ...]


class Found:
    """What one check found: problems, and files by where they are."""

    __slots__ = ("places", "problems")

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.places: list[FilePlace] = []

    def problem(self, loc: Loc, message: str, kind: str) -> None:
        """Note a problem at `loc`, which is relative to the input."""
        self.problems.append(Problem(("body", "input", *loc), message, kind))

    @property
    def is_full(self) -> bool:
        """Whether enough problems are known."""
        return len(self.problems) >= MAX_PROBLEMS


Check = Callable[[Any, Loc, Found], None]

_KINDS = {
    str: "a string",
    bool: "a boolean",
    int: "an integer",
    float: "a number",
    list: "a list",
    dict: "an object",
    type(None): "null",
}
MAX_PROBLEMS = 50
"""Problems told of one input: an answer should not be many times what was asked, nor take longer than a glance."""
NAME_SHOWN = 80
_HOLDERS = (Mapping, list, Path)


def advice_on(name: str, known: list[str], what: str) -> str:
    """Say what an unknown name may have been meant as."""
    close = difflib.get_close_matches(name[:NAME_SHOWN], known, n=1, cutoff=0.5)
    if close:
        return f"did you mean {close[0]!r}?"
    return f"the model's {what} are: {', '.join(known)}" if known else f"the model takes no {what}"


def is_secret(schema: Mapping[str, Any]) -> bool:
    """Whether values of this schema are never shown."""
    return bool(schema.get("x-cog-secret")) or schema.get("format") == "password"


def shown(value: Any) -> str:
    """Return a short description of a wrong value: its kind, and the value itself when it is short."""
    kind = _KINDS.get(type(value), type(value).__name__)
    if isinstance(value, (str, int, float)) and not isinstance(value, bool):
        text = msgspec.json.encode(value).decode()
        return f"{kind} ({text})" if len(text) <= 60 else kind
    return kind


def free(value: Any, loc: Loc, found: Found) -> None:
    """Accept free-form input, but not the worker protocol's file marker: it would name a file on this machine.

    A `Path` value (embedded use; JSON has none) is a file wherever it stands.
    """
    stack: list[tuple[Any, Loc]] = [(value, loc)]
    while stack:
        item, where = stack.pop()
        if isinstance(item, Mapping):
            if FILE_KEY in item:
                found.problem(where, f"the key {FILE_KEY!r} is reserved", "value_error.reserved")
                return
            stack.extend((child, (*where, key)) for key, child in item.items() if isinstance(child, _HOLDERS))
        elif isinstance(item, list):
            stack.extend(
                (child, (*where, index)) for index, child in enumerate(item) if isinstance(child, _HOLDERS)
            )
        elif isinstance(item, Path):
            file(item, where, found)


def null(value: Any, loc: Loc, found: Found) -> None:
    """Accept null alone."""
    if value is not None:
        found.problem(loc, f"must be null, got {shown(value)}", "type_error.null")


def boolean(value: Any, loc: Loc, found: Found) -> None:
    """Accept true and false, and no number in their place."""
    if value is not True and value is not False:
        found.problem(loc, f"must be true or false, got {_or_null(value)}", "type_error.bool")


def _or_null(value: Any) -> str:
    return "null (leave the input out to use its default)" if value is None else shown(value)


def any_object(value: Any, loc: Loc, found: Found) -> None:
    """Accept an object with whatever is in it."""
    if not isinstance(value, dict):
        found.problem(loc, f"must be an object, got {_or_null(value)}", "type_error.dict")
    else:
        free(value, loc, found)


def record(fields: Mapping[str, Check], required: tuple[str, ...], rest: Check | None) -> Check:
    """Return the check of an object with these fields; `rest` is the check of others, None where there are none."""

    def check(value: Any, loc: Loc, found: Found) -> None:
        if not isinstance(value, dict):
            any_object(value, loc, found)
            return
        if FILE_KEY in value:
            found.problem(loc, f"the key {FILE_KEY!r} is reserved", "value_error.reserved")
            return
        for name in required:
            if name not in value:
                found.problem((*loc, name), "Field required", "value_error.missing")
        for name, item in value.items():
            if found.problems and found.is_full:
                break
            check_item = fields.get(name, rest)
            if check_item is None:
                advice = advice_on(name, list(fields), "fields")
                found.problem(
                    (*loc, name), f"Unknown field {name[:NAME_SHOWN]!r}; {advice}", "value_error.extra"
                )
            else:
                check_item(item, (*loc, name), found)

    return check


def file(value: Any, loc: Loc, found: Found) -> None:
    """Accept an address of a file, and note where it stands."""
    if isinstance(value, Path):
        if value.is_file():
            found.places.append(FilePlace(loc, value))
        else:
            found.problem(loc, f"there is no file {str(value)!r}", "value_error.file")
    elif not isinstance(value, str):
        found.problem(loc, f"must be a data URL or an http(s) URL, got {_or_null(value)}", "type_error.str")
    elif value.startswith(("data:", "http://", "https://")):
        found.places.append(FilePlace(loc, value))
    else:
        given = repr(value) if len(value) <= 60 else repr(value[:57] + "...")
        found.problem(loc, f"must be a data URL or an http(s) URL, got {given}", "value_error.url")


def enum(members: list[Any]) -> Check:
    """Return the check that a value is one of these."""
    texts = ", ".join(msgspec.json.encode(member).decode() for member in members)
    kinds = {(type(member), member) for member in members if not isinstance(member, (list, dict))}

    def check(value: Any, loc: Loc, found: Found) -> None:
        key = value if not isinstance(value, (list, dict)) else None
        # True == 1 in Python, not in JSON; 1.0 and 1 are one number in JSON.
        if (type(key), key) in kinds or (
            type(key) is float and key.is_integer() and (int, int(key)) in kinds
        ):
            return
        found.problem(loc, f"must be one of {texts}; got {_or_null(value)}", "type_error.enum")

    return check


def string(schema: Mapping[str, Any]) -> Check:
    """Return the check of a text."""
    shortest, longest = schema.get("minLength"), schema.get("maxLength")
    pattern = re.compile(schema["pattern"]) if isinstance(schema.get("pattern"), str) else None
    secret = is_secret(schema)

    def plain(value: Any, loc: Loc, found: Found) -> None:
        if type(value) is not str:
            got = _KINDS.get(type(value), "something else") if secret else _or_null(value)
            found.problem(loc, f"must be a string, got {got}", "type_error.str")

    if shortest is None and longest is None and pattern is None:
        return plain

    def check(value: Any, loc: Loc, found: Found) -> None:
        if type(value) is not str:
            plain(value, loc, found)
            return
        if shortest is not None and len(value) < shortest:
            message = f"must have at least {shortest} characters, has {len(value)}"
            found.problem(loc, message, "value_error.any_str.min_length")
        if longest is not None and len(value) > longest:
            message = f"must have at most {longest} characters, has {len(value)}"
            found.problem(loc, message, "value_error.any_str.max_length")
        if pattern is not None and pattern.search(value) is None:
            found.problem(loc, f"must match the pattern {pattern.pattern!r}", "value_error.str.regex")

    return check


def formed(form: str) -> Check:
    """Return the check of a text in one of the known forms."""
    what, example = EXAMPLES[form]

    def check(value: Any, loc: Loc, found: Found) -> None:
        if not isinstance(value, str) or not is_of_form(form, value):
            message = f"must be {what} such as {example}, got {_or_null(value)}"
            found.problem(loc, message, f"value_error.{form.replace('-', '')}")

    return check


def number(schema: Mapping[str, Any], *, whole: bool) -> Check:
    """Return the check of a number."""
    least, most = schema.get("minimum"), schema.get("maximum")
    above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    name = "an integer" if whole else "a number"
    kind = "type_error.integer" if whole else "type_error.float"

    def check(value: Any, loc: Loc, found: Found) -> None:
        if type(value) is not int and (type(value) is not float or (whole and not value.is_integer())):
            found.problem(loc, f"must be {name}, got {_or_null(value)}", kind)
        elif least is not None and value < least:
            found.problem(loc, f"must be at least {least}, got {value}", "value_error.number.not_ge")
        elif most is not None and value > most:
            found.problem(loc, f"must be at most {most}, got {value}", "value_error.number.not_le")
        elif isinstance(above, (int, float)) and value <= above and above is not True:
            found.problem(loc, f"must be greater than {above}, got {value}", "value_error.number.not_gt")
        elif isinstance(below, (int, float)) and value >= below and below is not True:
            found.problem(loc, f"must be less than {below}, got {value}", "value_error.number.not_lt")

    return check


def array(schema: Mapping[str, Any], item: Check, each: list[Check]) -> Check:
    """Return the check of a list; `each` has those of its places, where each is of another type."""
    fewest, most = schema.get("minItems"), schema.get("maxItems")

    def check(value: Any, loc: Loc, found: Found) -> None:
        if not isinstance(value, list):
            found.problem(loc, f"must be a list, got {_or_null(value)}", "type_error.list")
            return
        if fewest is not None and len(value) < fewest:
            found.problem(
                loc, f"must have at least {fewest} items, has {len(value)}", "value_error.list.min_items"
            )
        if most is not None and len(value) > most:
            found.problem(
                loc, f"must have at most {most} items, has {len(value)}", "value_error.list.max_items"
            )
        for index, entry in enumerate(value):
            if found.problems and found.is_full:
                break
            (each[index] if index < len(each) else item)(entry, (*loc, index), found)

    return check


def any_of(members: list[Check], schemas: list[Any]) -> Check:
    """Return the check that at least one of these accepts."""
    names = " or ".join(
        str(s.get("type") or s.get("title") or "value") for s in schemas if isinstance(s, Mapping)
    )

    def check(value: Any, loc: Loc, found: Found) -> None:
        for member in members:
            attempt = Found()
            member(value, loc, attempt)
            if not attempt.problems:
                found.places.extend(attempt.places)
                return
        found.problem(loc, f"must be {names}, got {_or_null(value)}", "type_error.union")

    return check
