"""The model's OpenAPI document, read from its source without running it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cog.errors import SchemaError
from cog.schema import openapi, read_source

from cogyard.project.errors import Problem, ProjectError
from cogyard.project.project import Project


def static_schema(project: Project) -> Mapping[str, Any]:
    """Return the document of a project's predictions and trainings.

    Raises ProjectError where the source alone does not tell: the place, and what to write instead.
    """
    try:
        signature = read_source(project.root, project.ref) if project.ref else None
        training = read_source(project.root, project.train_ref, train=True) if project.train_ref else None
    except SchemaError as error:
        place = error.path or (project.ref or project.train_ref or "").partition(":")[0]
        problem = Problem(file=place, line=error.line, message=error.problem, hint=error.hint)
        raise ProjectError([problem]) from error
    if signature is None:
        problem = Problem(
            file=project.config_file.name, message="there is no `predict` (or `run`) to describe"
        )
        raise ProjectError([problem], hint='Add for example: predict: "predict.py:Predictor"')
    return openapi(signature, training)
