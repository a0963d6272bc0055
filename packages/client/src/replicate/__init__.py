"""The Python client of the platform: run models, follow predictions, send and fetch files.

    import replicate
    output = replicate.run("owner/name:version", input={"image": open("in.jpg", "rb"), "scale": 2})

The module's functions use one default client, set by REPLICATE_BASE_URL and REPLICATE_API_TOKEN.
"""

from __future__ import annotations

# Code written for the official client imports from these modules, or names them in full. They come before the names
# below: `hardware` is a module and a namespace, and what is set last is what `replicate.hardware` means.
from replicate import account as account
from replicate import collection as collection
from replicate import deployment as deployment
from replicate import exceptions as exceptions
from replicate import file as file
from replicate import hardware as _hardware  # noqa: F401 - found by `from replicate.hardware import Hardware`
from replicate import helpers as helpers
from replicate import identifier as identifier
from replicate import model as model
from replicate import pagination as pagination
from replicate import prediction as prediction
from replicate import resource as resource
from replicate import run as _run_module  # noqa: F401 - found by `from replicate.run import run`
from replicate import schema as schema
from replicate import training as training
from replicate import version as version
from replicate import webhook as webhook
from replicate.__about__ import __version__
from replicate.client import Client
from replicate.errors import ModelError, ReplicateError, ReplicateException
from replicate.output import FileOutput
from replicate.pagination import Page, async_paginate, paginate
from replicate.predictions import Prediction
from replicate.stream import ServerSentEvent
from replicate.webhook import InvalidWebhookError, Webhooks

default_client = Client()

run = default_client.run
async_run = default_client.async_run
stream = default_client.stream
async_stream = default_client.async_stream
accounts = default_client.accounts
collections = default_client.collections
deployments = default_client.deployments
files = default_client.files
hardware = default_client.hardware
models = default_client.models
predictions = default_client.predictions
trainings = default_client.trainings
webhooks = default_client.webhooks

__all__ = [
    "Client",
    "FileOutput",
    "InvalidWebhookError",
    "ModelError",
    "Page",
    "Prediction",
    "ReplicateError",
    "ReplicateException",
    "ServerSentEvent",
    "Webhooks",
    "__version__",
    "accounts",
    "async_paginate",
    "async_run",
    "async_stream",
    "collections",
    "default_client",
    "deployments",
    "files",
    "hardware",
    "models",
    "paginate",
    "predictions",
    "run",
    "stream",
    "trainings",
    "webhooks",
]
