"""The pages made from the table of keys."""

from __future__ import annotations

import json
from pathlib import Path

import fastjsonschema
import pytest
import yaml
from cogyard.project import ProjectError, load_project, reference
from cogyard.project.keys import KEYS, OBSOLETE

ROOT = Path(__file__).resolve().parents[3]


def test_the_page_and_the_schema_are_up_to_date() -> None:
    """What is committed is what the table gives; `scripts/docs.py` writes it."""
    assert (ROOT / "docs/reference/cog-yaml.md").read_text() == reference.page()
    assert (ROOT / "spec/cog-yaml.schema.json").read_text() == reference.schema_text()


def test_every_key_has_a_heading() -> None:
    """The page leaves no key out."""
    page = reference.page()
    assert all(f"\n## {key.path}\n" in page for key in KEYS)


def test_the_schema_knows_every_key() -> None:
    """An editor completes what the parser reads."""
    schema = json.loads(reference.schema_text())
    old = {path.removeprefix("build.") for path in OBSOLETE if path.startswith("build.")}
    assert set(schema["properties"]["build"]["properties"]) == old | {
        key.name for key in KEYS if key.parent == "build"
    }
    assert schema["additionalProperties"] is False


BUILD = 'build:\n  python_version: "3.11"\n'
GOOD = (
    BUILD,
    BUILD + "predict: p.py:P\n",
    BUILD + "  gpu: true\n  cuda: 12.8\n  cudnn: 9\n  fast: true\nrun: p.py:P\n",
    BUILD + "  sdk_version: prerelease\n  system_packages: [libgl1=1.6.0-1]\ntrain: p.py:P\n",
    BUILD + "  run: [a, {command: b, mounts: [{type: secret, id: a, target: /b}]}]\npredict: p.py:P\n",
    BUILD
    + "predict: p.py:P\nweights: [{name: a, target: /b, source: {uri: hf://a/b, include: ['*.bin']}}]\n",
    BUILD + "predict: p.py:P\nobservability: {traces: {enabled: false, sampler: always_on}}\n",
    BUILD.replace('"3.11"', "3.10") + "predict: p.py:P\nconcurrency: {default_target: 2}\n",
)
BAD = (
    "predict: p.py:P\n",
    BUILD + "predict: p.py:P\nrun: p.py:P\n",
    BUILD + "predict: p.py\n",
    BUILD + "predict: p.py:P\nprediction: x\n",
    BUILD + "  gpus: true\npredict: p.py:P\n",
    BUILD + "  gpu: 'yes please'\npredict: p.py:P\n",
    BUILD + "  cuda: '10.2'\npredict: p.py:P\n",
    BUILD + "  cudnn: eight\npredict: p.py:P\n",
    BUILD + "  run: [{comand: a}]\npredict: p.py:P\n",
    BUILD.replace("3.11", "3.9") + "predict: p.py:P\n",
    BUILD.replace('"3.11"', "3.9") + "predict: p.py:P\n",
    BUILD + "predict: p.py:P\nenvironment: [A]\n",
    BUILD + "predict: p.py:P\nconcurrency: {max: 0}\n",
    BUILD + "predict: p.py:P\nweights: [{name: a, target: b}]\n",
    BUILD + "predict: p.py:P\nweights: [{name: a, target: /b, source: {uri: s3://x}}]\n",
    BUILD + "predict: p.py:P\nweights: [{name: a, target: /b, source: {uri: x, exclude: ['!y']}}]\n",
    BUILD + "predict: p.py:P\nobservability: {traces: {enabled: true, sampler: some}}\n",
)


@pytest.mark.parametrize("text", [*GOOD, *BAD])
def test_editors_and_the_command_agree(tmp_path: Path, text: str) -> None:
    """What an editor marks by the schema is what the command refuses, and the other way round."""
    (tmp_path / "cog.yaml").write_text(text)
    (tmp_path / "p.py").write_text("class P: ...\n")
    by_editor, by_command = True, True
    try:
        fastjsonschema.compile(reference.schema())(yaml.safe_load(text))
    except fastjsonschema.JsonSchemaValueException:
        by_editor = False
    try:
        load_project(tmp_path)
    except ProjectError:
        by_command = False
    assert by_editor == by_command == (text in GOOD)


@pytest.mark.parametrize("example", ["hello-world", "upscale", "chat"])
def test_the_examples_are_projects_without_a_problem(example: str) -> None:
    """Examples hold to what they teach."""
    assert not load_project(ROOT / "examples" / example).warnings
