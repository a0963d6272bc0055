"""Ctrl-C in the first moments of a command."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

COG = Path(sys.executable).parent / "cog"
# A finder that interrupts the process when click is imported: the middle of the start, whatever the machine's speed.
INTERRUPTING = """
import os, signal, sys
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "click":
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Finder())
sys.argv = ["cog", "schema"]
from cogyard.cli.start import cog
cog()
"""


def test_an_interruption_while_importing_is_a_quiet_end() -> None:
    """No traceback, and the exit status of any other Ctrl-C."""
    done = subprocess.run([sys.executable, "-c", INTERRUPTING], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


@pytest.mark.parametrize("arguments", [["--help"], ["--version"]])
def test_the_commands_start_there(arguments: list[str]) -> None:
    """What is installed as `cog` is what is tested here."""
    assert "cogyard.cli.start" in COG.read_text()
    done = subprocess.run([str(COG), *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0
