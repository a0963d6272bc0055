"""From the nodes of cog.yaml to its values, checking each key; nothing here looks at other files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

import yaml

from cogyard.oci.errors import InvalidReferenceError
from cogyard.oci.reference import Reference
from cogyard.project.document import shorten
from cogyard.project.keys import (
    CUDA_PATTERN,
    CUDNN_PATTERN,
    ENVIRONMENT_PATTERN,
    MINIMUM_PYTHON,
    NEWEST_PYTHON,
    OBSOLETE,
    REF_PATTERN,
    RESERVED_PREFIXES,
    RESERVED_VARIABLES,
    SDK_PATTERN,
    SYSTEM_PACKAGE_PATTERN,
    names_under,
)
from cogyard.project.observability import read_observability
from cogyard.project.reader import Reader
from cogyard.project.run_commands import read_commands
from cogyard.project.values import Build, Concurrency, Config, Weights, version_of
from cogyard.project.weights import read_weights
from cogyard.project.written import Place, Written

_MINIMUM = ".".join(map(str, MINIMUM_PYTHON))
_NEWEST = ".".join(map(str, NEWEST_PYTHON))
_PYTHON_HINT = 'Add it to the build section, for example: python_version: "3.13"'

Nodes = Mapping[str, yaml.Node]


def parse(root: yaml.MappingNode, reader: Reader) -> Written:
    """Read the whole document, with the problems that `reader` collects."""
    obsolete = [path for path in OBSOLETE if "." not in path]
    top = reader.mapping(root, "", names_under(""), obsolete)
    _warn_obsolete(reader, top, "")
    build_nodes = _build_nodes(reader, root, top.get("build"))
    build = _build(reader, top.get("build"), build_nodes)
    concurrency = _concurrency(reader, top.get("concurrency"))
    if concurrency.max > 1 and build.python_version and version_of(build.python_version) < (3, 11):
        reader.problem(
            top["concurrency"],
            f"concurrency.max is {concurrency.max}, which needs Python 3.11 or newer; "
            f"python_version is {build.python_version}",
        )
    config = Config(
        build=build,
        predict=_predict(reader, top),
        train=_ref(reader, top, "train"),
        image=_image(reader, top),
        model=_model(reader, top),
        concurrency=concurrency,
        environment=MappingProxyType(_environment(reader, top.get("environment"))),
        weights=_weights(reader, top.get("weights")),
        observability=read_observability(reader, top.get("observability")),
    )
    packages = build_nodes["python_packages"].value if build.python_packages else ()
    return Written(
        config=config,
        keys={name: _place(node) for name, node in top.items()},
        build_keys={name: _place(node) for name, node in build_nodes.items()},
        packages=tuple((one.value, _place(one)) for one in packages if one.value in build.python_packages),
        problems=tuple(reader.problems),
        warnings=tuple(reader.warnings),
    )


def _place(node: yaml.Node) -> Place:
    return Place(node.start_mark.line + 1, node.start_mark.column + 1)


def _build_nodes(reader: Reader, root: yaml.Node, node: yaml.Node | None) -> Nodes:
    if node is None:
        reader.problem(root, "there is no `build` section", 'Add: build: {python_version: "3.13"}')
        return {}
    obsolete = [path.removeprefix("build.") for path in OBSOLETE if path.startswith("build.")]
    keys = reader.mapping(node, "build", names_under("build"), obsolete)
    _warn_obsolete(reader, keys, "build.")
    return keys


def _build(reader: Reader, node: yaml.Node | None, keys: Nodes) -> Build:
    if "python_packages" in keys and "python_requirements" in keys:
        reader.problem(
            keys["python_packages"],
            "python_packages and python_requirements cannot stand together",
            "Move the packages into the requirements file.",
        )
    version = _python_version(reader, node, keys.get("python_version"))
    _notes(reader, keys)
    return Build(
        python_version=version,
        gpu=bool(reader.flag(keys["gpu"], "gpu")) if "gpu" in keys else False,
        cuda=_cuda(reader, keys.get("cuda")),
        cudnn=_cudnn(reader, keys.get("cudnn")),
        python_requirements=_text(reader, keys, "python_requirements"),
        python_packages=tuple(text for _, text in _texts(reader, keys, "python_packages")),
        system_packages=tuple(_system_packages(reader, keys)),
        run=read_commands(reader, keys["run"]) if "run" in keys else (),
        pre_install=tuple(text for _, text in _texts(reader, keys, "pre_install")),
        sdk_version=_sdk_version(reader, keys.get("sdk_version")),
    )


def _python_version(reader: Reader, build: yaml.Node | None, node: yaml.Node | None) -> str:
    if node is None:
        if isinstance(build, yaml.MappingNode):
            reader.problem(build, "`python_version` is missing from `build`", _PYTHON_HINT)
        return ""
    text = reader.text(node, "python_version", numbers=True)
    if text is None:
        return ""
    found = re.fullmatch(r"(\d{1,3})(?:\.(\d{1,3}))?(?:\.(\d{1,3}))?", text.strip())
    if found is None:
        reader.problem(node, f"python_version is `{shorten(text)}`, which is not a version", _PYTHON_HINT)
        return ""
    if found.group(2) is None:
        message = f"python_version is `{text}`; it must include major and minor, such as 3.13"
        reader.problem(node, message)
        return ""
    version = (int(found.group(1)), int(found.group(2)))
    if version < MINIMUM_PYTHON or version[0] != MINIMUM_PYTHON[0]:
        message = f"python_version is {text}; Python 3 from {_MINIMUM} on is supported"
        reader.problem(node, message)
        return ""
    if version > NEWEST_PYTHON:
        message = f"python_version is {text}; this release was tested with {_MINIMUM} to {_NEWEST}"
        reader.warning(node, message, "It is used as it is; many packages have no wheels for it yet.")
    return text.strip()


def _notes(reader: Reader, keys: Nodes) -> None:
    """Tell what is read and changes nothing, or has a newer name."""
    if "sdk_version" in keys:
        reader.warning(keys["sdk_version"], "sdk_version has no effect: the SDK is the one of this release")
    if "pre_install" in keys:
        reader.warning(
            keys["pre_install"], "`pre_install` is the older name of `run`", "Move its lines to `run`."
        )
    gpu = keys.get("gpu")
    if gpu is None or str(gpu.value).lower() in {"false", "no", "off"}:
        for name in ("cuda", "cudnn"):
            if name in keys:
                hint = "Set `gpu: true`, or take the line out."
                reader.warning(keys[name], f"`{name}` has no effect without `gpu: true`", hint)


def _cuda(reader: Reader, node: yaml.Node | None) -> str | None:
    text = reader.text(node, "cuda", numbers=True) if node is not None else None
    if text is None:
        return None
    if re.fullmatch(CUDA_PATTERN, text) is None:
        reader.problem(node, f"cuda is `{shorten(text)}`; it must be major.minor, 11.0 or newer")
        return None
    return text


def _cudnn(reader: Reader, node: yaml.Node | None) -> str | None:
    text = reader.text(node, "cudnn", numbers=True) if node is not None else None
    if text is None or re.fullmatch(CUDNN_PATTERN, text):
        return text
    reader.problem(node, f"cudnn is `{shorten(text)}`; it must be a version, such as 9 or 8.9.7")
    return None


def _sdk_version(reader: Reader, node: yaml.Node | None) -> str | None:
    text = reader.text(node, "sdk_version", numbers=True) if node is not None else None
    if text is None:
        return None
    found = re.fullmatch(SDK_PATTERN, text)
    if found is None or (text != "prerelease" and version_of(".".join(text.split(".")[:2])) < (0, 16)):
        message = f"sdk_version is `{shorten(text)}`; it must be a version from 0.16.0 on, or `prerelease`"
        reader.problem(node, message)
        return None
    return text


def _system_packages(reader: Reader, keys: Nodes) -> list[str]:
    names: list[str] = []
    for node, text in _texts(reader, keys, "system_packages"):
        if re.fullmatch(SYSTEM_PACKAGE_PATTERN, text):
            names.append(text)
        else:
            hint = "One package an entry." if " " in text.strip() else None
            reader.problem(node, f"`{shorten(text)}` is not the name of a Debian package", hint)
    return names


def _predict(reader: Reader, top: Nodes) -> str | None:
    if "run" in top and "predict" in top:
        reader.problem(top["run"], "`run` and `predict` mean the same: only one of them can be set")
    return _ref(reader, top, "predict") if "predict" in top else _ref(reader, top, "run")


def _ref(reader: Reader, top: Nodes, name: str) -> str | None:
    text = _text(reader, top, name)
    if text is None or re.fullmatch(REF_PATTERN, text):
        return text
    example = "train.py:train" if name == "train" else "predict.py:Predictor"
    reader.problem(top[name], f"`{name}` is `{shorten(text)}`; it must be in the form {example}")
    return None


def _image(reader: Reader, top: Nodes) -> str | None:
    text = _text(reader, top, "image")
    if text is None:
        return None
    try:
        Reference.parse(text)
    except InvalidReferenceError as error:
        hint = error.hint or "It has the form registry.example.com/owner/name, in lower case."
        reader.problem(top["image"], f"`{shorten(text)}` is not the name of an image: {error.message}", hint)
        return None
    return text


def _model(reader: Reader, top: Nodes) -> str | None:
    text = _text(reader, top, "model")
    if text is not None and "image" in top:
        reader.problem(top["model"], "`model` and `image` cannot stand together")
    if text is not None and ("@" in text or ":" in text.rpartition("/")[2]):
        reader.problem(top["model"], f"`{shorten(text)}`: `model` is a repository without tag or digest")
        return None
    return text


def _environment(reader: Reader, node: yaml.Node | None) -> dict[str, str]:
    variables: dict[str, str] = {}
    if node is None:
        return variables
    if isinstance(node, yaml.MappingNode):
        reader.problem(node, "`environment` must be a list", "Write each entry as “- NAME=value”.")
        return variables
    for item, text in reader.texts(node, "environment"):
        name, _, value = text.partition("=")
        if not re.fullmatch(ENVIRONMENT_PATTERN, text, re.DOTALL):
            reader.problem(item, f"`{shorten(text)}` is not in the form NAME=value")
        elif name in RESERVED_VARIABLES or name.startswith(RESERVED_PREFIXES):
            reader.problem(item, f"the variable {name} is not allowed: it is reserved for internal use")
        elif name in variables:
            reader.problem(item, f"the variable {name} is set twice")
        else:
            variables[name] = value
    return variables


def _concurrency(reader: Reader, node: yaml.Node | None) -> Concurrency:
    if node is None:
        return Concurrency()
    keys = reader.mapping(node, "concurrency", names_under("concurrency"))
    most = reader.whole(keys["max"], "concurrency.max", least=1) if "max" in keys else None
    target = (
        reader.whole(keys["default_target"], "concurrency.default_target", least=1)
        if "default_target" in keys
        else None
    )
    return Concurrency(max=most or 1, default_target=target)


def _weights(reader: Reader, node: yaml.Node | None) -> tuple[Weights, ...]:
    return read_weights(reader, node) if node is not None else ()


def _text(reader: Reader, keys: Nodes, name: str) -> str | None:
    return reader.text(keys[name], name) if name in keys else None


def _texts(reader: Reader, keys: Nodes, name: str) -> list[tuple[yaml.Node, str]]:
    return reader.texts(keys[name], name) if name in keys else []


def _warn_obsolete(reader: Reader, keys: Nodes, prefix: str) -> None:
    for name, node in keys.items():
        if f"{prefix}{name}" in OBSOLETE:
            reader.warning(node, f"`{prefix}{name}` is obsolete", OBSOLETE[f"{prefix}{name}"])
