"""The fake runtime and the process runtime keep the same promises."""

from __future__ import annotations

import pytest
from cogyard.testing.instances import FakeModel, FakeRuntime, RuntimeContract, count, echo, forever

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
