"""What the GPU keys of cog.yaml add to a question."""

from __future__ import annotations

from typing import Any

import pytest
from cogyard.environment.accelerate import extras, mismatch, pages, unwanted
from cogyard.environment.asked import Asked
from cogyard.environment.compiling import builds
from cogyard.environment.wish import Wish


def packages(**versions: str) -> list[dict[str, Any]]:
    """Return locked packages, a gigabyte each."""
    return [
        {"name": name.replace("_", "-"), "version": version, "wheels": [{"size": 10**9}]}
        for name, version in versions.items()
    ]


@pytest.mark.parametrize(
    ("wish", "backend"),
    [
        (Wish(gpu=False), "cpu"),
        (Wish(gpu=False, cuda="12.1"), "cpu"),
        (Wish(gpu=True), None),
        (Wish(gpu=True, cuda="11.8"), "cu118"),
        (Wish(gpu=True, cuda="12.4.1"), "cu124"),
    ],
)
def test_pytorchs_index_is_chosen_by_what_cog_yaml_says(wish: Wish, backend: str | None) -> None:
    """CPU builds without a GPU, the build of the wanted CUDA, else what the default index has."""
    assert wish.backend == backend


def test_frameworks_that_leave_cuda_out_are_asked_for_it() -> None:
    """TensorFlow and JAX have it in an extra; a line that names one already is left alone."""
    lines = ["TensorFlow==2.16.1", "jax", "jax[cuda13]", "tensorflow[and-cuda]", "numpy"]
    assert extras(lines, Wish(gpu=True)) == ["tensorflow[and-cuda]", "jax[cuda12]"]
    assert extras(["jax>=0.4"], Wish(gpu=True, cuda="13.0")) == ["jax[cuda13]"]
    assert extras(lines, Wish(gpu=False)) == []


def test_another_major_cuda_cannot_work_another_minor_may() -> None:
    """The one ends the resolution, the other is a warning; both say the way out."""
    brought = packages(torch="2.3.1", nvidia_cuda_runtime_cu12="12.1.105", nvidia_cudnn_cu12="8.9.2.26")
    assert mismatch(brought, Wish(gpu=True)) is None
    assert mismatch(brought, Wish(gpu=True, cuda="12.1.0", cudnn="8")) is None
    assert mismatch(brought, Wish(gpu=False, cuda="11.8")) is None
    fatal = mismatch(brought, Wish(gpu=True, cuda="11.8"))
    assert fatal is not None
    assert fatal.fatal
    assert fatal.sentence == (
        "cog.yaml asks for CUDA 11.8, and torch 2.3.1 from this index brings CUDA 12.1: take `cuda` out, or set "
        "COGYARD_TORCH_INDEX to a copy of PyTorch's index that has cu118"
    )
    minor = mismatch(brought, Wish(gpu=True, cuda="12.4"))
    assert minor is not None
    assert not minor.fatal
    cudnn = mismatch(brought, Wish(gpu=True, cuda="12.1", cudnn="9"))
    assert cudnn is not None
    assert cudnn.sentence.endswith("brings cuDNN 8.9: take `cudnn` out")
    assert mismatch(packages(numpy="2.0"), Wish(gpu=True, cuda="11.8")) is None


def test_cuda_without_a_gpu_is_told_with_its_size() -> None:
    """Gigabytes that nobody asked for."""
    said = unwanted(packages(torch="2.3.1", nvidia_cublas_cu12="12.1", nvidia_nccl_cu12="2.2"))
    assert said is not None
    assert said.startswith(
        "torch 2.3.1 brings 2 packages of CUDA (2.0 GB) although gpu is false: PyTorch's index"
    )
    assert unwanted(packages(torch="2.3.1")) is None
    other = unwanted(packages(tensorflow="2.16.1", nvidia_cublas_cu12="12.1"))
    assert other == "tensorflow 2.16.1 brings 1 package of CUDA (1.0 GB) although gpu is false"


def test_what_is_tried_in_which_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """PyTorch's index first, then the default one, then without extras that no index has; a person's choice alone."""
    for name in ("UV_TORCH_BACKEND", "COGYARD_TORCH_INDEX"):
        monkeypatch.delenv(name, raising=False)
    cpu = Asked(lines=("torch",), wish=Wish(gpu=False))
    assert [one.arguments for one in builds(cpu)] == [("--torch-backend", "cpu"), ()]
    tensorflow = Asked(lines=("tensorflow",), wish=Wish(gpu=True))
    assert [one.extras for one in builds(tensorflow)] == [True, False]
    assert len(builds(Asked(lines=("torch",), wish=Wish(gpu=True)))) == 1
    assert len(builds(Asked(lines=("torch",)))) == 1
    chosen = Asked(
        lines=("torch",), options=("--extra-index-url https://x.example/whl/cpu",), wish=Wish(gpu=False)
    )
    assert [one.arguments for one in builds(chosen)] == [()]
    monkeypatch.setenv("COGYARD_TORCH_INDEX", "https://x.example/whl/")
    assert builds(cpu)[0].arguments == tuple(pages("https://x.example/whl", "cpu"))
    assert builds(cpu)[0].arguments[1] == "https://x.example/whl/cpu/torch/"
    monkeypatch.setenv("UV_TORCH_BACKEND", "auto")
    assert [one.arguments for one in builds(cpu)] == [()]
