"""What an operator can set: one table of fields, read from arguments, environment and a file, in that order.

Every field is documented where it is declared; docs/reference/settings.md is made from here.
"""
# ruff: noqa: RUF009 - `_setting` returns a dataclass field

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import Field, dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path
from types import MappingProxyType
from typing import Any

from cogyard.compose.machine import default_max_instances
from cogyard.compose.setting_values import (
    Network,
    one_of,
    parse_address,
    parse_folders,
    parse_hosts,
    parse_networks,
    parse_path,
    parse_seconds,
    parse_secret,
    parse_text,
    parse_truth,
    whole,
)
from cogyard.compose.skus import Sku, parse_skus
from cogyard.errors import CogyardError
from cogyard.instances.gpus import SPEC_FOLDERS

#: Every setting is also an environment variable with this prefix.
PREFIX = "COGYARD_"


class SettingsError(CogyardError):
    """A setting is unknown or has a value that it can't have."""

    code = "settings_invalid"
    exit_status = 2


def default_data_dir() -> Path:
    """Return `cogyard` in the user's data folder (XDG)."""
    base = os.environ.get("XDG_DATA_HOME")
    return (Path(base) if base else Path.home() / ".local" / "share") / "cogyard"


def _setting(parse: Callable[[Any], Any], text: str, **default: Any) -> Any:
    return field(metadata={"parse": parse, "help": text}, **default)


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """The platform's settings, all checked."""

    data_dir: Path = _setting(
        parse_path,
        "The folder that holds everything: database, images, files.",
        default_factory=default_data_dir,
    )
    host: str = _setting(
        parse_text,
        "The address to listen on. `0.0.0.0` makes the platform reachable from elsewhere.",
        default="127.0.0.1",
    )
    port: int = _setting(whole(0, 65535), "The port to listen on; 0 takes a free one.", default=8000)
    public_url: str | None = _setting(
        parse_address,
        "How others reach the platform, when a proxy or another name stands before it.",
        default=None,
    )
    trusted_proxies: tuple[Network, ...] = _setting(
        parse_networks,
        "Addresses or networks of proxies whose `X-Forwarded-For`, `-Proto` and `-Host` are believed, such as"
        " `127.0.0.1`; a list, or with commas. From anyone else these headers are dropped.",
        default=(),
    )
    tls_cert: Path | None = _setting(
        parse_path,
        "A PEM file with the certificate and those above it: the platform then answers by https alone."
        " Read again when it changes.",
        default=None,
    )
    tls_key: Path | None = _setting(
        parse_path, "A PEM file with the certificate's private key, without a passphrase.", default=None
    )
    runtime: str = _setting(
        one_of("auto", "sandbox", "docker", "process"),
        "How instances run. `auto` is the most isolated one that this machine has. `sandbox`: the version's image in "
        "namespaces made by bubblewrap, without a network. `docker`: as a container without a network. `process`: as "
        "your own user, for your own models: it isolates nothing.",
        default="auto",
    )
    sandbox_network: bool = _setting(
        parse_truth,
        "Let models that ask for it (`COGYARD_NETWORK=1` in `environment` of cog.yaml) use this machine's network from "
        "their sandbox or container. They then reach what this machine reaches, the platform's own port among it.",
        default=False,
    )
    sandbox_seccomp: bool = _setting(
        parse_truth,
        "Refuse models in sandboxes the system calls that no model needs and kernels are attacked by: mounts, "
        "namespaces, tracing, keys, BPF, io_uring and their like. 32-bit programs do not run then. Off only for a "
        "model that needs such a call.",
        default=True,
    )
    cdi_spec_dirs: tuple[Path, ...] = _setting(
        parse_folders,
        "Folders with specs of the Container Device Interface, a list, or with colons: they say what a GPU needs "
        "inside of a sandbox. Without a spec the driver's nodes and libraries are looked for.",
        default=SPEC_FOLDERS,
    )
    docker_gpus: str | None = _setting(
        parse_text,
        "GPUs for containers of the `docker` runtime where no `hardware` is listed, as `docker run --gpus` takes them: "
        "`all`, `2`, `device=0`. With a list each instance gets its own kind's.",
        default=None,
    )
    sandbox_scratch: int = _setting(
        whole(0, 1 << 45),
        "Bytes that one instance may write in its sandbox, where they are kept in memory, or container, where they are "
        "on disk; at most its memory. A container that writes more is ended, unless Docker's storage holds it to that. "
        "0: half of its memory. A kind of `hardware` with a `disk` has that instead.",
        default=0,
    )
    hardware: tuple[Sku, ...] = _setting(
        parse_skus,
        "The kinds of machine that models and deployments may ask for: in the file, tables `[[hardware]]` with `sku`, "
        "`name`, `cpus`, `memory` (bytes, or such as `8GiB`), `disk` (what an instance may write: in a sandbox in its "
        "memory, and no more than that), `gpus`, and `gpu_kind` where GPUs are to be told apart: a part of what the "
        "driver calls them, such as `L4`, or `MIG 1g.5gb` for slices. Elsewhere the same as JSON. What runs is added "
        "up, all but `disk`, and no more is started than this machine has. A model whose kind is not listed gets the "
        "first. None: one kind `cpu`, and instances are only counted.",
        default=(),
    )
    max_instances: int = _setting(
        whole(1, 10_000),
        "How many instances may live at once. By default two a core, with 2 GiB of memory for each.",
        default_factory=default_max_instances,
    )
    max_trainings: int = _setting(
        whole(1, 10_000),
        "How many trainings of one version may run at once, each in an instance of its own. One instance is left for"
        " others.",
        default=2,
    )
    idle_timeout: float = _setting(
        parse_seconds, "Seconds after which an instance without work is stopped.", default=300.0
    )
    setup_timeout: float = _setting(parse_seconds, "Seconds that a model's setup() may take.", default=600.0)
    drain_timeout: float = _setting(
        parse_seconds,
        "Seconds that running predictions get to finish when the platform is stopped.",
        default=30.0,
    )
    input_hosts: tuple[str, ...] = _setting(
        parse_hosts,
        "Private `host:port` addresses that inputs may name, besides the platform's own; a list, or with commas.",
        default=(),
    )
    webhook_http: bool = _setting(parse_truth, "Call webhooks at `http://` addresses too.", default=False)
    webhook_private: bool = _setting(
        parse_truth, "Call webhooks at addresses of this machine and its network too.", default=False
    )
    keep_predictions: float | None = _setting(
        parse_seconds,
        "Seconds after which inputs, outputs, logs and files of ended predictions are removed; examples stay."
        " Without it they are kept until they are deleted. Accounts, models and deployments can have their own"
        " (`cogyard retention`), which win.",
        default=None,
    )
    max_file: int = _setting(
        whole(1, 1 << 40), "The largest file that may be uploaded, in bytes.", default=100 << 20
    )
    max_layer: int = _setting(
        whole(1, 1 << 40), "The largest layer that may be pushed, in bytes.", default=100 << 30
    )
    registry_quota: int | None = _setting(
        whole(1, 1 << 50),
        "The most that the images of one account may hold, in bytes; a layer of several images counts once.",
        default=None,
    )
    keep_unused_layers: float = _setting(
        parse_seconds,
        "Layers that no image uses are removed this many seconds after they were last wanted; an hour at least.",
        default=86400.0,
    )
    metrics_token: str | None = _setting(
        parse_secret,
        "What opens `/metrics` for a collector, as `Authorization: Bearer …`; 16 characters or more. Administrators'"
        " own tokens open it too.",
        default=None,
    )
    traces: bool = _setting(
        parse_truth,
        "Send a span for each request and prediction by OpenTelemetry, where `OTEL_EXPORTER_OTLP_ENDPOINT` and its"
        " other variables say. Needs `cogyard[tracing]`.",
        default=False,
    )
    audit_days: int = _setting(whole(1, 36500), "Days that the audit log keeps who did what.", default=400)
    log_level: str = _setting(
        one_of("debug", "info", "warning", "error"), "What is logged, to stderr.", default="info"
    )
    log_format: str = _setting(
        one_of("text", "json"), "One line for people, or one JSON object, for each event.", default="text"
    )
    organizations: str = _setting(
        one_of("anyone", "administrators"),
        "Who may make organizations: limits count for each account, so whoever makes many has as many limits.",
        default="anyone",
    )
    rate_creates: int | None = _setting(
        whole(1, 1_000_000),
        "How many predictions and trainings an account may ask for in a minute, restarts or not; no limit without it.",
        default=None,
    )
    rate_requests: int | None = _setting(
        whole(1, 1_000_000),
        "How many other requests an account may send in a minute, counted anew after a restart; no limit without it.",
        default=None,
    )
    access_log: bool = _setting(parse_truth, "Log every request.", default=False)


