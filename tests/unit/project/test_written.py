"""What was read of a cog.yaml is remembered, and is what reading it gives."""

from __future__ import annotations

from pathlib import Path

import pytest
from cogyard.project import ProjectError, load_project
from cogyard.project import written as module
from cogyard.project.written import read

FULL = """\
build:
  python_version: "3.11"
  python_packages: [numpy==2.2.6, "pillow==11.3.0"]
  run:
    - command: make
      mounts: [{type: secret, id: token, target: /token}]
  cuda: "12.4"
predict: predict.py:Predictor
environment: [A=1, B=2]
concurrency: {max: 2}
weights: [{name: w, target: /src/w, source: {uri: "hf://a/b"}}]
observability: {traces: {enabled: true, sampler_arg: 0.5}}
"""


class Kept(dict[str, bytes]):
    """A memory that forgets nothing."""

    def recall(self, key: str) -> bytes | None:
        """Return it."""
        return self.get(key)

    def keep(self, key: str, data: bytes) -> None:
        """Keep it."""
        self[key] = data


class Other(Kept):
    """A memory of another document, whatever is asked."""

    def recall(self, key: str) -> bytes | None:
        """Return the same for all."""
        return next(iter(self.values()))


def test_what_is_remembered_is_what_reading_gives() -> None:
    """Values, places and warnings are those of a first reading."""
    memory = Kept()
    first = read(FULL.encode(), "cog.yaml", memory)
    assert not first.problems
    (key,) = memory
    assert read(FULL.encode(), "cog.yaml", memory) == first == read(FULL.encode(), "cog.yaml")
    assert [*memory] == [key]


def test_a_remembered_document_is_not_read_again() -> None:
    """The memory's word is taken."""
    memory = Other()
    memory.keep("any", b"")
    read(FULL.encode(), "cog.yaml", memory)
    found = read(b"build: {python_version: '3.12'}\npredict: a.py:A\n", "cog.yaml", memory)
    assert found.config.build.python_version == "3.12"
    del memory["any"]
    assert (
        read(b"build: {python_version: '3.12'}", "cog.yaml", memory).config.predict == "predict.py:Predictor"
    )


@pytest.mark.parametrize(
    "text",
    [
        "predict: a.py:A\n",  # without a build section
        'build: {python_version: "3.11"}\nobservability: {metrics: {x: .nan}}\n',
        'build: {python_version: "3.11"}\nenvironment: ["A=\\ud800"]\n',
    ],
)
def test_what_json_cannot_say_and_what_is_wrong_are_not_remembered(text: str) -> None:
    """Problems are found anew each time, and so are numbers that would come back as others."""
    memory = Kept()
    first = read(text.encode(), "cog.yaml", memory)
    assert repr(read(text.encode(), "cog.yaml", memory)) == repr(first)
    assert not memory


def test_another_text_name_or_code_is_read_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """An update of ours may read the same bytes otherwise."""
    memory = Kept()
    read(FULL.encode(), "cog.yaml", memory)
    read(FULL.encode() + b"# more\n", "cog.yaml", memory)
    read(FULL.encode(), "other.yaml", memory)
    assert len(memory) == 3
    # there is no other way to be another release
    monkeypatch.setattr(module, "_code", lambda: b"newer")
    read(FULL.encode(), "cog.yaml", memory)
    assert len(memory) == 4


def test_a_remembered_project_names_places_as_a_read_one(tmp_path: Path) -> None:
    """What later turns out to be wrong is shown where it stands."""
    memory = Kept()
    (tmp_path / "cog.yaml").write_text('build: {python_version: "3.11"}\npredict: a.py:A\n')
    (tmp_path / "a.py").write_text("class A: ...\n")
    project = load_project(tmp_path, memory=memory)
    assert load_project(tmp_path, memory=memory) == project
    (tmp_path / "a.py").unlink()
    with pytest.raises(ProjectError, match=r"cog\.yaml:2:10: there is no file"):
        load_project(tmp_path, memory=memory)
    assert len(memory) == 1
