"""The writer: a signature as an OpenAPI 3.0.2 document, as Cog's tools and Replicate's clients read it."""

from __future__ import annotations

from typing import Any

from cog.schema import types as t
from cog.schema.envelope import RESERVED, components, paths
from cog.schema.signature import Parameter, Signature


def openapi(signature: Signature, train: Signature | None = None) -> dict[str, Any]:
    """Return the document of a model: its predictions and, with `train`, its trainings."""
    schemas: dict[str, Any] = {}
    _describe(schemas, signature, "Input", "Output", prefix="")
    schemas.update(components("Prediction", "Input", "Output", required=_needs_input(signature)))
    if train is not None:
        _describe(schemas, train, "TrainingInput", "TrainingOutput", prefix="training_")
        schemas.update(
            components("Training", "TrainingInput", "TrainingOutput", required=_needs_input(train))
        )
    return {
        "openapi": "3.0.2",
        "info": {"title": "Cog", "version": "0.1.0"},
        "paths": paths(signature.traits, None if train is None else train.traits),
        "components": {"schemas": schemas},
    }


def _needs_input(signature: Signature) -> bool:
    return any(parameter.required for parameter in signature.parameters)


def _describe(
    schemas: dict[str, Any], signature: Signature, input_: str, output: str, *, prefix: str
) -> None:
    properties: dict[str, Any] = {}
    choices: dict[str, Any] = {}
    for order, parameter in enumerate(signature.parameters):
        properties[parameter.name] = _property(parameter, order, {**schemas, **choices}, choices, prefix)
    required = [parameter.name for parameter in signature.parameters if parameter.required]
    schemas[input_] = {
        "title": input_,
        "type": "object",
        "properties": properties,
        **({"required": required} if required else {}),
    }
    schemas[output] = _output(signature.output, output)
    schemas.update(choices)


def _property(
    parameter: Parameter, order: int, taken: dict[str, Any], choices: dict[str, Any], prefix: str
) -> dict[str, Any]:
    kind = t.unwrap(parameter.type)
    if isinstance(kind, t.ChoiceType):
        name = _component_name(parameter.name, kind, taken, prefix)
        choices[name] = _choice_component(name, kind)
        written: dict[str, Any] = {"allOf": [{"$ref": f"#/components/schemas/{name}"}]}
    else:
        written = {"title": title(parameter.name), **write(kind)}
    # A secret that the author keeps in the source is not for everybody who reads the schema.
    if not parameter.required and not (isinstance(kind, t.SecretType) and parameter.default is not None):
        written["default"] = parameter.default
    for key, value in (
        ("description", parameter.description),
        ("minimum", parameter.ge),
        ("maximum", parameter.le),
        ("minLength", parameter.min_length),
        ("maxLength", parameter.max_length),
        ("pattern", parameter.regex),
        ("x-cog-accept", parameter.accept),
    ):
        if value is not None:
            written[key] = value
    if parameter.deprecated:
        written["deprecated"] = True
    if isinstance(parameter.type, t.OptionalType):
        written["nullable"] = True
    written["x-order"] = order
    return written


def _component_name(name: str, kind: t.ChoiceType, taken: dict[str, Any], prefix: str) -> str:
    """Return a component name for a parameter's choices: its own, unless something else has it."""
    for candidate in (name, f"{prefix}{name}", f"{prefix}{name}_choices", f"{prefix}{name}_input_choices"):
        if candidate in RESERVED:
            continue
        if candidate not in taken or taken[candidate] == _choice_component(candidate, kind):
            return candidate
    return f"{prefix}{name}_{len(taken)}"


def _choice_component(name: str, kind: t.ChoiceType) -> dict[str, Any]:
    return {"title": name, "description": "An enumeration.", **write(kind)}


def _output(kind: t.Type, name: str) -> dict[str, Any]:
    if isinstance(kind, t.IteratorType):
        written = {"title": name, "type": "array", "items": write(kind.items), "x-cog-array-type": "iterator"}
        if kind.concatenate:
            written["x-cog-array-display"] = "concatenate"
        return written
    return {**write(kind), "title": name}


def write(kind: t.Type) -> dict[str, Any]:
    """Return the JSON schema of a type."""
    if isinstance(kind, t.OptionalType):
        return {**write(kind.of), "nullable": True}
    if isinstance(kind, t.Scalar):
        return {"type": kind.name}
    if isinstance(kind, t.FileType):
        return {"type": "string", "format": "uri"}
    if isinstance(kind, t.SecretType):
        return {"type": "string", "format": "password", "writeOnly": True, "x-cog-secret": True}
    if isinstance(kind, t.ArrayType):
        unique = {"uniqueItems": True} if kind.form == "set" else {}
        return {"type": "array", "items": write(kind.items), **unique}
    if isinstance(kind, t.TupleType):
        return _tuple(kind)
    if isinstance(kind, t.TextType):
        return {"type": "string", "format": kind.form}
    if isinstance(kind, t.ChoiceType):
        base = {"type": kind.base.name} if kind.base is not None else {}
        return {"enum": list(kind.values), **base}
    if isinstance(kind, t.ObjectType):
        values = {} if kind.values is None else {"additionalProperties": write(kind.values)}
        return {"type": "object", **values}
    if isinstance(kind, t.UnionType):
        return {"anyOf": [write(member) for member in kind.members]}
    if isinstance(kind, t.RecordType):
        return _record(kind)
    if isinstance(kind, t.NullType):
        return {"enum": [None], "nullable": True}
    if isinstance(kind, t.IteratorType):
        return {"type": "array", "items": write(kind.items)}
    return {}


def _tuple(kind: t.TupleType) -> dict[str, Any]:
    """Return a list of so many items; OpenAPI 3.0 has no word for which is which, so that is a key of ours."""
    size = len(kind.members)
    items = [write(member) for member in kind.members]
    anything: dict[str, Any] = {}
    return {
        "type": "array",
        "items": write(t.union(kind.members)) if size else anything,
        "minItems": size,
        "maxItems": size,
        "x-cog-items": items,
    }


def _record(kind: t.RecordType) -> dict[str, Any]:
    properties: dict[str, Any] = {}
    for field in kind.fields:
        written = {"title": title(field.name), **write(field.type)}
        if field.description is not None:
            written["description"] = field.description
        properties[field.name] = written
    required = [field.name for field in kind.fields if field.required]
    return {
        "title": kind.name,
        "type": "object",
        "properties": properties,
        **({"required": required} if required else {}),
    }


def title(name: str) -> str:
    """Return a name as a heading: `api_key` as `Api Key`."""
    return name.replace("_", " ").title()
