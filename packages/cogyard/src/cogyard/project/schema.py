"""The model's OpenAPI document, read from its source without running it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cog import errors as sdk
from cog.errors import SchemaError
from cog.schema import openapi, read_source

from cogyard.project.errors import NotInSourceError, Problem, ProjectError
from cogyard.project.project import Project


def static_schema(project: Project) -> Mapping[str, Any]:
    """Return the document of a project's predictions and trainings.

    Raises ProjectError with the place, and what to write instead; NotInSourceError where running code may tell.
    """
    try:
        signature = read_source(project.root, project.ref) if project.ref else None
        training = read_source(project.root, project.train_ref, train=True) if project.train_ref else None
    except SchemaError as error:
        raise _told(error, project.ref or project.train_ref or "") from error
    if signature is None:
        problem = Problem(
            file=project.config_file.name, message="there is no `predict` (or `run`) to describe"
        )
        raise ProjectError([problem], hint='Add for example: predict: "predict.py:Predictor"')
    return openapi(signature, training)


def training_schema(project: Project) -> Mapping[str, Any]:
    """Return a document in which the training stands in the place of the prediction: its Input, its Output.

    Raises ProjectError as `static_schema` does.
    """
    ref = project.train_ref or ""
    try:
        training = read_source(project.root, ref, train=True)
    except SchemaError as error:
        raise _told(error, ref) from error
    return openapi(training, training)


def _told(error: SchemaError, ref: str) -> ProjectError:
    place = error.path or ref.partition(":")[0]
    kind = NotInSourceError if isinstance(error, sdk.NotInSourceError) else ProjectError
    return kind([Problem(file=place, line=error.line, message=error.problem, hint=error.hint)])
