"""Hashes that stand in requirements are held against what was found."""

from __future__ import annotations

from typing import Any

import pytest
from cogyard.environment.errors import UnresolvableError
from cogyard.environment.trusted import only_trusted

A, B, C = ("0a" * 32, "0b" * 32, "0c" * 32)


def document() -> dict[str, Any]:
    """Make a lock of a package with three files, and of one with an archive."""
    return {
        "packages": [
            {
                "name": "six",
                "version": "1.16.0",
                "sdist": {"url": "https://x.example/six.tar.gz", "hashes": {"sha256": A}},
                "wheels": [
                    {"url": "https://x.example/six-1.whl", "hashes": {"sha256": B}},
                    {"url": "https://x.example/six-2.whl", "hashes": {"sha256": C}},
                ],
            },
            {
                "name": "mine",
                "archive": {"path": "/wheels/mine-1.0-py3-none-any.whl", "hashes": {"sha256": A}},
            },
        ]
    }


def test_without_hashes_nothing_is_left_out() -> None:
    """Most requirements have none."""
    assert only_trusted(document(), ["six==1.16.0", "mine"], "the project") == document()


def test_only_files_that_are_named_are_locked() -> None:
    """In whatever case a hash is written, and whichever line names it."""
    lines = [f"Six==1.16.0 --hash=sha256:{B.upper()}", "mine", f"six --hash=sha256:{'0d' * 32}"]
    six, mine = only_trusted(document(), lines, "the project")["packages"]
    assert [each["hashes"]["sha256"] for each in six["wheels"]] == [B]
    assert "sdist" not in six
    assert mine == document()["packages"][1]


@pytest.mark.parametrize(
    "line",
    [f"six==1.16.0 --hash=sha256:{'0' * 64}", f"file:///wheels/mine-1.0-py3-none-any.whl --hash=sha256:{B}",
     f"six==1.16.0 --hash=sha512:{'0' * 128}"],
)  # fmt: skip
def test_a_package_of_which_no_file_is_named_is_refused(line: str) -> None:
    """With the hashes that were asked for, those that there are, and what to do."""
    with pytest.raises(UnresolvableError) as error:
        only_trusted(document(), [line], "the project")
    assert "has a hash that the project names" in error.value.message
    assert A in error.value.message or B in error.value.message
    assert error.value.hint is not None
