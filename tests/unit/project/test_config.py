"""cog.yaml: what it may hold, and what is said of what it may not."""

from __future__ import annotations

from pathlib import Path

import pytest
from cogyard.project import Problem, Project, ProjectError, ProjectMissingError, find_root, load_project
from cogyard.project.doctor import examine

SMALLEST = 'build:\n  python_version: "3.11"\npredict: "predict.py:Predictor"\n'
PREDICTOR = "class Predictor:\n    pass\n"


def load(folder: Path, text: str | bytes, **files: str) -> Project:
    """Write a project and read it."""
    (folder / "cog.yaml").write_bytes(text.encode() if isinstance(text, str) else text)
    (folder / "predict.py").write_text(PREDICTOR)
    for name, content in files.items():
        (folder / name.replace("__", ".")).write_text(content)
    return load_project(folder)


def problems(folder: Path, text: str | bytes, **files: str) -> tuple[Problem, ...]:
    """Return the problems that reading finds."""
    with pytest.raises(ProjectError) as caught:
        load(folder, text, **files)
    return caught.value.problems


def test_the_smallest_project_has_every_default(tmp_path: Path) -> None:
    """Two keys are enough; everything else has a default."""
    project = load(tmp_path, SMALLEST)
    assert (project.ref, project.train_ref, project.python_version) == ("predict.py:Predictor", None, "3.11")
    assert (project.gpu, project.image, project.requirements, project.system_packages) == (
        False,
        None,
        (),
        (),
    )
    assert project.config.concurrency.max == 1
    assert not project.environment
    assert not project.warnings


def test_every_key_is_read(tmp_path: Path) -> None:
    """Each documented key reaches its value."""
    text = """\
build:
  python_version: "3.12.4"
  gpu: true
  cuda: "12.8"
  cudnn: "9"
  python_packages: [pillow==12.0.0, "numpy>=2; python_version > '3.9'"]
  system_packages: [ffmpeg, libgl1=1.6.0-1]
  run:
    - echo one
    - command: pip install private
      mounts: [{type: secret, id: pip, target: /etc/pip.conf}]
  pre_install: [echo first]
  sdk_version: "0.20.0"
run: "predict.py:Predictor"
train: "predict.py:Predictor"
image: registry.example.com/me/model
environment: [A=1, "B=x=y", C=]
concurrency: {max: 4, default_target: 2}
weights:
  - {name: base, target: /weights/base, source: {uri: "hf://a/b"}}
observability: {traces: {enabled: true}}
"""
    project = load(tmp_path, text)
    config = project.config
    assert project.python_version == "3.12"
    assert config.build.python_version == "3.12.4"
    assert (config.build.cuda, config.build.cudnn, project.gpu) == ("12.8", "9", True)
    assert project.requirements == ("pillow==12.0.0", "numpy>=2; python_version > '3.9'")
    assert project.system_packages == ("ffmpeg", "libgl1=1.6.0-1")
    assert [one.command for one in project.run] == ["echo first", "echo one", "pip install private"]
    assert project.run[2].mounts[0].target == "/etc/pip.conf"
    assert project.ref == project.train_ref == "predict.py:Predictor"
    assert project.image == "registry.example.com/me/model"
    assert dict(project.environment) == {"A": "1", "B": "x=y", "C": ""}
    assert (config.concurrency.max, config.concurrency.default_target) == (4, 2)
    assert config.weights[0].source == {"uri": "hf://a/b"}
    assert config.observability == {"traces": {"enabled": True}}
    assert [one.message for one in project.warnings] == [
        "sdk_version has no effect: the SDK is the one of this release",
        "`pre_install` is the older name of `run`",
    ]


def test_the_completed_config_is_json_in_cogs_form(tmp_path: Path) -> None:
    """The image's label holds what was written, with the defaults that matter filled in."""
    project = load(tmp_path, SMALLEST + "environment: [A=1]\n")
    assert project.config.completed() == {
        "build": {"python_version": "3.11", "gpu": False},
        "predict": "predict.py:Predictor",
        "environment": ["A=1"],
    }


@pytest.mark.parametrize("version", ["3.10", "3.11", "3.13.1", '"3.10"', "'3.12'"])
def test_a_python_version_may_stand_unquoted(tmp_path: Path, version: str) -> None:
    """YAML reads an unquoted 3.10 as the number 3.1; its text is kept."""
    project = load(tmp_path, SMALLEST.replace('"3.11"', version))
    assert project.config.build.python_version == version.strip("\"'")


