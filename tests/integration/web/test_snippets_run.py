"""Real interpreters read the API tab's code as it was meant."""

from __future__ import annotations

import json
import shutil
import subprocess

import pytest
from cogyard.web.snippets import Call, LocalFile, javascript, javascript_literal, shell_document
from hypothesis import given, settings
from hypothesis import strategies as st

NODE = shutil.which("node") or ""

# No environment or argument holds a NUL, and JSON in UTF-8 holds no half of a surrogate pair.
texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"))

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=40, deadline=None)
@given(value=st.dictionaries(texts, values, max_size=3))
def test_a_shell_reads_the_json_that_was_meant(value: dict[str, object]) -> None:
    """A real shell gives curl exactly the input, whatever dollars, backticks and quotes are in it."""
    script = f"cat <<JSON\n{shell_document(value)}\nJSON\n"
    found = subprocess.run(["/bin/sh", "-c", script], capture_output=True, check=True, timeout=60)
    assert json.loads(found.stdout) == value
    assert found.stderr == b""


def test_a_shell_sends_the_file_beside_the_script(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A file in the example is read when the command runs, by a name with anything in it."""
    folder = tmp_path_factory.mktemp("shell")
    name = "it's $HOME.png"
    (folder / name).write_bytes(b"\x89PNG" * 100)
    script = f"cat <<JSON\n{shell_document({'image': LocalFile(name=name)})}\nJSON\n"
    found = subprocess.run(["/bin/sh", "-c", script], capture_output=True, check=True, timeout=60, cwd=folder)
    address = json.loads(found.stdout)["image"]
    assert address.startswith("data:application/octet-stream;base64,iVBOR4lQTkeJ")


@pytest.mark.skipif(not NODE, reason="node is not installed")
@settings(max_examples=15, deadline=None)
@given(value=st.dictionaries(texts, values, max_size=3))
def test_javascript_reads_the_value_that_was_meant(value: dict[str, object]) -> None:
    """Node evaluates the literal to the input."""
    code = f"console.log(JSON.stringify({javascript_literal(value)}))"
    found = subprocess.run([NODE, "-"], input=code.encode(), capture_output=True, check=True, timeout=60)
    assert json.loads(found.stdout) == value


@pytest.mark.skipif(not NODE, reason="node is not installed")
def test_javascript_parses() -> None:
    """Node accepts the JavaScript example as a module."""
    call = Call(
        base="http://here:8080",
        model="ada/upscale",
        version="a" * 64,
        input={"text": "` ${1} \u2028 </script>", "a-b": [1, {"x": None}], "image": LocalFile(name="in.png")},
    )
    command = [NODE, "--check", "--input-type=module", "-"]
    subprocess.run(command, input=javascript(call).encode(), check=True, timeout=60)
