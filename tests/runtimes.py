"""The models that every runtime is tested with, and the fixtures of the runtimes' contracts that name them."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from cogyard.instances.server import HttpModelServer
from cogyard.testing.images import HELLO, TestImage
from cogyard.testing.instances import DiskContract, RuntimeContract

COUNTING = """
from typing import Iterator
from cog import BasePredictor

class Predictor(BasePredictor):
    def predict(self, n: int = 3) -> Iterator[int]:
        yield from range(n)
"""
ENDLESS = """
import time
from typing import Iterator
from cog import BasePredictor

class Predictor(BasePredictor):
    def predict(self) -> Iterator[str]:
        yield "begun"
        time.sleep(600)
"""
BROKEN = """
from cog import BasePredictor

class Predictor(BasePredictor):
    def setup(self) -> None:
        print("loading weights")
        raise RuntimeError("no such weights")

    def predict(self) -> str:
        return ""
"""
WRITING = """
import os, time
from cog import BasePredictor

class Predictor(BasePredictor):
    def predict(self, mib: int, place: str, seconds: float = 0) -> str:
        with open(place, "wb") as file:
            for _ in range(mib):
                file.write(os.urandom(1 << 20))
        time.sleep(seconds)
        os.remove(place)
        return "written"
"""
#: What `RuntimeContract` runs, by the fixture that names its version.
PREDICTORS = {"hello": HELLO, "counting": COUNTING, "endless": ENDLESS, "broken": BROKEN}


class RealRuntimeContract(RuntimeContract):
    """The promises, kept by real model servers. A subclass gives `runtime` and `images`: one for each predictor."""

    @pytest.fixture
    def connect(self) -> object:
        """Speak HTTP over the instance's socket."""
        return HttpModelServer

    @pytest.fixture
    def hello(self, images: Mapping[str, TestImage]) -> str:
        """Name the version that greets."""
        return images["hello"].version

    @pytest.fixture
    def counting(self, images: Mapping[str, TestImage]) -> str:
        """Name the version that counts."""
        return images["counting"].version

    @pytest.fixture
    def endless(self, images: Mapping[str, TestImage]) -> str:
        """Name the version that never ends."""
        return images["endless"].version

    @pytest.fixture
    def broken(self, images: Mapping[str, TestImage]) -> str:
        """Name the version whose setup fails."""
        return images["broken"].version


class RealDiskContract(DiskContract):
    """The promises about what is written, kept by real ones. A subclass gives `runtime` and `written`, the image."""

    @pytest.fixture
    def connect(self) -> object:
        """Speak HTTP over the instance's socket."""
        return HttpModelServer

    @pytest.fixture
    def writing(self, written: TestImage) -> str:
        """Name the version that writes."""
        return written.version