@pytest.mark.parametrize(
    ("version", "said"),
    [
        ("3", "must include major and minor"),
        ("3.9", "3.10 on is supported"),
        ("3.1", "3.10 on is supported"),
        ("2.7.18", "3.10 on is supported"),
        ("4.0", "3.10 on is supported"),
        ("three", "not a version"),
        ('">=3.11"', "not a version"),
        ("[3.11]", "must be a text"),
        ("true", "must be a text"),
    ],
)
def test_a_wrong_python_version_is_explained(tmp_path: Path, version: str, said: str) -> None:
    """The value, the limit and the place are in the message."""
    (problem,) = problems(tmp_path, SMALLEST.replace('"3.11"', version))
    assert said in problem.message
    assert (problem.line, problem.column) == (2, 19)


def test_all_problems_come_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    """One run tells everything that is to be mended."""
    text = """\
build:
  pythn_version: "3.11"
  gpu: maybe
  system_packages: ["ffmpeg cowsay"]
  python_packages: [foo bar]
predict: predict.py:Predictr
environment: [PATH=/x, oops, A=1, A=2]
concurrency: {max: 0}
"""
    found = problems(tmp_path, text)
    assert [(one.line, one.column) for one in found] == [
        (2, 3), (2, 3), (3, 8), (4, 21), (5, 21), (6, 10), (7, 15), (7, 24), (7, 35), (8, 20),
    ]  # fmt: skip
    assert found[0].hint == "Did you mean `python_version`?"
    assert found[5].hint == "Did you mean `Predictor`?"
    assert str(found[2]) == "cog.yaml:3:8: `gpu` must be true or false, but is `maybe`"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        ("# only a comment\n", "is empty"),
        ("null\n", "must hold keys"),
        ("just words\n", "must hold keys"),
        ("- a\n- b\n", "must hold keys"),
        ("build: [1, 2\n", "not valid YAML"),
        ("build:\n\tgpu: true\n", "a tab stands in the indentation"),
        ("build: {gpu: true, gpu: true}\n", "written twice"),
        ("a: \x07\n", "control character U+0007"),
        ("a: @b\n", "not valid YAML"),
        ("[" * 5000, "nested too deeply"),
    ],
)
def test_what_is_not_a_mapping_in_yaml_is_explained(tmp_path: Path, text: str, said: str) -> None:
    """No file makes the reader itself fail."""
    assert said in problems(tmp_path, text)[0].message


def test_bytes_that_are_not_text_are_explained(tmp_path: Path) -> None:
    """The line and the byte are named."""
    (problem,) = problems(tmp_path, b"build:\n  gpu: \xff\n")
    assert (problem.line, problem.message) == (2, "is not UTF-8 text (byte 0xff)")
    (problem,) = problems(tmp_path, b"a" * ((1 << 20) + 1))
    assert "at most 1,048,576" in problem.message


