"""The fake engine keeps what real ones keep (those are in tests/integration/image/test_step_engines.py)."""

from __future__ import annotations

from pathlib import Path

import pytest
from cogyard.image.site import Site
from cogyard.image.steps.engine import StepEngine
from cogyard.image.steps.layers import Below
from cogyard.oci.layout import ImageStore
from cogyard.testing.steps import FakeStepEngine, StepEngineContract, layer_below


class TestFakeStepEngine(StepEngineContract):
    @pytest.fixture
    def engine(self) -> StepEngine:
        """Make the fake."""
        return FakeStepEngine()

    @pytest.fixture
    def site(self, tmp_path: Path) -> Site:
        """Make a store."""
        return Site(store=ImageStore(tmp_path / "images"), cache=tmp_path)

    @pytest.fixture
    def below(self, site: Site) -> Below:
        """Give any layer to stand on."""
        return layer_below(site.store, {"etc/base": b"base"})
