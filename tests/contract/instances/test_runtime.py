"""The fake runtime and the real ones keep the same promises."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest
from cogyard.instances.environments import UvEnvironments
from cogyard.instances.layers import LayerCache
from cogyard.instances.limits import InstanceLimits
from cogyard.instances.process import ProcessOptions, ProcessRuntime
from cogyard.instances.sandbox import SandboxRuntime
from cogyard.testing.blobs import MemoryBlobs
from cogyard.testing.images import TestImage, TestVersions, make_image
from cogyard.testing.instances import (
    FakeModel,
    FakeRuntime,
    RuntimeContract,
    count,
    echo,
    forever,
)
from cogyard.testing.whole_images import make_whole_image

from tests.marks import mark_of
from tests.runtimes import PREDICTORS, WRITING, RealDiskContract, RealRuntimeContract
from tests.sandboxes import sandbox_runtime

pytestmark = pytest.mark.anyio


class TestFakeRuntime(RuntimeContract):
    @pytest.fixture
    def runtime(self) -> FakeRuntime:
        """Make the fake with a model for each behaviour."""
        return FakeRuntime(
            {
                "hello": FakeModel(echo),
                "counting": FakeModel(count),
                "endless": FakeModel(forever),
                "broken": FakeModel(echo, setup="fail"),
            }
        )

    @pytest.fixture
    def connect(self, runtime: FakeRuntime) -> object:
        """Give the fake's servers."""
        return runtime.connect

    @pytest.fixture
    def hello(self) -> str:
        """Name the version that greets."""
        return "hello"

    @pytest.fixture
    def counting(self) -> str:
        """Name the version that counts."""
        return "counting"

    @pytest.fixture
    def endless(self) -> str:
        """Name the version that never ends."""
        return "endless"

    @pytest.fixture
    def broken(self) -> str:
        """Name the version whose setup fails."""
        return "broken"


PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"

IMAGES = {name: make_image(predict, python=PYTHON) for name, predict in PREDICTORS.items()}


class TestProcessRuntime(RealRuntimeContract):
    @pytest.fixture
    async def runtime(self, tmp_path: Path) -> ProcessRuntime:
        """Make the real one, over blobs in memory."""
        blobs = MemoryBlobs()
        for image in IMAGES.values():
            await image.put(blobs)
        (tmp_path / "layers").mkdir()
        options = ProcessOptions(
            root=tmp_path / "i",
            sockets=tmp_path / "s",
            home=tmp_path / "home",
            mark=mark_of(tmp_path),
            base="http://127.0.0.1:1",
        )
        return ProcessRuntime(
            options, TestVersions(*IMAGES.values()), LayerCache(tmp_path / "layers", blobs), UvEnvironments()
        )

    @pytest.fixture
    def images(self) -> dict[str, TestImage]:
        """Give those that need an environment."""
        return IMAGES


WRITES = replace(InstanceLimits(), memory=1 << 30, scratch=64 << 20)


@pytest.fixture(scope="module")
def whole() -> dict[str, TestImage]:
    """Make images that run by themselves."""
    if sys.platform != "linux":
        pytest.skip("whole images are made on Linux")
    return {name: make_whole_image(predict) for name, predict in PREDICTORS.items()}


class _Whole(RealRuntimeContract):
    """The promises, kept by images that bring everything along."""

    @pytest.fixture
    def images(self, whole: dict[str, TestImage]) -> dict[str, TestImage]:
        """Give those that run by themselves."""
        return whole


class TestSandboxRuntime(_Whole):
    @pytest.fixture
    async def runtime(self, tmp_path: Path, whole: dict[str, TestImage], layers: Path) -> SandboxRuntime:
        """Make the real one, over layers that are unpacked once."""
        return await sandbox_runtime(tmp_path, *whole.values(), layers=layers)


class TestSandboxWithoutOverlay(_Whole):
    @pytest.fixture
    async def runtime(self, tmp_path: Path, whole: dict[str, TestImage], layers: Path) -> SandboxRuntime:
        """Make one as where the kernel lets nobody mount an overlay."""
        return await sandbox_runtime(tmp_path, *whole.values(), layers=layers, overlay=False)


class TestSandboxDisk(RealDiskContract):
    @pytest.fixture
    async def runtime(self, tmp_path: Path, written: TestImage, layers: Path) -> SandboxRuntime:
        """Make one whose instances may write little."""
        return await sandbox_runtime(tmp_path, written, layers=layers, limits=WRITES)


class TestSandboxDiskWithoutOverlay(TestSandboxDisk):
    @pytest.fixture
    async def runtime(self, tmp_path: Path, written: TestImage, layers: Path) -> SandboxRuntime:
        """Make one as where the kernel lets nobody mount an overlay."""
        return await sandbox_runtime(tmp_path, written, layers=layers, limits=WRITES, overlay=False)


@pytest.fixture(scope="module")
def written() -> TestImage:
    """Make the image that writes."""
    if sys.platform != "linux":
        pytest.skip("whole images are made on Linux")
    return make_whole_image(WRITING)


@pytest.fixture(scope="module")
def layers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Keep unpacked layers for all tests of this module."""
    return tmp_path_factory.mktemp("layers")