@pytest.mark.parametrize(
    "data",
    [
        SMALLEST.replace("\n", "\r\n").encode(),
        b"\xef\xbb\xbf" + SMALLEST.encode(),
        SMALLEST.encode("utf-16"),
        SMALLEST.replace("\n", "\r").encode(),
    ],
    ids=["crlf", "bom", "utf-16", "cr"],
)
def test_any_editors_file_is_read(tmp_path: Path, data: bytes) -> None:
    """Line ends and byte order marks of other systems do not matter."""
    assert load(tmp_path, data).python_version == "3.11"


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        ("run: predict.py:Predictor\n", "only one of them can be set"),
        ("image: a/b\nmodel: c/d\n", "cannot stand together"),
        ("model: c/d:tag\n", "without tag or digest"),
        ("image: Has Space\n", "not the name of an image"),
        ("train: train\n", "must be in the form train.py:train"),
        ("train: train.py:train\n", "there is no file `train.py`"),
        ("train: ../predict.py:Predictor\n", "outside the project"),
        ("environment: {A: 1}\n", "must be a list"),
        ("environment: [A]\n", "not in the form NAME=value"),
        ("environment: [1]\n", "must be a text"),
        ("environment: [CUDA_HOME=/x]\n", "reserved for internal use"),
        ("concurrency: {max: 2.5}\n", "must be a whole number"),
        ("concurrency: 3\n", "must hold keys and values"),
        ("weights: [{name: a}]\n", "target is missing"),
        ("weights: [{name: A, target: /x}]\n", "is not a name"),
        ("weights: [{name: a, target: x}]\n", "must be an absolute path"),
        ("weights: [{name: A, target: x, source: {uri: s3://a}}]\n", "must be an absolute path"),
        ("weights: [{name: A, target: x, source: {uri: s3://a}}]\n", "weights come from hf://"),
        ("weights: [{name: a, target: /x}, {name: b, target: /x/y}]\n", "overlaps /x"),
        ("observability: yes\n", "must hold keys"),
        ("observability: {trace: {}}\n", "unknown key `trace`"),
        ("observability: {config: a.txt}\n", "must name a Python file"),
        ("observability: {traces: {sampler: always_on}}\n", "does not say whether it is `enabled`"),
        ("observability: {traces: {enabled: true, sampler: always}}\n", "one of: always_on, always_off"),
        ("observability: {metrics: &m {a: *m}}\n", "nested too deeply"),
        ("image: a//b\n", "not the name of an image"),
        ("weights: [{name: a, target: /x, source: a}]\n", "`source` must hold keys"),
        ("weights: [{name: a, target: /x, source: {include: [a]}}]\n", "needs a `uri`"),
        ("weights: [{name: a, target: /x, source: {uri: s3://a}}]\n", "weights come from hf://"),
        (
            "weights: [{name: a, target: /x, source: [{uri: a, exclude: ['!b']}]}]\n",
            "does not begin with `!`",
        ),
        ("weights: [{name: a, target: /x, source: []}]\n", "empty list"),
        ("<<: [1]\n", "merges mappings"),
        ("prediction: x\n", "unknown key `prediction`"),
        ("1: x\n", "unknown key `1`"),
        ("? [a]\n: x\n", "must be a plain word"),
    ],
)
def test_a_wrong_key_is_explained(tmp_path: Path, extra: str, said: str) -> None:
    """Each rule of the reference page has its message."""
    assert said in " ".join(one.message for one in problems(tmp_path, SMALLEST + extra))


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        ("  run: [echo: hi]\n", "has no `command`"),
        ('  run: ["a\\nb"]\n', "must be one line"),
        ("  run: [{command: a, mounts: [{type: cache, id: x, target: /y}]}]\n", "must be `secret`"),
        ("  run: [{command: a, mounts: [{type: secret}]}]\n", "id and target are missing"),
        ("  run: echo\n", "must be a list"),
        ("  cuda: '10.2'\n", "11.0 or newer"),
        ("  cudnn: eight\n", "such as 9 or 8.9.7"),
        ("  sdk_version: 0.15.2\n", "from 0.16.0 on"),
        ("  sdk_version: latest\n", "or `prerelease`"),
        ("  system_packages: [-oDpkg::x]\n", "not the name of a Debian package"),
        ("  python_packages: [1]\n", "must be a text"),
        ("  python_packages: [./nothing.whl]\n", "there is no such file"),
        ("  python_requirements: ../r.txt\n", "outside the project"),
        ("  python_requirements: r.txt\n", "there is no such file"),
        ("  python_packages: [a]\n  python_requirements: predict.py\n", "cannot stand together"),
    ],
)
def test_a_wrong_build_key_is_explained(tmp_path: Path, extra: str, said: str) -> None:
    """Each rule of the build section has its message."""
    text = SMALLEST.replace("predict:", f"{extra}predict:")
    assert said in " ".join(one.message for one in problems(tmp_path, text))


def test_a_project_may_be_an_environment_alone(tmp_path: Path) -> None:
    """With nothing to predict or to train there is still an environment, for `cog exec`; `cog doctor` tells."""
    (tmp_path / "cog.yaml").write_text('build: {python_version: "3.11"}\n')
    project = load_project(tmp_path)
    assert (project.ref, project.train_ref) == (None, None)
    _, found = examine(tmp_path, "cog.yaml")
    assert ["only `cog exec` has something to run" in one.problem.message for one in found] == [True]


