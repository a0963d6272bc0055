"""Examples that test themselves."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable

import pytest

from tests.e2e.examples_more.project import EXAMPLES, Example

pytestmark = [pytest.mark.slow, pytest.mark.network]
NAMES = sorted(path.parent.name for path in EXAMPLES.glob("*/cog-test.yaml"))


@pytest.mark.parametrize("name", NAMES)
def test_its_own_tests_pass(example: Callable[[str], Example], name: str) -> None:
    """`cog test` in an example's folder runs what its cog-test.yaml says, and all of it holds."""
    found = example(name)
    if name == "speak" and shutil.which("espeak-ng") is None:
        pytest.skip("espeak-ng is not installed (apt-get install espeak-ng)")
    done = found.cog("test", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)
