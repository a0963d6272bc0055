"""What a model's new schema means for those who call the old one. Pure.

Theory of operation: a caller of the old schema is safe when the new inputs take everything that the old ones took, and
when the new output is always something that the old output could have been. So one question is asked in two
directions: what does the narrow schema allow that the wide one does not? For inputs the new schema must be the wide
one, for outputs the old one. What clashes the other way round only is a change that harms nobody.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

#: Schemas nest; a hostile one may do so without end.
_DEEPEST = 30
_MOST = 200
#: What each part of an OpenAPI document is called, and whether its values come from the caller.
_PARTS = (
    ("Input", "input", True),
    ("Output", "output", False),
    ("TrainingInput", "training input", True),
    ("TrainingOutput", "training output", False),
)
_LOWER, _UPPER = ("minimum", "minLength", "minItems"), ("maximum", "maxLength", "maxItems")
#: Types of the left are values of those of the right too.
_WIDER = {("integer", "number")}
_ABSENT = "none"
_SHOWN = 80


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """One difference. `where` is such as `input steps`; `what` is the rule that changed, from `old` to `new`."""

    where: str
    what: str
    old: str
    new: str
    breaking: bool

    def __str__(self) -> str:
        if self.old == _ABSENT:
            return f"{self.where}: {self.what} {self.new}".rstrip()
        if self.new == _ABSENT:
            return f"{self.where}: no {self.what} {self.old} any more"
        return f"{self.where}: {self.what} {self.old}, now {self.new}"


def compare(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[Change, ...]:
    """Return how two OpenAPI documents of a model differ for callers, breaking changes first.

    Texts, titles and the order of inputs are no differences.
    """
    changes: dict[Change, None] = {}
    for name, where, given in _PARTS:
        before, after = _Schema.of(old, name), _Schema.of(new, name)
        if before is None and after is None:
            continue
        if before is None or after is None:
            what, breaking = ("added", False) if before is None else ("removed", True)
            changes[Change(where=where, what=what, old=_ABSENT, new="", breaking=breaking)] = None
            continue
        harm, relief = (_Clashes(wide=after, narrow=before), _Clashes(wide=before, narrow=after))
        if not given:
            harm, relief = relief, harm
        broken = {(each.path, each.what) for each in harm}
        # In the direction where the wide schema is the new one, the narrow value is the old one.
        changes |= dict.fromkeys(_told(harm, where, new_is_wide=given, breaking=True))
        others = [each for each in relief if (each.path, each.what) not in broken]
        changes |= dict.fromkeys(_told(others, where, new_is_wide=not given, breaking=False))
        changes |= dict.fromkeys(_defaults(before, after, where) if given else ())
    return tuple(sorted(changes, key=lambda each: not each.breaking))[:_MOST]


@dataclass(frozen=True, slots=True)
class _Schema:
    """A part of a document, with the document that its references lead into."""

    value: Mapping[str, Any]
    document: Mapping[str, Any]

    @classmethod
    def of(cls, document: Mapping[str, Any], name: str) -> _Schema | None:
        found = _named(document, name)
        return None if found is None else cls(found, document).plain()

    def plain(self) -> _Schema:
        """Follow references, and put the only part of an allOf in its place."""
        value = self.value
        for _ in range(_DEEPEST):
            reference, parts = value.get("$ref"), value.get("allOf")
            if isinstance(reference, str):
                rest = {key: each for key, each in value.items() if key != "$ref"}
                value = {**(_named(self.document, reference.rpartition("/")[2]) or {}), **rest}
            elif isinstance(parts, list) and len(parts) == 1 and isinstance(parts[0], Mapping):
                value = {**parts[0], **{key: each for key, each in value.items() if key != "allOf"}}
            else:
                break
        return _Schema(value, self.document)

    def under(self, value: object) -> _Schema:
        """Return a part of this one."""
        return _Schema(value if isinstance(value, Mapping) else {}, self.document).plain()

    @property
    def properties(self) -> dict[str, _Schema]:
        found = self.value.get("properties")
        return (
            {str(name): self.under(each) for name, each in found.items()}
            if isinstance(found, Mapping)
            else {}
        )

    @property
    def required(self) -> frozenset[str]:
        found = self.value.get("required")
        return frozenset(map(str, found)) if isinstance(found, list) else frozenset()

    @property
    def alternatives(self) -> list[_Schema]:
        for key in ("anyOf", "oneOf"):
            found = self.value.get(key)
            if isinstance(found, list) and found:
                return [self.under(each) for each in found]
        return []

    @property
    def nullable(self) -> bool:
        return self.value.get("nullable") is True or self.value.get("type") == "null"

    @property
    def kind(self) -> str:
        """The type in words; a format is a type of its own: a file is not any text."""
        kind, form = self.value.get("type"), self.value.get("format")
        if kind is None:
            return "any"
        return "file" if (kind, form) == ("string", "uri") else str(kind)


@dataclass(frozen=True, slots=True)
class _Clash:
    path: str
    what: str
    narrow: str
    wide: str


class _Clashes:
    """What the narrow schema allows and the wide one does not; iterated as often as wanted."""

    def __init__(self, *, wide: _Schema, narrow: _Schema) -> None:
        self._found = list(_clashes(wide, narrow, "", 0))

    def __iter__(self) -> Iterator[_Clash]:
        return iter(self._found)


def _clashes(wide: _Schema, narrow: _Schema, path: str, depth: int) -> Iterator[_Clash]:
    if depth > _DEEPEST:
        return
    if narrow.nullable and not wide.nullable and "type" in wide.value:
        yield _Clash(path, "null", "allowed", "refused")
    if wide.alternatives or narrow.alternatives:
        yield from _of_alternatives(wide, narrow, path, depth)
        return
    kinds = (narrow.kind, wide.kind)
    if wide.kind != "any" and kinds[0] != kinds[1] and kinds not in _WIDER:
        yield _Clash(path, "type", *kinds)
        return
    yield from _of_values(wide.value, narrow.value, path)
    yield from _of_properties(wide, narrow, path, depth)
    if "items" in wide.value and "items" in narrow.value:
        items = (wide.under(wide.value["items"]), narrow.under(narrow.value["items"]))
        yield from _clashes(*items, f"{path}[]", depth + 1)


def _of_alternatives(wide: _Schema, narrow: _Schema, path: str, depth: int) -> Iterator[_Clash]:
    possible = wide.alternatives or [wide]
    for one in narrow.alternatives or [narrow]:
        if not any(next(_clashes(other, one, path, depth + 1), None) is None for other in possible):
            yield _Clash(path, "type", one.kind, " or ".join(dict.fromkeys(other.kind for other in possible)))


def _of_values(wide: Mapping[str, Any], narrow: Mapping[str, Any], path: str) -> Iterator[_Clash]:
    for key in (*_LOWER, *_UPPER):
        limit, before = wide.get(key), narrow.get(key)
        if not isinstance(limit, int | float):
            continue
        if not isinstance(before, int | float):
            yield _Clash(path, key, _ABSENT, _shown(limit))
        elif before < limit if key in _LOWER else before > limit:
            yield _Clash(path, key, _shown(before), _shown(limit))
    if wide.get("pattern") is not None and wide.get("pattern") != narrow.get("pattern"):
        yield _Clash(path, "pattern", _shown(narrow.get("pattern")), _shown(wide["pattern"]))
    if isinstance(wide.get("enum"), list):
        allowed, before = wide["enum"], narrow.get("enum")
        if not isinstance(before, list):
            yield _Clash(path, "choices", _ABSENT, _shown(allowed))
        elif missing := [each for each in before if each not in allowed]:
            yield _Clash(path, "choices", _shown(missing), _ABSENT)


def _of_properties(wide: _Schema, narrow: _Schema, path: str, depth: int) -> Iterator[_Clash]:
    ours, theirs = narrow.properties, wide.properties
    for name in ours:
        inside = f"{path}.{name}" if path else name
        if name in theirs:
            yield from _clashes(theirs[name], ours[name], inside, depth + 1)
        elif theirs:
            yield _Clash(inside, "", "is there", "is not there")
    for name in wide.required - narrow.required:
        yield _Clash(f"{path}.{name}" if path else name, "required", "no", "yes")


def _told(
    clashes: Sequence[_Clash] | _Clashes, where: str, *, new_is_wide: bool, breaking: bool
) -> Iterator[Change]:
    for each in clashes:
        old, new = (each.narrow, each.wide) if new_is_wide else (each.wide, each.narrow)
        place = f"{where} {each.path}".rstrip()
        if not each.what:
            what = "removed" if new == "is not there" else "added"
            # Whoever reads an output leaves out the fields it does not know.
            harmful = breaking and new_is_wide
            yield Change(where=place, what=what, old=_ABSENT, new="", breaking=harmful)
        else:
            yield Change(where=place, what=each.what, old=old, new=new, breaking=breaking)


def _defaults(before: _Schema, after: _Schema, where: str) -> Iterator[Change]:
    ours, theirs = before.properties, after.properties
    for name in ours:
        if name not in theirs:
            continue
        old, new = ours[name].value.get("default"), theirs[name].value.get("default")
        if old != new and name not in after.required:
            yield Change(
                where=f"{where} {name}", what="default", old=_shown(old), new=_shown(new), breaking=False
            )


def _named(document: Mapping[str, Any], name: str) -> Mapping[str, Any] | None:
    components = document.get("components")
    schemas = components.get("schemas") if isinstance(components, Mapping) else None
    found = schemas.get(name) if isinstance(schemas, Mapping) else None
    return found if isinstance(found, Mapping) else None


def _shown(value: object) -> str:
    if value is None:
        return _ABSENT
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
