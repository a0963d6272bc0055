"""What is kept in the cache's folder."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from cogyard.environment.cache import Memory, write
from cogyard.environment.errors import CacheError


def test_what_is_remembered_is_for_nobody_else_to_read(tmp_path: Path) -> None:
    """A cog.yaml may hold a password, and its own mode is not known here; layers and locks are for all."""
    memory = Memory(tmp_path / "projects")
    assert memory.recall("a") is None
    memory.keep("a", b"text")
    assert memory.recall("a") == b"text"
    assert stat.S_IMODE((tmp_path / "projects" / "a").stat().st_mode) == 0o600
    write(tmp_path / "b", b"text")
    assert stat.S_IMODE((tmp_path / "b").stat().st_mode) == 0o644
    assert {each.name for each in (tmp_path / "projects").iterdir()} == {"a"}


def test_a_cache_that_cannot_be_written_remembers_nothing(tmp_path: Path) -> None:
    """It is no reason to end a command that would do without."""
    (tmp_path / "file").write_bytes(b"")
    memory = Memory(tmp_path / "file")
    memory.keep("a", b"text")
    assert memory.recall("a") is None
    with pytest.raises(CacheError, match="cannot be made"):
        write(tmp_path / "file" / "a", b"text")
