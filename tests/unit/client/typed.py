"""Code of a user, for mypy --strict, which reads it with all tests; nothing here is run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_type

import replicate
from replicate.client import Client
from replicate.deployment import Deployment
from replicate.exceptions import ModelError, ReplicateError
from replicate.file import File
from replicate.helpers import FileOutput
from replicate.model import Model
from replicate.pagination import Page
from replicate.prediction import Prediction
from replicate.stream import ServerSentEvent
from replicate.training import Training
from replicate.version import Version


def blocking(client: Client, model: Model, version: Version) -> None:
    """Every kind of object, by the blocking half."""
    assert_type(client.models.get("me/it"), Model)
    assert_type(client.models.get("me", "it"), Model)
    assert_type(client.models.get(owner="me", name="it"), Model)
    assert_type(client.models.delete("me", "it"), bool)
    assert_type(client.models.create(owner="me", name="it", visibility="private", hardware="cpu"), Model)
    assert_type(client.models.list(), Page[Model])
    assert_type(client.predictions.list(client.predictions.list().next), Page[Prediction])
    assert_type(model.versions.get("v"), Version)
    prediction = client.predictions.create(version=version, input={"a": 1}, stream=True)
    assert_type(prediction, Prediction)
    assert_type(prediction.wait(), None)
    assert_type(prediction.status, str)
    assert_type(client.trainings.create(model=model, version="v", input={}, destination="me/new"), Training)
    assert_type(client.files.create("a.png", progress=lambda sent, of: sent / of), File)
    assert_type(client.deployments.get("me/front"), Deployment)
    assert_type(client.stream("me/it", input={}), Iterator[ServerSentEvent])
    for page in replicate.paginate(client.models.list):
        assert_type(page, Page[Model])
    for ref in (model, version, client.deployments.get("me/front"), "me/it:v"):
        client.run(ref, input={})
    output = client.run("me/it", input={}, wait=5, file_encoding_strategy="base64", use_file_output=True)
    if isinstance(output, FileOutput):
        assert_type(output.read(), bytes)
        assert_type(output.url, str)


async def asynchronous(client: Client) -> None:
    """The same without blocking."""
    assert_type(await client.models.async_get("me/it"), Model)
    assert_type(await client.models.async_get("me", "it"), Model)
    assert_type(await client.predictions.async_create(model="me/it", input={}), Prediction)
    async for event in client.async_stream("me/it", input={}):
        assert_type(event, ServerSentEvent)
    async for event in await client.async_stream("me/it", input={}):
        assert_type(event.id, str)
    async for page in replicate.async_paginate(client.predictions.async_list):
        assert_type(page, Page[Prediction])


def errors() -> None:
    """What is raised, and what it tells."""
    try:
        replicate.run("me/it", input={})
    except ModelError as error:
        assert_type(error.prediction, Prediction)
    except ReplicateError as error:
        assert_type(error.status, int | None)


def wrong(client: Client) -> None:
    """Each of these mypy refuses: an ignore that was not needed would be an error too."""
    client.run("me/it", inputs={})  # type: ignore[call-arg]
    client.run("me/it", {}, wait="long")  # type: ignore[arg-type]
    client.predictions.get()  # type: ignore[call-arg]
    client.run(5, {})  # type: ignore[arg-type]
    client.models.get(5)  # type: ignore[call-overload]
    client.models.create(owner="me", name="it", visibility="hidden", hardware="cpu")  # type: ignore[arg-type]
    client.deployments.create(name="front")  # type: ignore[call-arg]
