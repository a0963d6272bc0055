"""The in-memory and the local blob store keep the same promises."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from cogyard.blobs.local import LocalBlobs
from cogyard.blobs.uploads import LocalUploads
from cogyard.testing.blob_contracts import (
    BlobStoreContract,
    CollectableContract,
    ExpiringUploadsContract,
    UploadsContract,
)
from cogyard.testing.blobs import MemoryBlobs, MemoryUploads

pytestmark = pytest.mark.anyio


class TestMemoryBlobs(BlobStoreContract, CollectableContract):
    @pytest.fixture
    def store(self) -> MemoryBlobs:
        """Make the fake."""
        return MemoryBlobs()


class TestMemoryUploads(UploadsContract, ExpiringUploadsContract):
    @pytest.fixture
    def store(self) -> MemoryBlobs:
        """Make the fake that commits go to."""
        return MemoryBlobs()

    @pytest.fixture
    def uploads(self, store: MemoryBlobs) -> MemoryUploads:
        """Make the fake."""
        return MemoryUploads(store)

    @pytest.fixture
    def expiring(self, uploads: MemoryUploads) -> MemoryUploads:
        """Give the same."""
        return uploads


class TestLocalBlobs(BlobStoreContract, CollectableContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[LocalBlobs]:
        """Make a store in a folder, where no test may leave anything half-written."""
        store = LocalBlobs.open(tmp_path)
        yield store
        store.close()
        assert not list((tmp_path / "tmp").iterdir())


class TestLocalUploads(UploadsContract, ExpiringUploadsContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[LocalBlobs]:
        """Make the store that commits go to."""
        store = LocalBlobs.open(tmp_path)
        yield store
        store.close()

    @pytest.fixture
    def uploads(self, store: LocalBlobs) -> LocalUploads:
        """Make uploads in the store's folder."""
        return LocalUploads(store)

    @pytest.fixture
    def expiring(self, uploads: LocalUploads) -> LocalUploads:
        """Give the same."""
        return uploads
