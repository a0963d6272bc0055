"""What an engine gives back is taken in only as far as it is what was asked for."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import pytest
from cogyard.image.errors import EngineArchiveError
from cogyard.image.site import Site
from cogyard.image.steps.dockerfile import Steps
from cogyard.image.steps.layers import Below, StepLayer, run_steps
from cogyard.oci.layout import ImageStore
from cogyard.project import RunCommand
from cogyard.testing.steps import FakeStepEngine, layer_below

STEPS = Steps(commands=(RunCommand(command="echo one > /first"),))
NAME = "localhost/cogyard/x"


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """Give a store."""
    return Site(store=ImageStore(tmp_path / "images"), cache=tmp_path)


@pytest.fixture
def below(site: Site) -> Below:
    """Give a layer to stand on."""
    return layer_below(site.store, {"etc/base": b"base"})


def run(engine: FakeStepEngine, below: Below, site: Site) -> tuple[StepLayer, ...]:
    """Run the steps."""
    return run_steps(NAME, below, STEPS, engine, site, secrets={"token": Path("/token")})[0]


@dataclass
class Broken(FakeStepEngine):
    """An engine whose archive is another one, or cut short."""

    cut: int | None = None
    other: bool = False

    @contextmanager
    def save(self, name: str) -> Iterator[IO[bytes]]:
        """Give an archive that is not what was built."""
        if self.other:
            self._images[name] = ("", self._images[name][1][1:])
        with super().save(name) as archive:
            yield io.BytesIO(archive.read()[: self.cut])


def test_layers_of_another_image_are_refused(site: Site, below: Below) -> None:
    """An archive that does not stand on what was given (two builds at once) is not taken, nor remembered."""
    with pytest.raises(EngineArchiveError, match="other layers"):
        run(Broken(other=True), below, site)
    assert len(run(FakeStepEngine(), below, site)) == 1


@pytest.mark.parametrize("cut", [0, 100, 1000])
def test_an_archive_that_ends_early_is_refused(site: Site, below: Below, cut: int) -> None:
    """A broken archive is named as the engine's, and leaves nothing half-written."""
    with pytest.raises(EngineArchiveError, match="fake"):
        run(Broken(cut=cut), below, site)
    assert list((site.store.root / "tmp").iterdir()) == []


def test_secrets_go_to_the_engine_alone(site: Site, below: Below) -> None:
    """They are handed over as files, and are no part of what names the layers: a changed one runs nothing again."""
    engine = FakeStepEngine()
    first = run(engine, below, site)
    assert engine.secrets == {"token": Path("/token")}
    again, made = run_steps(NAME, below, STEPS, engine, site, secrets={"token": Path("/other")})
    assert again == first
    assert not made
    assert len(engine.built) == 1


def test_the_archives_of_system_packages_are_not_kept(site: Site, below: Below, tmp_path: Path) -> None:
    """Dpkg finds them in a layer of its own, above what was there; that layer is no part of the image."""
    deb = tmp_path / "tool.deb"
    deb.write_bytes(b"archive")
    seen: list[str] = []

    @dataclass
    class Dpkg(FakeStepEngine):
        """An engine that has dpkg."""

        def build(self, name: str, dockerfile: str, **options: object) -> None:
            """Look at what was given, and run the command only."""
            import tarfile

            layers = self._images[f"{NAME}:below"][1]
            with tarfile.open(fileobj=io.BytesIO(layers[-1])) as archive:
                seen.extend(archive.getnames())
            lines = [line for line in dockerfile.splitlines() if line.startswith("FROM") or "echo" in line]
            super().build(name, "\n".join(lines), **options)  # type: ignore[arg-type] # as above

    steps = Steps(dpkg=("tool",), commands=STEPS.commands)
    ground = Below(
        architecture=below.architecture, layers=below.layers, env=below.env, debs=lambda: {"tool.deb": deb}
    )
    layers, _ = run_steps(NAME, ground, steps, Dpkg(), site, secrets={})
    assert "opt/cog/debs/tool.deb" in seen
    assert len(layers) == 1
