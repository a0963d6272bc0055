"""What an engine gives back is taken in only as far as it is what was asked for."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import pytest
from cogyard.image.build import steps_name
from cogyard.image.errors import EngineArchiveError
from cogyard.image.site import Site
from cogyard.image.steps.dockerfile import Steps
from cogyard.image.steps.layers import Below, StepLayer, run_steps
from cogyard.oci.layout import ImageStore
from cogyard.oci.reference import Reference
from cogyard.project import RunCommand, load_project
from cogyard.testing.steps import FakeStepEngine, layer_below
from msgspec.structs import replace

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


def test_builds_of_one_name_take_turns(site: Site, below: Below) -> None:
    """The engine's images have that name, so two at once would take each other's; who waited finds what was made."""
    inside, most = list[str](), list[int]()

    @dataclass
    class Watched(FakeStepEngine):
        """An engine that notes who is in it."""

        def build(self, name: str, dockerfile: str, **options: object) -> None:
            """Stay for a moment."""
            inside.append(name)
            most.append(len(inside))
            time.sleep(0.02)
            super().build(name, dockerfile, **options)  # type: ignore[arg-type] # as above
            inside.remove(name)

    engine = Watched()
    others = replace(STEPS, commands=(RunCommand(command="echo two > /second"),))
    with ThreadPoolExecutor() as pool:
        asked = [
            pool.submit(run_steps, NAME, below, steps, engine, site, secrets={})
            for steps in (STEPS, others, STEPS)
        ]
        first, second, again = (each.result()[0] for each in asked)
    assert first == again != second
    assert most == [1, 1]


def test_folders_of_one_name_have_images_of_their_own(tmp_path: Path) -> None:
    """Two projects called the same never meet in the engine; one folder's images are named the same each time."""
    names = []
    for parent in ("a", "b", "a"):
        folder = tmp_path / parent / "model"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "cog.yaml").write_text('build: {python_version: "3.11"}\n')
        names.append(steps_name(load_project(folder)))
    assert names[0] == names[2] != names[1]
    assert Reference.parse(f"{names[0]}:below").tag == "below"