def test_concurrency_needs_a_python_that_has_it(tmp_path: Path) -> None:
    """More than one at a time works from Python 3.11 on."""
    (problem,) = problems(tmp_path, SMALLEST.replace("3.11", "3.10") + "concurrency: {max: 2}\n")
    assert "needs Python 3.11" in problem.message


def test_anchors_and_merged_keys_are_read(tmp_path: Path) -> None:
    """Ordinary YAML works."""
    text = 'x: &base {python_version: "3.11", gpu: true}\nbuild:\n  <<: *base\n  gpu: false\n'
    found = problems(tmp_path, text + "predict: predict.py:Predictor\n")
    assert [one.message for one in found] == ["unknown key `x`"]


def test_a_list_of_mappings_is_merged_in_its_order(tmp_path: Path) -> None:
    """YAML's `<<: [*a, *b]`: the mapping's own keys count first, then the first that has one."""
    text = """\
build:
  <<: [{python_version: "3.11"}, {python_version: "3.12", gpu: true}]
predict: predict.py:Predictor
"""
    build = load(tmp_path, text).config.build
    assert (build.python_version, build.gpu) == ("3.11", True)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("python_version: '3.15'", "tested with 3.10 to 3.14"),
        ("cuda: '12.8'", "no effect without `gpu: true`"),
        ("cudnn: 9", "no effect without `gpu: true`"),
        ("pre_install: [echo]", "older name of `run`"),
    ],
)
def test_what_changes_nothing_or_is_untried_is_told(tmp_path: Path, line: str, said: str) -> None:
    """Such a file works, and nobody is left to wonder."""
    text = (
        SMALLEST if line.startswith("python_version") else SMALLEST.replace("predict:", f"  {line}\npredict:")
    )
    project = load(tmp_path, text.replace('python_version: "3.11"', line) if text == SMALLEST else text)
    assert [said in one.message for one in project.warnings] == [True]


def test_values_that_are_passed_on_are_json(tmp_path: Path) -> None:
    """YAML's dates become the texts they were written as: the image's label is JSON."""
    project = load(tmp_path, SMALLEST + "observability: {metrics: {since: 2026-11-22}}\n")
    assert project.config.completed()["observability"] == {"metrics": {"since": "2026-11-22"}}


def test_keys_of_older_cogs_are_only_warned_of(tmp_path: Path) -> None:
    """A file that Cog accepts is not refused for a key that does nothing any more."""
    project = load(tmp_path, SMALLEST.replace("predict:", "  fast: false\npredict:"))
    assert [one.message for one in project.warnings] == ["`build.fast` is obsolete"]


def test_a_predictor_that_is_not_python_is_shown_where(tmp_path: Path) -> None:
    """A syntax error is told with its own file and line, before anything is installed."""
    (tmp_path / "cog.yaml").write_text(SMALLEST)
    (tmp_path / "predict.py").write_text("x = 1\nclass Predictor(:\n")
    with pytest.raises(ProjectError) as caught:
        load_project(tmp_path)
    assert caught.value.problems[0].place.startswith("predict.py:2:")


@pytest.mark.parametrize(
    "source",
    [
        "from other import *\n",
        "from other import Predictor\n",
        "import sys\nif sys:\n    Predictor = 1\n",
        "async def Predictor(): ...\n",
        "try:\n    class Predictor: ...\nexcept ValueError:\n    pass\n",
    ],
)
def test_a_name_may_come_from_anywhere_in_the_module(tmp_path: Path, source: str) -> None:
    """Only a name that certainly is not there is refused."""
    (tmp_path / "cog.yaml").write_text(SMALLEST)
    (tmp_path / "predict.py").write_text(source)
    assert load_project(tmp_path).ref == "predict.py:Predictor"


def test_a_missing_file_says_how_to_begin(tmp_path: Path) -> None:
    """Without cog.yaml the way out is cog init."""
    with pytest.raises(ProjectMissingError) as caught:
        load_project(tmp_path)
    assert caught.value.hint is not None
    assert "cog init" in caught.value.hint


def test_the_root_is_looked_for_upward(tmp_path: Path) -> None:
    """Commands work from any folder of the project."""
    (tmp_path / "cog.yaml").write_text(SMALLEST)
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    assert find_root(inner) == tmp_path.resolve()
    with pytest.raises(ProjectMissingError):
        find_root(inner, "other.yaml")
