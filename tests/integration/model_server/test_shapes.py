"""Inputs of odd shapes on the real worker: files inside of objects, a project that has a cog.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.model_server.live import serving

HELLO = "data:text/plain;base64,aGVsbG8="
CLASSES = {
    "dataclass": "@dataclasses.dataclass\nclass Box:\n    file: cog.Path\n    name: str = 'x'\n",
    "TypedDict": "class Box(typing.TypedDict):\n    file: cog.Path\n    name: str\n",
    "BaseModel": "class Box(cog.BaseModel):\n    file: cog.Path\n    name: str = 'x'\n",
}
SOURCE = """import dataclasses, typing
import cog
{box}
class Predictor:
    def predict(
        self, box: Box, more: list[Box] = cog.Input(default=[]), by: dict[str, cog.Path] = cog.Input(default=None)
    ) -> str:
        get = (lambda one: one["file"]) if isinstance(box, dict) else (lambda one: one.file)
        files = [get(one) for one in [box, *more]] + list((by or {{}}).values())
        return " ".join(file.read_text() for file in files)
"""


@pytest.mark.parametrize("kind", sorted(CLASSES))
def test_files_inside_of_objects_arrive(tmp_path: Path, kind: str) -> None:
    """A Path in a class, in a list of it, in a dict."""
    (tmp_path / "predict.py").write_text(SOURCE.format(box=CLASSES[kind]))
    box = {"file": HELLO, "name": "n"}
    with serving(tmp_path) as server:
        found = server.result({"box": box, "more": [box], "by": {"a": HELLO}})
        assert (found["output"], found["error"]) == ("hello hello hello", None)
        refused = server.post({"box": {"file": "/etc/passwd", "name": "n"}})
        assert refused.json()["detail"][0]["loc"] == ["body", "input", "box", "file"]
        server.until(server.folders, lambda left: not left)


@pytest.mark.parametrize("name", ["cog.py", "cog/__init__.py", "worker.py", "json.py"])
def test_a_project_s_own_modules_do_not_hide_the_sdk(tmp_path: Path, name: str) -> None:
    """A file called like the SDK, or like a module it uses, is the author's own business."""
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("raise RuntimeError('the wrong module')\n")
    (tmp_path / "predict.py").write_text(
        "from cog import BasePredictor, Input\nclass Predictor(BasePredictor):\n"
        "    def predict(self, text: str = Input(default='a')) -> str:\n        return text\n"
    )
    with serving(tmp_path) as server:
        assert server.result({})["output"] == "a"
