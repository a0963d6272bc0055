"""Logs and errors name the places of an image, never folders of the operator's; other words stay as they are."""

from __future__ import annotations

from cogyard.instances.places import Places
from hypothesis import given
from hypothesis import strategies as st

PLACES = Places(
    (
        ("/srv/data/instances/*/project", "/src"),
        ("/srv/data/instances/*/tmp", "/tmp"),
        ("/srv/data/home", "/root"),
        ("/srv/data/home/.cache/env", "/opt/cog/model"),
    )
)
TRACEBACK = """Traceback (most recent call last):
  File "/srv/data/instances/0a1b-2c3d/project/lib/load.py", line 3, in load
  File "/srv/data/home/.cache/env/lib/python3.12/site-packages/torch/serialization.py", line 9
FileNotFoundError: [Errno 2] No such file or directory: '/srv/data/instances/0a1b-2c3d/tmp/x'
"""


def test_a_traceback_names_the_images_places() -> None:
    """Of every frame the path below the folder stays, for whoever looks for the line."""
    assert PLACES.told(TRACEBACK) == (
        "Traceback (most recent call last):\n"
        '  File "/src/lib/load.py", line 3, in load\n'
        '  File "/opt/cog/model/lib/python3.12/site-packages/torch/serialization.py", line 9\n'
        "FileNotFoundError: [Errno 2] No such file or directory: '/tmp/x'\n"
    )


def test_the_folder_alone_is_called_so_too() -> None:
    """At the end of a sentence, in quotes, in an address, twice in a line."""
    place = "/srv/data/instances/a-1/project"
    assert PLACES.told(f"cwd is {place}.") == "cwd is /src."
    assert PLACES.told(f"'{place}' and file://{place}/a") == "'/src' and file:///src/a"
    assert PLACES.told("HOME=/srv/data/home\n") == "HOME=/root\n"


def test_what_only_looks_like_it_stays() -> None:
    """A longer name, another folder beside it, a name with an ending."""
    for text in (
        "/srv/data/homes/x",
        "/srv/data/home-2",
        "/srv/data/home.old/x",
        "/srv/data/instances/a/projects",
        "/srv/data/instances/a/b/project",
        "/srv/data/instances",
        "/src/predict.py",
    ):
        assert PLACES.told(text) == text


@given(st.text())
def test_other_texts_are_not_touched(text: str) -> None:
    """Whatever a model prints that names none of these folders comes as it was."""
    if "/srv/data" not in text:
        assert PLACES.told(text) == text
    assert Places().told(text) == text


def test_signs_of_patterns_in_a_path_are_letters() -> None:
    """A folder's name may have any character."""
    odd = Places((("/srv/a+b (c)/*/project", "/src"),))
    assert odd.told("/srv/a+b (c)/x/project/p.py") == "/src/p.py"
    assert odd.told("/srv/aab c/x/project/p.py") == "/srv/aab c/x/project/p.py"
