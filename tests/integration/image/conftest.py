"""A project built for real: base from a Debian mirror, packages from an index. Skipped where neither can be reached."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from cogyard.environment import ResolvingFailedError
from cogyard.image.build import BuiltImage, build, local_store
from cogyard.image.errors import DebianError, DownloadError
from cogyard.oci.layout import ImageStore
from cogyard.project import load_project

CONFIG = """build:
  python_version: "3.11"
  python_packages: ["markupsafe==3.0.2", "docutils==0.21.2"]
predict: "predict.py:Predictor"
"""
PREDICT = """from cog import BasePredictor, Input
from markupsafe import escape


class Predictor(BasePredictor):
    def predict(self, text: str = Input(description="whom to greet")) -> str:
        return "hello " + str(escape(text))
"""


@dataclass(frozen=True)
class Built:
    """A project, its image, and the cache it was made with."""

    folder: Path
    cache: Path
    store: ImageStore
    image: BuiltImage

    def again(self, cache: Path | None = None) -> BuiltImage:
        """Build once more, with the same cache or another one."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("COGYARD_CACHE_DIR", str(cache or self.cache))
            return build(load_project(self.folder), base="assemble")


@contextmanager
def project(factory: pytest.TempPathFactory, config: str = CONFIG) -> Iterator[tuple[Path, Path]]:
    """Lay a small project out, with a cache of its own for what builds it; give both folders."""
    folder, cache = factory.mktemp("project"), factory.mktemp("cache")
    (folder / "cog.yaml").write_text(config)
    (folder / "predict.py").write_text(PREDICT)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COGYARD_CACHE_DIR", str(cache))
        patch.setenv("UV_PYTHON_DOWNLOADS", "never")
        patch.delenv("SOURCE_DATE_EPOCH", raising=False)
        yield folder, cache


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Built]:
    """Build a small project on an assembled base."""
    with project(tmp_path_factory) as (folder, cache):
        try:
            image = build(load_project(folder), base="assemble")
        except (DownloadError, ResolvingFailedError, DebianError) as error:
            if os.environ.get("CI"):
                raise
            pytest.skip(f"no package index or Debian mirror: {error.message}")
        yield Built(folder=folder, cache=cache, store=local_store(), image=image)
