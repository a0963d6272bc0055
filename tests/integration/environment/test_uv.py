"""uv is found by several threads at once."""

from __future__ import annotations

import subprocess
import sys

import pytest

# In a process of its own: what it spoils is the whole interpreter's.
CODE = """
import sysconfig, threading, time

reading = sysconfig._init_posix
def slowly(variables):
    time.sleep(0.1)
    reading(variables)
sysconfig._init_posix, sysconfig._CONFIG_VARS = slowly, None

from cogyard.environment.uv import binary

found = []
threads = [threading.Thread(target=lambda: found.append(binary())) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(len(found), len(set(found)))
"""


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="Python reads its configuration under a lock")
def test_uv_is_found_while_another_thread_looks_for_it() -> None:
    """Python's own configuration is half read in that moment, which broke one build in many."""
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=False)
    assert (done.stdout.split(), done.stderr) == (["4", "1"], "")
