"""Every key of cog.yaml in one table: the parser, the JSON Schema and the reference page are made from it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import msgspec

MINIMUM_PYTHON = (3, 10)
NEWEST_PYTHON = (3, 14)
"""The newest that this release was tested with; a newer one is tried with a warning."""

PYTHON_PATTERN = r"^3\.[1-9][0-9](\.\d{1,3})?$"
CUDNN_PATTERN = r"^\d{1,2}(\.\d{1,3}){0,3}$"
SDK_PATTERN = r"^(prerelease|\d+\.\d+(\.\d+)?([A-Za-z0-9.+\-]*))$"
REF_PATTERN = r"^[^:\s]+\.py:[A-Za-z_][A-Za-z0-9_]*$"
ENVIRONMENT_PATTERN = r"^[A-Za-z_][A-Za-z0-9_]*=.*$"
SYSTEM_PACKAGE_PATTERN = r"^[a-z0-9][a-z0-9+.\-]+(:[a-z0-9\-]+)?(=[A-Za-z0-9.+:~\-]+)?$"
CUDA_PATTERN = r"^(1[1-9]|[2-9]\d)\.\d{1,2}(\.\d{1,3})?$"
WEIGHTS_NAME_PATTERN = r"^[a-z0-9]+([._\-][a-z0-9]+)*$"

RESERVED_VARIABLES = (
    "PATH",
    "LD_LIBRARY_PATH",
    "PYTHONPATH",
    "VIRTUAL_ENV",
    "PYTHONUNBUFFERED",
    "LIBRARY_PATH",
    "HF_ENDPOINT",
    "HF_HUB_ENABLE_HF_TRANSFER",
)
RESERVED_PREFIXES = (
    "R8_",
    "REPLICATE_",
    "CUDA_",
    "NVIDIA_",
    "NV_",
    "PGET_",
    "KUBERNETES_",
    "COG_OBSERVABILITY_",
    "COG_TRACE_",
    "OTEL_",
)

SAMPLERS = (
    "always_on",
    "always_off",
    "traceidratio",
    "parentbased_always_on",
    "parentbased_always_off",
    "parentbased_traceidratio",
)
TRACE_HEADER_FORMATS = ("w3c", "jaeger")
SOURCE_SCHEMES = ("hf://", "file://", "https://")
_GLOB = r"^[^!\\][^\\]*$"
_SOURCE_PATTERN = r"^(hf://|file://|https://|[^:]+$)"

OBSOLETE = {
    "build.fast": "It no longer does anything; leave it out.",
    "build.cog_runtime": "It no longer does anything; leave it out.",
    "build.pip_freeze": "It no longer does anything; leave it out.",
    "build.python_overrides": "It no longer does anything; pin the versions in the requirements.",
    "build.environment": "It never did anything; write `environment` beside `build`.",
    "tests": "It no longer does anything; `cog test` runs the examples of cog-test.yaml.",
    "predict_concurrency": "Use `concurrency: {max: …}`.",
}
"""Keys that earlier releases of Cog wrote: read without effect, with a warning."""

_TEXT = MappingProxyType({"type": "string"})
_TEXTS = MappingProxyType({"type": "array", "items": {"type": "string"}})
_REF = MappingProxyType({"type": "string", "pattern": REF_PATTERN})
_PYTHON = MappingProxyType(
    {"anyOf": [{"type": "string", "pattern": PYTHON_PATTERN}, {"enum": [3.1, 3.11, 3.12, 3.13, 3.14]}]}
)
_CUDA = MappingProxyType(
    {"anyOf": [{"type": "string", "pattern": CUDA_PATTERN}, {"type": "number", "minimum": 11}]}
)
_CUDNN = MappingProxyType(
    {"anyOf": [{"type": "string", "pattern": CUDNN_PATTERN}, {"type": "number", "minimum": 1}]}
)
_SDK = MappingProxyType(
    {"anyOf": [{"type": "string", "pattern": SDK_PATTERN}, {"type": "number", "minimum": 0.16}]}
)
_SOURCE: Mapping[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["uri"],
    "properties": {
        "uri": {"type": "string", "pattern": _SOURCE_PATTERN},
        "include": {"type": "array", "items": {"type": "string", "pattern": _GLOB}},
        "exclude": {"type": "array", "items": {"type": "string", "pattern": _GLOB}},
    },
}


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """One key: where it stands, what it may hold, what it means."""

    path: str
    kind: str
    summary: str
    schema: Mapping[str, Any]
    default: str = ""
    example: str = ""
    older: str = ""
    """For a key that Cog calls deprecated: what to write instead."""

    @property
    def name(self) -> str:
        """The last part of the path, as it is written in the file."""
        return self.path.rpartition(".")[2]

    @property
    def parent(self) -> str:
        """The path of the mapping it stands in; empty at the top."""
        return self.path.rpartition(".")[0]


KEYS: tuple[Key, ...] = (
    Key(
        path="build",
        kind="mapping",
        summary="The environment the model runs in.",
        schema={"type": "object"},
        default="required",
    ),
    Key(
        path="build.python_version",
        kind="text",
        summary="The Python the model runs on, 3.10 to 3.14 (a newer one is tried, with a warning): minor, or "
        "exact.",
        schema=_PYTHON,
        default="required",
        example='python_version: "3.13"',
    ),
    Key(
        path="build.python_packages",
        kind="list of text",
        summary="The Python packages the model needs, one requirement each. Not together with python_requirements.",
        schema=_TEXTS,
        example="python_packages:\n  - pillow==12.0.0\n  - numpy>=2",
    ),
    Key(
        path="build.python_requirements",
        kind="path",
        summary="A requirements file with the Python packages the model needs, or a pyproject.toml with `[project]`, "
        "and the uv.lock beside it. Where neither this key nor python_packages stands, such a pyproject.toml "
        "beside cog.yaml is taken; `python_packages: []` says that there are none.",
        schema=_TEXT,
        example="python_requirements: requirements.txt",
    ),
    Key(
        path="build.system_packages",
        kind="list of text",
        summary="Packages of Debian (or of Ubuntu, on a base of it) that the model needs, such as ffmpeg. "
        "A local run uses this machine's.",
        schema={"type": "array", "items": {"type": "string", "pattern": SYSTEM_PACKAGE_PATTERN}},
        example="system_packages:\n  - ffmpeg",
    ),
    Key(
        path="build.run",
        kind="list of commands",
        summary="Shell commands run while the image is built, after the packages and before the source. "
        "A command that needs a secret is a mapping with `command` and `mounts`.",
        schema={
            "type": "array",
            "items": {
                "anyOf": [
                    {"type": "string"},
                    {
                        "type": "object",
                        "additionalProperties": False,
                        "required": ["command"],
                        "properties": {
                            "command": {"type": "string"},
                            "mounts": {
                                "type": "array",
                                "items": {
                                    "type": "object",
                                    "additionalProperties": False,
                                    "required": ["type", "id", "target"],
                                    "properties": {
                                        "type": {"const": "secret"},
                                        "id": {"type": "string"},
                                        "target": {"type": "string"},
                                    },
                                },
                            },
                        },
                    },
                ]
            },
        },
        example="run:\n  - echo built > /etc/built\n"
        "  - command: install-private-things\n"
        "    mounts:\n      - {type: secret, id: pip, target: /etc/pip.conf}",
    ),
    Key(
        path="build.gpu",
        kind="true or false",
        summary="Whether the model needs a GPU.",
        schema={"type": "boolean"},
        default="false",
        example="gpu: true",
    ),
    Key(
        path="build.cuda",
        kind="text",
        summary="The CUDA version, major.minor, 11 or newer; chosen from the packages when it is left out.",
        schema=_CUDA,
        default="chosen",
        example='cuda: "12.8"',
    ),
    Key(
        path="build.cudnn",
        kind="text",
        summary="The cuDNN version; chosen from the packages when it is left out.",
        schema=_CUDNN,
        default="chosen",
        example='cudnn: "9"',
    ),
    Key(
        path="build.pre_install",
        kind="list of text",
        summary="The older name of build commands; they run before those of `run`.",
        schema=_TEXTS,
        older="run",
    ),
    Key(
        path="build.sdk_version",
        kind="text",
        summary="Read for Cog's sake and without effect: the SDK is the one of the installed release. "
        "A version from 0.16.0 on, or `prerelease`.",
        schema=_SDK,
    ),
    Key(
        path="predict",
        kind="file.py:Class",
        summary="The class (or function) that makes predictions.",
        schema=_REF,
        example='predict: "predict.py:Predictor"',
    ),
    Key(
        path="run",
        kind="file.py:Class",
        summary="Cog's newer name of `predict`; write one of the two.",
        schema=_REF,
        example='run: "run.py:Runner"',
    ),
    Key(
        path="train",
        kind="file.py:function",
        summary="The function (or class) that trains the model.",
        schema=_REF,
        example='train: "train.py:train"',
    ),
    Key(
        path="image",
        kind="text",
        summary="The name of the built image, and where `cog push` sends it.",
        schema=_TEXT,
        default="cog-FOLDER",
        example="image: registry.example.com/me/upscale",
    ),
    Key(
        path="model",
        kind="text",
        summary="A bare repository (no tag, no digest) for a model with managed weights. Not together with image.",
        schema=_TEXT,
    ),
    Key(
        path="environment",
        kind="list of NAME=value",
        summary="Environment variables the model sees. Never for secrets: the image shows them to everybody.",
        schema={"type": "array", "items": {"type": "string", "pattern": ENVIRONMENT_PATTERN}},
        example="environment:\n  - HF_HUB_OFFLINE=1",
    ),
    Key(
        path="concurrency",
        kind="mapping",
        summary="How many predictions one instance runs at a time.",
        schema={"type": "object"},
    ),
    Key(
        path="concurrency.max",
        kind="whole number",
        summary="The most predictions at a time; above 1 the predictor must be async, on Python 3.11 or newer. "
        "`@cog.concurrent(max=…)` on the predictor says the same.",
        schema={"type": "integer", "minimum": 1},
        default="1",
        example="concurrency:\n  max: 4",
    ),
    Key(
        path="concurrency.default_target",
        kind="whole number",
        summary="How many at a time an autoscaler should aim for.",
        schema={"type": "integer", "minimum": 1},
    ),
    Key(
        path="weights",
        kind="list of mappings",
        summary="Managed weights: each with a name, a target folder in the image, and a source: a `uri` (`hf://`, "
        "`file://`, `https://` or a path) with patterns to `include` and `exclude`, or a list of these. "
        "`cog weights import` takes them into `weights.lock`.",
        schema={
            "type": "array",
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["name", "target"],
                "properties": {
                    "name": {"type": "string", "pattern": WEIGHTS_NAME_PATTERN},
                    "target": {"type": "string", "pattern": "^/"},
                    "source": {"anyOf": [_SOURCE, {"type": "array", "minItems": 1, "items": _SOURCE}]},
                },
            },
        },
        example="weights:\n"
        "  - name: base\n"
        "    target: /src/weights\n"
        "    source:\n"
        "      uri: hf://owner/name\n"
        '      include: ["*.safetensors"]',
    ),
    Key(
        path="observability",
        kind="mapping",
        summary="Traces of predictions, by OpenTelemetry, and the set-up of the model's own; as Cog 0.23 reads them.",
        schema={"type": "object"},
    ),
    Key(
        path="observability.config",
        kind="path",
        summary="A Python file with `create_tracer_provider()` and, if wanted, `configure_instrumentation()`.",
        schema=_TEXT,
    ),
    Key(
        path="observability.traces",
        kind="mapping",
        summary="Which predictions are traced: `enabled`, `sampler`, `sampler_arg`, `trace_header` and "
        "`trace_header_format`. `sampler` is parentbased_always_off unless given.",
        schema={
            "type": "object",
            "additionalProperties": False,
            "required": ["enabled"],
            "properties": {
                "enabled": {"type": "boolean"},
                "sampler": {"enum": list(SAMPLERS)},
                "sampler_arg": {"type": ["string", "number"]},
                "trace_header": {"type": "string"},
                "trace_header_format": {"enum": list(TRACE_HEADER_FORMATS)},
            },
        },
        default="off",
        example="observability:\n  traces:\n    enabled: true\n    sampler: always_on",
    ),
    Key(
        path="observability.metrics",
        kind="mapping",
        summary="Passed on as it is.",
        schema={"type": "object"},
    ),
)


def names_under(parent: str) -> tuple[str, ...]:
    """Return the keys that may stand in the mapping `parent` (empty: at the top), in the order of the table."""
    return tuple(key.name for key in KEYS if key.parent == parent)


def key(path: str) -> Key:
    """Return the table's row for a path such as `build.gpu`."""
    return next(one for one in KEYS if one.path == path)
