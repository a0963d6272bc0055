"""The `docker` or `podman` command. Both take the same words here; contexts, hosts and credentials are the user's."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from cogyard.engine.errors import EngineError, EngineMissingError, ImageUnavailableError

NAMES = ("docker", "podman")
#: What `--engine` and COG_ENGINE may say.
CHOICES = ("auto", "none", *NAMES)

#: An engine that does not answer within this many seconds is taken for one that does not run.
_HELLO = 10.0
#: Questions about an image or a container are answered at once, unless the machine is very busy.
_ANSWER = 60.0
_SCHEMA_LABELS = ("run.cog.openapi_schema", "org.cogmodel.openapi_schema")
_OUR_SERVER = "cog_server"


@dataclass(frozen=True, kw_only=True)
class ImageFacts:
    """What is to be known of an image before it runs."""

    id: str
    labels: Mapping[str, str] = field(default_factory=dict)
    command: tuple[str, ...] = ()

    @property
    def is_ours(self) -> bool:
        """Whether our model server is inside; else it is one that Cog made."""
        return _OUR_SERVER in self.command

    @property
    def is_model(self) -> bool:
        """Whether the image says that it is a model's."""
        return self.is_ours or any(name.startswith(("run.cog.", "org.cogmodel.")) for name in self.labels)

    @property
    def weights(self) -> tuple[str, ...]:
        """The names of weights that come beside the image."""
        try:
            declared = json.loads(self.labels.get("run.cog.config", "{}")).get("weights") or []
            return tuple(str(each["name"]) for each in declared)
        except (ValueError, AttributeError, TypeError, LookupError):
            return ()

    @property
    def schema(self) -> Mapping[str, Any] | None:
        """The model's OpenAPI document from the labels, when it is there and can be read."""
        for label in _SCHEMA_LABELS:
            try:
                found = json.loads(self.labels[label])
            except (KeyError, ValueError):
                continue
            if isinstance(found, dict):
                return found
        return None


@dataclass(frozen=True, kw_only=True)
class Client:
    """A container engine's command. `name` is what the user calls it."""

    name: str
    program: Path

    def call(self, *arguments: str, seconds: float = _ANSWER) -> subprocess.CompletedProcess[str]:
        """Run the command to its end and return what it said; raise EngineError when it cannot be run."""
        try:
            return subprocess.run(
                [str(self.program), *arguments],
                capture_output=True,
                stdin=subprocess.DEVNULL,
                text=True,
                errors="replace",
                timeout=seconds,
                check=False,
                start_new_session=True,  # Ctrl-C is ours to act on
            )
        except subprocess.TimeoutExpired as error:
            raise EngineError(f"{self.name} {arguments[0]} did not end within {seconds:g} s") from error
        except OSError as error:
            raise EngineError(f"{self.program} cannot be run: {error.strerror}") from error

    def trouble(self) -> str | None:
        """Say why the engine does not answer; None when it does."""
        try:
            done = self.call("version", seconds=_HELLO)
        except EngineError as error:
            return error.message
        return None if done.returncode == 0 else last_line(done.stderr) or f"exit status {done.returncode}"

    def image(self, name: str) -> ImageFacts | None:
        """Return the facts of an image the engine has; None when it does not have it."""
        done = self.call("image", "inspect", name)
        if done.returncode != 0:
            return None
        try:
            found = json.loads(done.stdout)[0]
            config = found.get("Config") or {}
            return ImageFacts(
                id=f"sha256:{str(found['Id']).removeprefix('sha256:')}",  # which podman leaves out
                labels={str(key): str(value) for key, value in (config.get("Labels") or {}).items()},
                command=tuple(str(word) for word in config.get("Cmd") or ()),
            )
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise EngineError(f"{self.name} described the image {name} in a way not known here") from error

    def on_host_network(self, image: str) -> bool:
        """Say whether containers get the machine's own network unless told otherwise, where no port is published.

        podman does so when its containers.conf says `netns = "host"`, and tells it of a container only; so one is made,
        not started, and removed.
        """
        if self.name != "podman":
            return False
        made = self.call("create", "--pull", "never", image)
        if made.returncode != 0:
            return False  # it cannot be run either, and will say why
        container = made.stdout.strip()
        try:
            said = self.call("inspect", "--format", "{{.HostConfig.NetworkMode}}", container)
            return said.returncode == 0 and said.stdout.strip() == "host"
        finally:
            self.call("rm", "--force", container)

    def pull(self, name: str) -> None:
        """Fetch an image from its registry; the engine shows on stderr how far it is.

        Raises ImageUnavailableError.
        """
        done = subprocess.run(
            [str(self.program), "pull", name], stdin=subprocess.DEVNULL, stdout=2, check=False
        )
        if done.returncode != 0:
            raise ImageUnavailableError(
                f"{self.name} has no image {name} and could not pull it (its own message is above)",
                hint=f"Is the name right? A private registry needs `{self.name} login` first; "
                "`cog images` lists what was built here.",
            )

    def load(self, fill: Callable[[IO[bytes]], None]) -> None:
        """Give the engine the image that `fill` writes as an archive. Raises EngineError."""
        with subprocess.Popen(
            [str(self.program), "load"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        ) as process:
            assert process.stdin is not None  # noqa: S101 - asked for above
            assert process.stdout is not None  # noqa: S101 - as above
            try:
                with process.stdin as file:
                    fill(file)
            except BrokenPipeError:
                pass  # it has stopped reading; its answer says why
            except BaseException:
                process.kill()
                raise
            said = process.stdout.read().decode(errors="replace")
        if process.returncode != 0:
            raise EngineError(f"{self.name} did not take the image: {last_line(said)}")


def find(choice: str, *, which: Callable[[str], str | None] = shutil.which) -> Client | None:
    """Return the engine of a choice: `none` and an `auto` that finds none that answers give None.

    Raises EngineMissingError when the one named is not installed or does not answer.
    """
    if choice == "none":
        return None
    wanted: Sequence[str] = NAMES if choice == "auto" else (choice,)
    for name in wanted:
        program = which(name)
        if program is None:
            if choice != "auto":
                raise EngineMissingError(
                    f"there is no `{name}` command on this machine",
                    hint=f"Install {name}, or leave --engine (and COG_ENGINE) out to do without.",
                )
            continue
        client = Client(name=name, program=Path(program))
        trouble = client.trouble()
        if trouble is None:
            return client
        if choice != "auto":
            raise EngineMissingError(
                f"{name} does not answer: {trouble}",
                hint=f"Start it, or see that `{name} version` works for you.",
            )
    return None


def last_line(text: str) -> str:
    """Return the last line that says something, at most 500 characters of it."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:500] if lines else ""