#: Settings whose values are never shown.
SECRETS = frozenset({"metrics_token"})

FIELDS: Mapping[str, Field[Any]] = {one.name: one for one in fields(Settings)}


def load(
    arguments: Mapping[str, Any],
    environ: Mapping[str, str],
    file: Path | None = None,
    *,
    pairs: Mapping[str, str] = MappingProxyType({}),
) -> Settings:
    """Read the settings. Arguments that are None were not given; `pairs` are those of `--set`.

    Raises SettingsError with every problem found, not only the first; those of the file name its line.
    """
    file = file or (Path(environ["COGYARD_CONFIG"]) if environ.get("COGYARD_CONFIG") else None)
    problems: list[str] = []
    values: dict[str, Any] = {}
    from_environment = {
        name: environ[PREFIX + name.upper()] for name in FIELDS if environ.get(PREFIX + name.upper())
    }
    content = _text_of(file) if file is not None else ""
    sources = (
        (_read(file, content) if file is not None else {}, lambda name: _place(name, content, file)),
        (from_environment, lambda name: PREFIX + name.upper()),
        (
            {name: value for name, value in arguments.items() if value is not None},
            lambda name: f"--{name.replace('_', '-')}",
        ),
        (pairs, lambda name: f"--set {name}"),
    )
    for given, called in sources:
        for name, value in given.items():
            if name not in FIELDS:
                problems.append(f"{called(name)} is not a setting.{_suggestion(name, FIELDS)}")
                continue
            try:
                values[name] = FIELDS[name].metadata["parse"](value)
            except ValueError as error:
                # What was meant as a secret is not repeated: messages end in logs.
                shown = "" if name in SECRETS else f", not {value!r:.80}"
                problems.append(f"{called(name)} {error}{shown}")
    if ("tls_cert" in values) != ("tls_key" in values) and not problems:
        problems.append("tls_cert and tls_key go together: one of them is missing")
    if problems:
        raise SettingsError("\n".join(problems), hint="docs/reference/settings.md lists every setting.")
    return Settings(**values)


