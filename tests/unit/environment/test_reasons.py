"""Why packages are there."""

from __future__ import annotations

from cogyard.environment.cuda import cuda_expected, cuda_of
from cogyard.environment.reasons import Origin, Reasons, asked_by, chain, read_annotations

ANNOTATED = """\
certifi==2026.1
    # via requests
    # from https://index.example/simple
nvidia-cublas-cu12==12.1.3.1
    # via
    #   -c constraints.in
    #   nvidia-cudnn-cu12
    #   torch
requests[socks]==2.34
    # via
    #   -r requirements.in
    #   torch
    # from https://index.example/simple
markupsafe==3.0 ; sys_platform == 'linux'
    # via my-model (pyproject.toml)
./wheels/Local_One-1.0-py3-none-any.whl
    # via -r requirements.in
other @ git+https://x.example/other.git@abc
    # via -r requirements.in
torch==2.3.1
    # via -r requirements.in
"""


def test_uvs_annotations_are_read() -> None:
    """Who wants each package, whether the project does, and from which index it came."""
    found = read_annotations(ANNOTATED, ["my_model"])
    assert found["certifi"] == Origin(parents=("requests",), index="https://index.example/simple")
    assert found["nvidia-cublas-cu12"].parents == ("nvidia-cudnn-cu12", "torch")
    assert found["requests"] == Origin(parents=("torch",), asked=True, index="https://index.example/simple")
    assert found["markupsafe"] == Origin(asked=True)
    assert found["local-one"].asked
    assert found["other"].asked
    assert len(found) == 7


def test_lines_are_found_by_the_package_they_name() -> None:
    """Markers and hashes are no part of what is asked for."""
    lines = [
        "Torch==2.3.1 ; python_version > '3'",
        "a @ file:///x/a-1.0-py3-none-any.whl",
        "six==1 --hash=sha256:aa",
    ]
    assert asked_by(lines) == {
        "torch": "Torch==2.3.1",
        "a": "a @ file:///x/a-1.0-py3-none-any.whl",
        "six": "six==1",
    }


def reasons(needs: dict[str, list[str]], **versions: str) -> Reasons:
    """Return the reasons of a resolution in which torch brings everything."""
    named = {name.replace("_", "-"): version for name, version in versions.items()}
    origins = {name: Origin(parents=("torch",), asked=name == "torch") for name in named}
    return Reasons(origins=origins, needs=needs, versions=named, asked={"torch": "torch==2.3.1"})


def test_a_condition_is_named_where_it_is_known() -> None:
    """Old metadata writes it in brackets."""
    found = reasons({"torch": ["NumPy (>=2) ; extra == 'x'", "sympy"]}, torch="2.3.1", numpy="2.1", sympy="1")
    assert found.of("numpy") == ("torch 2.3.1 requires NumPy>=2",)
    assert found.of("sympy") == ("torch 2.3.1 requires sympy",)
    assert found.of("torch")[0] == "cog.yaml asks for torch==2.3.1"


def test_the_way_from_the_project_is_the_shortest() -> None:
    """Circles do not trap it, and what nobody asks for has no way."""
    origins = {
        "a": Origin(asked=True),
        "b": Origin(parents=("a", "d")),
        "c": Origin(parents=("b",)),
        "d": Origin(parents=("c",)),
        "lost": Origin(parents=("gone",)),
    }
    assert chain("d", origins) == ("a", "b", "c", "d")
    assert chain("a", origins) == ("a",)
    assert chain("lost", origins) == ()


def test_cuda_is_what_the_packages_bring() -> None:
    """The runtime's version is CUDA's own; who pins it is the reason."""
    found = cuda_of(
        reasons(
            {"torch": ["nvidia-cuda-runtime-cu12 (==12.1.105) ; platform_system == 'Linux'"]},
            torch="2.3.1",
            nvidia_cuda_runtime_cu12="12.1.105",
            nvidia_cudnn_cu12="8.9.2.26",
        )
    )
    assert found is not None
    assert (found.version, found.cudnn, found.wheels) == ("12.1", "8.9.2", True)
    assert found.because == "torch 2.3.1 requires nvidia-cuda-runtime-cu12==12.1.105"


def test_cuda_13_has_packages_without_a_number_in_their_names() -> None:
    """NVIDIA dropped the suffix; the reason is the pin that brings it."""
    found = cuda_of(
        reasons(
            {"torch": ["nvidia-cudnn-cu13==9.20.0.48", "nvidia-cuda-runtime<14"]},
            torch="2.13.0",
            nvidia_cuda_runtime="13.0.96",
            nvidia_cudnn_cu13="9.20.0.48",
        )
    )
    assert found is not None
    assert (found.version, found.cudnn) == ("13.0", "9.20.0")
    assert found.because == (
        "torch 2.13.0 requires nvidia-cudnn-cu13==9.20.0.48, and with it comes nvidia-cuda-runtime 13.0.96"
    )


def test_a_build_names_its_cuda_itself() -> None:
    """PyTorch's own index writes it into the version."""
    found = cuda_of(reasons({}, torch="2.3.1+cu118"))
    assert found is not None
    assert (found.version, found.because) == ("11.8", "torch 2.3.1+cu118 is built for it")
    assert cuda_of(reasons({}, torch="2.3.1+cpu")) is None
    assert cuda_of(reasons({}, numpy="2.0")) is None


def test_releases_that_say_nothing_are_in_the_table() -> None:
    """Old wheels name no packages of NVIDIA's; TensorFlow's do not even carry CUDA."""
    found = cuda_of(reasons({}, tensorflow="2.12.1"))
    assert found is not None
    assert (found.version, found.cudnn, found.wheels) == ("11.8", "8.6", False)
    assert cuda_of(reasons({}, tensorflow="2.99.0")) is None


def test_wheels_for_cpus_are_not_looked_up_in_the_table() -> None:
    """PyTorch's releases name NVIDIA's packages where they need them; without them there is no CUDA."""
    assert cuda_of(reasons({}, torch="2.3.1")) is None


def test_without_an_index_the_table_answers() -> None:
    """For the framework that a line pins; nothing is guessed for one that is not pinned, or not in the table."""
    found = cuda_expected(["numpy", "Torch == 2.3.1 ; python_version > '3'"])
    assert found is not None
    assert (found.version, found.cudnn) == ("12.1", "8.9")
    assert found.because == "torch 2.3.1 was built for it, by this release's own table"
    assert cuda_expected(["torch", "torch==99.0", "torch>=2.3"]) is None
    assert cuda_expected(["torch==2.3.1+cpu"]) is None
