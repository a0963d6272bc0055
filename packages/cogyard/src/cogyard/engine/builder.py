"""Build with an engine: its `build` command, for BuildKit, Docker's older builder, and podman."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from cogyard.engine.client import Client, last_line
from cogyard.engine.errors import BuildFailedError, EngineError

#: The network of steps, as `docker build --network` takes it.
NETWORK = "COGYARD_BUILD_NETWORK"
_BUILDKIT = "DOCKER_BUILDKIT"
#: From this version on docker's command leaves BuildKit to a plugin.
_PLUGIN = 23
#: Lines of a failed build that are shown.
_TAIL = 20


@dataclass(frozen=True, kw_only=True)
class Builder:
    """An engine that builds. `mounts` is false for Docker's older builder alone."""

    client: Client
    mounts: bool
    network: str | None = None
    variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What a person calls it."""
        if self.client.name != "docker":
            return self.client.name
        return "docker (BuildKit)" if self.mounts else "docker (the older builder)"

    def load(self, name: str, config_digest: str, fill: Callable[[IO[bytes]], None]) -> None:
        """Have the image `name` of this configuration; `fill` writes it as an archive where it is not there yet."""
        there = self.client.image(name)
        if there is None or there.id.removeprefix("sha256:") != config_digest.removeprefix("sha256:"):
            self.client.load(fill)

    def build(
        self,
        name: str,
        dockerfile: str,
        *,
        secrets: Mapping[str, Path],
        fresh: bool,
        on_line: Callable[[str], None],
    ) -> None:
        """Build the image `name`, passing on what is said line by line.

        Raises BuildFailedError with the last words.
        """
        with tempfile.TemporaryDirectory(prefix="cogyard-") as folder:
            (Path(folder) / "Dockerfile").write_text(dockerfile, "utf-8")
            words = [str(self.client.program), "build", "--tag", name]
            words += ["--network", self.network] if self.network else []
            words += ["--no-cache"] if fresh else []
            words += ["--progress", "plain"] if self.mounts and self.client.name == "docker" else []
            # Docker's older builder keeps the container of a step that failed; the others do not.
            words += [] if self.mounts else ["--force-rm"]
            if self.mounts:
                for secret, path in secrets.items():
                    words += ["--secret", f"id={secret},src={path}"]
            status, tail = self._run([*words, folder], on_line)
        if status != 0:
            said = "\n".join(f"  {line}" for line in tail)
            raise BuildFailedError(f"a step failed in {self.name} (exit status {status}):\n{said}")

    @contextmanager
    def save(self, name: str) -> Iterator[IO[bytes]]:
        """Give an image as a docker archive, to be read once from its beginning to its end."""
        words = [str(self.client.program), "save"]
        words += ["--format", "docker-archive"] if self.client.name == "podman" else []
        with (
            tempfile.TemporaryFile() as said,
            subprocess.Popen(
                [*words, name], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=said
            ) as process,
        ):
            assert process.stdout is not None  # noqa: S101 - asked for above
            try:
                yield process.stdout
                while process.stdout.read(1 << 20):
                    pass  # what follows the archive's end
            except BaseException:
                process.kill()
                raise
            status = process.wait()
            said.seek(0)
            words_said = last_line(said.read().decode(errors="replace"))
        if status != 0:
            raise EngineError(f"{self.client.name} did not give its image: {words_said}")

    def _run(self, words: list[str], on_line: Callable[[str], None]) -> tuple[int, list[str]]:
        tail: deque[str] = deque(maxlen=_TAIL)
        with subprocess.Popen(
            words,
            env={**os.environ, **self.variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
        ) as process:
            try:
                assert process.stdout is not None  # noqa: S101 - asked for above
                for line in process.stdout:
                    if text := line.rstrip():
                        tail.append(text[:500])
                        on_line(text[:200])
            except BaseException:
                process.terminate()
                raise
        return process.returncode, list(tail)


def builder_of(client: Client, environment: Mapping[str, str]) -> Builder:
    """Return how this engine builds here: BuildKit where it is to be had, unless DOCKER_BUILDKIT says otherwise."""
    network = environment.get(NETWORK) or None
    if client.name != "docker":
        return Builder(client=client, mounts=True, network=network)
    asked = environment.get(_BUILDKIT, "")
    buildkit = asked != "0" if asked else _has_buildkit(client)
    variables = {_BUILDKIT: "1" if buildkit else "0"}
    return Builder(client=client, mounts=buildkit, network=network, variables=variables)


def _has_buildkit(client: Client) -> bool:
    version = client.call("version", "--format", "{{.Client.Version}}").stdout.strip()
    major = version.partition(".")[0]
    if major.isdigit() and int(major) < _PLUGIN:
        return True
    return client.call("buildx", "version").returncode == 0