def misspelt_variables(environ: Mapping[str, str]) -> list[str]:
    """Say which variables look like a misspelt setting; variables of other parts have the prefix too."""
    known = {PREFIX + name.upper() for name in FIELDS}
    unknown = [name for name in sorted(environ) if name.startswith(PREFIX) and name not in known]
    close = {name: get_close_matches(name, known, n=1, cutoff=0.85) for name in unknown}
    return [f"{name} is not a setting. Did you mean {found[0]}?" for name, found in close.items() if found]


def _text_of(file: Path) -> str:
    try:
        # Editors of Windows put a mark before the first character, which TOML does not know.
        return file.read_text("utf-8-sig")
    except OSError as error:
        raise SettingsError(f"The settings file {file} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"The settings file {file} is not TOML: {error}.") from error


def _read(file: Path, content: str) -> dict[str, Any]:
    try:
        return tomllib.loads(content)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"The settings file {file} is not TOML: {error}.") from error


def _place(name: str, content: str, file: Path | None) -> str:
    """Say where a key of the file stands; settings have no tables, so the first line that begins with it is it."""
    key = re.compile(rf"""\s*\[*\s*["']?{re.escape(name)}["']?\s*[=.\]]""")
    for number, line in enumerate(content.splitlines(), start=1):
        if key.match(line):
            return f"{file}, line {number}: {name}"
    return f"{file}: {name}"


def _suggestion(name: str, known: Iterable[str]) -> str:
    close = get_close_matches(name, list(known), n=1)
    return f" Did you mean {close[0]}?" if close else ""
