"""What `import cog` offers, what it costs, and what the small types do."""

import json
import pickle
import subprocess
import sys
import typing
import warnings
from pathlib import Path
from typing import Any, Optional, Union

import cog
import pytest

#: What Cog's own documentation lets authors import.
PROMISED = {
    "AsyncConcatenateIterator",
    "BaseModel",
    "BasePredictor",
    "BaseRunner",
    "CancelationException",
    "Coder",
    "ConcatenateIterator",
    "ExperimentalFeatureWarning",
    "FieldInfo",
    "File",
    "Input",
    "Opaque",
    "Path",
    "Secret",
    "URLFile",
    "URLPath",
    "concurrent",
    "current_scope",
    "emit_metric",
    "record_metric",
    "streaming",
}


def test_every_promised_name_is_there_without_a_warning() -> None:
    """All names authors import exist, and none of them makes noise."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name in PROMISED:
            assert getattr(cog, name) is not None
    assert set(cog.__all__) >= PROMISED
    assert set(dir(cog)) >= PROMISED


def test_an_unknown_name_is_an_attribute_error() -> None:
    """A name that isn't there fails as in any module."""
    with pytest.raises(AttributeError, match="no attribute 'Predictor'"):
        cog.Predictor  # noqa: B018 - the access is the test


def test_old_module_names_still_lead_there() -> None:
    """`from cog.types import Path` and its like give the same objects."""
    from cog.predictor import BasePredictor
    from cog.types import ConcatenateIterator, File, Input, Secret
    from cog.types import Path as CogPath

    assert (CogPath, File, Secret, Input) == (cog.Path, cog.File, cog.Secret, cog.Input)
    assert (BasePredictor, ConcatenateIterator) == (cog.BasePredictor, cog.ConcatenateIterator)


def test_names_are_where_older_cogs_had_them() -> None:
    """Models of Cog 0.10 to 0.16 import from modules that Cog itself has no more."""
    from cog.base_predictor import BasePredictor
    from cog.coder import dataclass_coder, json_coder, pydantic_coder, set_coder
    from cog.server.exceptions import CancelationException
    from cog.server.scope import current_scope, emit_metric
    from cog.types import ExperimentalFeatureWarning

    assert (BasePredictor, current_scope) == (cog.BasePredictor, cog.current_scope)
    assert (CancelationException, emit_metric) == (cog.CancelationException, cog.emit_metric)
    assert ExperimentalFeatureWarning is cog.ExperimentalFeatureWarning
    assert {dataclass_coder, json_coder, pydantic_coder, set_coder} == {None}


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("--host 0.0.0.0 --threads 4 -v", "--host 0.0.0.0"),
        ("--threads=4 --x-mode=train --upload-url=http://a/?b=c", "--upload-url=http://a/?b=c"),
        ("--await-explicit-shutdown true --port 80", "--await-explicit-shutdown --port 80"),
        ("--await-explicit-shutdown --port 80", "--await-explicit-shutdown --port 80"),
        ("--await-explicit-shutdown=false", ""),
    ],
)
def test_options_of_cogs_server_are_translated(given: str, kept: str) -> None:
    """`python -m cog.server.http` takes what manifests written for Cog say."""
    from cog.server.http import translated

    assert translated(given.split()) == kept.split()


def test_a_predictor_logs(capfd: pytest.CaptureFixture[str]) -> None:
    """self.log() prints to stderr, or to stdout where that is asked for, as in Cog's first async releases."""
    cog.BasePredictor().log("seed", 3)
    cog.BasePredictor().log("done", source="stdout")
    assert capfd.readouterr() == ("done\n", "seed 3\n")


