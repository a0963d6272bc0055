"""A container engine that runs one kind of step, and the suite that it and real engines pass."""

# ruff: noqa: S101 - a contract suite asserts

from __future__ import annotations

import gzip
import io
import json
import re
import tarfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import IO

from cogyard.errors import CogyardError
from cogyard.image.errors import EngineArchiveError
from cogyard.image.site import Site
from cogyard.image.steps.dockerfile import Steps
from cogyard.image.steps.engine import StepEngine
from cogyard.image.steps.layers import Below, StepLayer, run_steps
from cogyard.oci.descriptor import LAYER_GZIP, Descriptor
from cogyard.oci.layout import ImageStore
from cogyard.project import RunCommand

_ECHO = re.compile(r"RUN (?:--mount=\S+ )*echo (\S+) > /(\S+)\Z")


class FakeStepError(CogyardError):
    """A step that the fake does not know, which stands for one that fails."""

    code = "build_step_failed"


@dataclass
class FakeStepEngine:
    """An engine whose steps are `echo TEXT > /PATH`; it keeps images in memory."""

    mounts: bool = True
    name: str = "fake"
    built: list[str] = field(default_factory=list)
    """The Dockerfiles that were built."""
    secrets: dict[str, Path] = field(default_factory=dict)
    """The secrets that were given with the last build."""
    _images: dict[str, tuple[str, list[bytes]]] = field(default_factory=dict)
    """Configuration digest and plain layers by name."""

    def load(self, name: str, config_digest: str, fill: Callable[[IO[bytes]], None]) -> None:
        """Have the image `name` of this configuration; `fill` writes it as an archive where it is not there yet."""
        if name in self._images and self._images[name][0] == config_digest:
            return
        out = io.BytesIO()
        fill(out)
        out.seek(0)
        with tarfile.open(fileobj=out) as archive:
            (entry,) = json.loads(_member(archive, "manifest.json"))
            layers = [gzip.decompress(_member(archive, path)) for path in entry["Layers"]]
        self._images[name] = (config_digest, layers)

    def build(
        self,
        name: str,
        dockerfile: str,
        *,
        secrets: Mapping[str, Path],
        fresh: bool,  # noqa: ARG002 - nothing is remembered here
        on_line: Callable[[str], None],
    ) -> None:
        """Build the image `name`, passing on what is said line by line."""
        first, *rest = dockerfile.splitlines()
        _, layers = self._images[first.removeprefix("FROM ")]
        layers = list(layers)
        for line in rest:
            on_line(line)
            match = _ECHO.match(line)
            if match is None:
                raise FakeStepError(f"a step failed in fake: {line}")
            layers.append(make_tar({match[2]: f"{match[1]}\n".encode()}))
        self.built.append(dockerfile)
        self.secrets = dict(secrets)
        self._images[name] = ("", layers)

    @contextmanager
    def save(self, name: str) -> Iterator[IO[bytes]]:
        """Give an image as a docker archive, to be read once from its beginning to its end."""
        _, layers = self._images[name]
        diff_ids = [f"sha256:{sha256(layer).hexdigest()}" for layer in layers]
        files = {f"{number}/layer.tar": layer for number, layer in enumerate(layers)}
        entry = {"Config": "config.json", "Layers": list(files)}
        files["config.json"] = json.dumps({"rootfs": {"diff_ids": diff_ids}}).encode()
        files["manifest.json"] = json.dumps([entry]).encode()
        yield io.BytesIO(make_tar(files))


class StepEngineContract:
    """What every engine that builds keeps. A subclass gives the fixtures `engine` and `below`.

    `below` is an image with a shell, in the store of `site`; for the fake any layer will do.
    """

    def test_each_step_is_a_layer(self, engine: StepEngine, below: Below, site: Site) -> None:
        """Two steps give two layers, in their order, and each holds what its step wrote."""
        layers, made = _run(engine, below, site, "echo one > /first", "echo two > /second")
        assert made
        assert [layer.title for layer in layers] == ["echo one > /first", "echo two > /second"]
        assert [layer.kind for layer in layers] == ["run", "run"]
        assert _file(site.store, layers[0], "first") == b"one\n"
        assert _file(site.store, layers[1], "second") == b"two\n"

    def test_what_was_run_is_remembered(self, engine: StepEngine, below: Below, site: Site) -> None:
        """The same steps over the same layers are the same layers, without the engine; other steps are not."""
        first, _ = _run(engine, below, site, "echo one > /first")
        again, made = _run(engine, below, site, "echo one > /first")
        assert again == first
        assert not made
        other, made = _run(engine, below, site, "echo other > /first")
        assert made
        assert other != first

    def test_a_failed_step_is_an_error(self, engine: StepEngine, below: Below, site: Site) -> None:
        """It carries the engine's last words, and nothing is remembered of it."""
        failed: CogyardError | None = None
        try:
            _run(engine, below, site, "no-such-program-anywhere")
        except CogyardError as error:
            failed = error
        assert failed is not None
        assert failed.code == "build_step_failed"
        assert "no-such-program-anywhere" in failed.message


def _run(engine: StepEngine, below: Below, site: Site, *commands: str) -> tuple[tuple[StepLayer, ...], bool]:
    steps = Steps(commands=tuple(RunCommand(command=each) for each in commands))
    return run_steps("localhost/cogyard/suite", below, steps, engine, site, secrets={})


def _file(store: ImageStore, layer: StepLayer, name: str) -> bytes:
    data = gzip.decompress(store.path(layer.descriptor.digest).read_bytes())
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        found = {each.name.removeprefix("./"): each for each in archive}
        file = archive.extractfile(found[name])
        return file.read() if file is not None else b""


def _member(archive: tarfile.TarFile, name: str) -> bytes:
    file = archive.extractfile(name)
    if file is None:
        raise EngineArchiveError(f"the archive has no {name}")
    return file.read()


def make_tar(files: Mapping[str, bytes]) -> bytes:
    """Return a plain archive of these files."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def layer_below(store: ImageStore, files: Mapping[str, bytes]) -> Below:
    """Return a ground of one layer with these files, in the store."""
    plain = make_tar(files)
    packed = gzip.compress(plain, mtime=0)
    descriptor = Descriptor(media_type=LAYER_GZIP, digest=store.write(packed), size=len(packed))
    return Below(
        architecture="amd64", layers=[(descriptor, f"sha256:{sha256(plain).hexdigest()}")], env=["PATH=/bin"]
    )
