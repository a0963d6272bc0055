"""The Dockerfile: what an engine runs, and the whole of an image for those who build without us. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from cogyard.image.errors import BuildNotPossibleError
from cogyard.project import RunCommand

#: Where the archives of system packages lie while they are installed; the layer that holds them is not kept.
DEBS = "opt/cog/debs"
#: Shell form would read these as something else than words of the command.
_NOT_SHELL = r"\s*(\[|--)|.*(<<|\\\s*\Z)"
#: What an id or a target may not hold: both stand in one word of `--mount`.
_MOUNT_WORD = re.compile(r"[^\s,\"']+\Z")
#: Downloads of pip are kept between builds and out of the image.
_CACHE = "--mount=type=cache,target=/root/.cache/pip"
_DPKG = f"""\
RUN export DEBIAN_FRONTEND=noninteractive; \\
    dpkg() {{ command dpkg --force-bad-path --force-confnew --force-unsafe-io "$@"; }}; \\
    for round in 1 2 3; do \\
        dpkg -E --force-depends --unpack /{DEBS}/*.deb && dpkg --configure --pending && exit 0; \\
        dpkg --configure --pending; \\
    done; exit 1"""
_APT = """\
RUN apt-get update -qq && \\
    DEBIAN_FRONTEND=noninteractive apt-get install -qqy --no-install-recommends {names} && \\
    rm -rf /var/lib/apt/lists/*"""


class Steps(msgspec.Struct, frozen=True, kw_only=True):
    """What an engine runs, in this order.

    `dpkg` are packages whose archives lie in /opt/cog/debs, `apt` those that apt fetches.
    """

    dpkg: tuple[str, ...] = ()
    apt: tuple[str, ...] = ()
    commands: tuple[RunCommand, ...] = ()

    @property
    def system(self) -> tuple[str, ...]:
        """The system packages, however they come."""
        return self.dpkg or self.apt

    @property
    def secrets(self) -> tuple[str, ...]:
        """The ids of the secrets that the commands mount."""
        return tuple(dict.fromkeys(mount.id for command in self.commands for mount in command.mounts))

    def titles(self) -> tuple[str, ...]:
        """Return what each instruction does, in a few words."""
        packages = (" ".join(self.system),) if self.system else ()
        return (*packages, *(command.command for command in self.commands))


def check_mounts(commands: Iterable[RunCommand], *, mounts: bool) -> None:
    """Raise BuildNotPossibleError for a secret that cannot be mounted, or where there are no `mounts` at all."""
    for command in commands:
        for mount in command.mounts:
            if not mounts:
                raise BuildNotPossibleError(
                    f"the step {command.command[:60]!r} mounts the secret {mount.id!r}, "
                    "which the older builder of Docker cannot do",
                    hint="Use BuildKit (DOCKER_BUILDKIT=1; newer clients need the buildx plugin), or --builder podman.",
                )
            if not (_MOUNT_WORD.match(mount.id) and _MOUNT_WORD.match(mount.target)):
                raise BuildNotPossibleError(
                    f"the secret {mount.id!r} cannot be mounted at {mount.target!r}",
                    hint="Neither may hold spaces, commas or quotes.",
                )


def steps_dockerfile(base: str, steps: Steps, *, mounts: bool) -> str:
    """Return the Dockerfile of the steps alone, over an image `base`; `mounts` says that RUN takes mounts."""
    # No `# syntax=` line: it would fetch a program from a registry that may be out of reach.
    return "\n".join([f"FROM {base}", *instructions(steps, mounts=mounts)]) + "\n"


def instructions(steps: Steps, *, mounts: bool) -> list[str]:
    """Return one RUN for the system packages and one for each command."""
    import shlex

    lines = []
    if steps.dpkg:
        # All are unpacked before any is set up. A script that runs before unpacking may need another package set up
        # first, which the next round finds. A slim base lacks `diff`, which only shows people changes.
        lines.append(_DPKG)
    if steps.apt:
        names = " ".join(shlex.quote(name) for name in steps.apt)
        lines.append(_APT.format(names=names))
    lines.extend(_run(command, mounts=mounts) for command in steps.commands)
    return lines


class Whole(msgspec.Struct, frozen=True, kw_only=True):
    """A whole image as a Dockerfile tells it; `below` and `above` are archives beside it, added around the steps."""

    base: str
    below: Sequence[str]
    steps: Steps
    above: Sequence[str]
    env: Iterable[str]
    labels: Mapping[str, str]
    entrypoint: Sequence[str]
    cmd: Sequence[str]
    folder: str
    port: str


def whole_dockerfile(image: Whole, *, mounts: bool) -> str:
    """Return the Dockerfile that makes the whole image with nothing but an engine and the archives beside it."""
    settings = [
        f"ENV {name}={_quoted(value)}" for name, _, value in (each.partition("=") for each in image.env)
    ]
    # A builder keeps no line break inside a value.
    labels = {name: value for name, value in image.labels.items() if "\n" not in value}
    lines = [
        *(
            f"# Say --label {name}=… too: its value has several lines."
            for name in image.labels
            if name not in labels
        ),
        f"FROM {image.base}",
        *(f"ADD {json.dumps([each, '/'])}" for each in image.below),
        *settings,
        *instructions(image.steps, mounts=mounts),
        *(f"ADD {json.dumps([each, '/'])}" for each in image.above),
        *(f"LABEL {name}={_quoted(value)}" for name, value in labels.items()),
        f"WORKDIR {image.folder}",
        f"EXPOSE {image.port}",
        f"ENTRYPOINT {json.dumps(list(image.entrypoint))}",
        f"CMD {json.dumps(list(image.cmd))}",
    ]
    return "\n".join(lines) + "\n"


def _run(command: RunCommand, *, mounts: bool) -> str:
    words = [_CACHE] if mounts else []
    words.extend(
        f"--mount=type=secret,id={mount.id},target={mount.target},required=true" for mount in command.mounts
    )
    text = command.command.strip()
    words.append(json.dumps(["/bin/sh", "-c", text]) if re.match(_NOT_SHELL, text) else text)
    return f"RUN {' '.join(words)}"


def _quoted(value: str) -> str:
    """Return a value as one quoted word, with nothing left for the builder to put in."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$")
    return f'"{escaped}"'
