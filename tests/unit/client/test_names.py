"""Code written for the official client 1.x finds every module and name that it imports."""

from __future__ import annotations

import importlib
from importlib import metadata

import httpx2
import pytest
import replicate
from replicate import Client
from replicate.identifier import ModelVersionIdentifier

NAMES = {
    "account": "Account Accounts",
    "client": "Client",
    "collection": "Collection Collections",
    "deployment": "Deployment DeploymentPredictions Deployments DeploymentsPredictions",
    "exceptions": "ModelError ReplicateError ReplicateException",
    "file": "File FileEncodingStrategy Files",
    "hardware": "Hardware HardwareNamespace",
    "helpers": "FileOutput",
    "identifier": "ModelVersionIdentifier",
    "model": "Model Models ModelsPredictions",
    "pagination": "Page async_paginate paginate",
    "prediction": "Prediction Predictions",
    "resource": "Namespace Resource",
    "stream": "ServerSentEvent",
    "training": "Training Trainings",
    "version": "Version Versions",
    "webhook": "InvalidSecretKeyError InvalidSignatureError InvalidTimestampError MissingWebhookBodyError "
    "MissingWebhookHeaderError WebhookSigningSecret WebhookValidationError Webhooks",
}
NESTED = {
    "deployment.Deployment.Release": "deployments.Release",
    "deployment.Deployment.Release.Configuration": "deployments.Configuration",
    "prediction.Prediction.Progress": "predictions.Progress",
    "stream.ServerSentEvent.EventType": "stream.EventType",
    "webhook.Webhooks.Default": "webhook.DefaultWebhook",
}


def _found(path: str) -> object:
    module, *names = path.split(".")
    found: object = importlib.import_module(f"replicate.{module}")
    for name in names:
        found = getattr(found, name)
    return found


@pytest.mark.parametrize(("module", "names"), NAMES.items())
def test_a_module_has_its_names(module: str, names: str) -> None:
    """`from replicate.exceptions import ModelError`, and so on for each module."""
    for name in names.split():
        assert _found(f"{module}.{name}")


@pytest.mark.parametrize(("path", "ours"), NESTED.items())
def test_nested_names_are_there(path: str, ours: str) -> None:
    """Classes that the official client nests."""
    assert _found(path) is _found(ours)


def test_modules_are_named_in_full_and_hide_no_operations() -> None:
    """`replicate.exceptions.ModelError` works; `replicate.hardware.list` does too, after an import from that module."""
    kinds = importlib.import_module("replicate.hardware").HardwareNamespace
    assert isinstance(replicate.hardware, kinds)
    assert replicate.exceptions.ModelError is replicate.ModelError
    assert callable(replicate.stream)


def test_it_knows_its_release() -> None:
    """As the package's metadata has it; requests say it."""
    assert replicate.__version__ == metadata.version("cogyard-client")


def test_an_identifier_is_a_tuple() -> None:
    """Its three parts are taken apart as of any other."""
    owner, name, version = ModelVersionIdentifier.parse("ann/m:v")
    assert (owner, name, version) == ("ann", "m", "v")
    assert str(ModelVersionIdentifier.parse("ann/m")) == "ann/m"


def test_older_names_of_fields() -> None:
    """`username` of models, `id` of hardware and collections; a collection is gone through as a list of models."""
    client = Client("token", base_url="http://platform.test")
    model = replicate.model.Model(_client=client, owner="ann", name="m")
    collection = replicate.collection.Collection(_client=client, name="C", slug="c", models=[model])
    assert model.username == "ann"
    assert (collection.id, list(collection), len(collection), collection[0]) == ("c", [model], 1, model)
    assert importlib.import_module("replicate.hardware").Hardware(_client=client, sku="cpu").id == "cpu"


@pytest.mark.parametrize(
    ("path", "shown"), [("/v1/files/s/stream", replicate.FileOutput), ("/v1/streams/s", str)]
)
def test_a_stream_of_files_gives_files(path: str, shown: type) -> None:
    """As `run` does, unless addresses are asked for; a text that looks like an address stays text."""
    address = "http://platform.test/delivery/a/b.png"

    def answer(request: httpx2.Request) -> httpx2.Response:
        if request.url.path == path:
            body = f"event: output\nid: 1\ndata: {address}\n\nevent: done\nid: 2\ndata: {{}}\n\n"
            return httpx2.Response(200, text=body, headers={"content-type": "text/event-stream"})
        created = {"id": "p", "status": "starting", "urls": {"stream": f"http://platform.test{path}"}}
        return httpx2.Response(201, json=created)

    client = Client("token", base_url="http://platform.test", transport=httpx2.MockTransport(answer))
    output, done = client.stream("ann/m", {})
    assert (type(output.data), str(output), done.data) == (shown, address, "{}")
    output, _ = client.stream("ann/m", {}, use_file_output=False)
    assert output.data == address