def loaded_by(statement: str) -> set[str]:
    """Return the modules a statement loads in a bare interpreter."""
    script = (
        f"import sys; sys.path.insert(0, sys.argv[1]); b = set(sys.modules); {statement}; "
        "import json; print(json.dumps(sorted(set(sys.modules) - b)))"
    )
    home = str(Path(cog.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", script, home], capture_output=True, text=True, check=True
    )
    return set(json.loads(done.stdout))


def test_import_cog_loads_nothing_else() -> None:
    """`import cog` brings in no module but itself; what it offers is loaded when it is used."""
    # json and what it needs is the test's own.
    ours = loaded_by("pass")
    assert loaded_by("import cog") - ours == {"__future__", "cog"}


def test_a_usual_import_loads_little() -> None:
    """What most predictors import brings in pathlib and nothing heavy."""
    heavy = {
        "asyncio",
        "dataclasses",
        "inspect",
        "typing",
        "socket",
        "urllib.request",
        "tempfile",
        "shutil",
        "logging",
    }
    found = loaded_by("from cog import BasePredictor, Input, Path, ConcatenateIterator, Secret")
    assert not heavy & found
    assert {name for name in found if name.startswith("cog.")} == {
        "cog.predictor",
        "cog.input",
        "cog.path",
        "cog.iterators",
        "cog.secret",
    }


def test_input_takes_no_factory() -> None:
    """default_factory is refused with what to write instead."""
    with pytest.raises(TypeError, match="Write a literal"):
        cog.Input(default_factory=list)


def test_input_shows_what_was_said() -> None:
    """The repr of an input helps to debug a signature."""
    assert repr(cog.Input(default=1, ge=0)) == "Input(default=1, ge=0)"
    assert repr(cog.Input(...)) == "Input()"


def test_a_path_is_a_path() -> None:
    """cog.Path joins, compares and pickles as pathlib's own does, and stays a cog.Path."""
    path = cog.Path("/tmp") / "a.png"
    assert isinstance(path, cog.Path)
    assert path.suffix == ".png"
    assert pickle.loads(pickle.dumps(path)) == path  # noqa: S301 - our own bytes
    assert cog.Path.validate("/tmp/a.png") == path


def test_a_secret_hides_and_compares() -> None:
    """A secret equals one with the same text and shows stars, none for an empty one."""
    assert cog.Secret("a") == cog.Secret("a")
    assert cog.Secret("a") != cog.Secret("b")
    assert len({cog.Secret("a"), cog.Secret("a")}) == 1
    assert (str(cog.Secret("a")), str(cog.Secret(""))) == ("**********", "")
    assert len(cog.Secret("abc")) == 3


def test_base_model_is_made_by_name() -> None:
    """A BaseModel takes its fields by name, fresh defaults for each value, subclasses with the base's fields."""

    class Output(cog.BaseModel):
        text: str
        tags: list[str] = []  # noqa: RUF012 - what authors write
        note: str = cog.Input(default="none", description="A note")

    class More(Output):
        score: float

    first, second = Output(text="a"), Output(text="a")
    first.tags.append("x")
    assert second.tags == []
    assert first.note == "none"
    assert More(text="a", score=1.0).tags == []
    assert Output(text="a") == Output(text="a")
    wrong: Any = Output
    with pytest.raises(TypeError):
        wrong("a")
    with pytest.raises(TypeError):
        wrong()


def test_what_may_be_none_may_be_left_out_of_a_base_model() -> None:
    """A field whose annotation allows None needs no value, evaluated or as text; others do."""

    class Output(cog.BaseModel):
        score: Optional[float]  # noqa: UP045 - what older models write
        file: "cog.Path | None"
        text: Union[str, None] = cog.Input(description="What was read")  # noqa: UP007
        later: "typing.Optional[str]"  # noqa: UP045
        dict: Any = 1

    made: Any = Output  # type checkers want a value, as they did for pydantic's
    assert made() == Output(score=None, file=None, text=None, later=None, dict=1)
    assert made(dict=2).dict == 2

    class Needed(cog.BaseModel):
        anything: Any
        names: "list[str | None]"

    with pytest.raises(TypeError, match="2 required"):
        Needed()  # type: ignore[call-arg]


def test_a_base_model_has_what_models_call_of_pydantic() -> None:
    """Dicts, and forward references resolved by hand, work as with the pydantic models that BaseModel once was."""

    class Box(cog.BaseModel):
        x: int

    class Output(cog.BaseModel):
        boxes: list[Box]
        named: dict[str, Box]

    loose: Any = Output
    loose.update_forward_refs(Box=Box)
    loose.model_rebuild()
    value: Any = Output(boxes=[Box(x=1)], named={"a": Box(x=2)})
    assert value.dict() == value.model_dump() == {"boxes": [{"x": 1}], "named": {"a": {"x": 2}}}
    with pytest.raises(AttributeError, match="'Output' object has no attribute 'other'"):
        value.other  # noqa: B018 - the access is the test


def test_concurrent_wants_a_number() -> None:
    """A concurrency below one is refused where it is written."""
    with pytest.raises(ValueError, match="from 1 up"):
        cog.concurrent(max=0)
