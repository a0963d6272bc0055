"""What is read from a manifest and a config, as strangers wrote them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cogyard.instances.errors import ImageRefusedError
from cogyard.instances.image import read_image

DIGEST = "sha256:" + "a" * 64
CONFIG_DIGEST = "sha256:" + "c" * 64


def _manifest(*kinds: str | None, digest: str = DIGEST) -> bytes:
    layers = [
        {
            "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
            "digest": digest,
            "size": 10,
            **({"annotations": {"run.cog.layer": kind}} if kind else {}),
        }
        for kind in kinds
    ]
    config = {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": CONFIG_DIGEST, "size": 2}
    return json.dumps({"schemaVersion": 2, "config": config, "layers": layers}).encode()


def _config(cog: object = None, env: object = (), **labels: Any) -> dict[str, Any]:
    return {"config": {"Labels": {"run.cog.config": json.dumps(cog or {}), **labels}, "Env": list(env)}}  # type: ignore[call-overload]  # hostile kinds are the test


def test_layers_labels_and_environment_are_read() -> None:
    """Layers come by kind and in order; the model's name, Python, slots and variables are known."""
    config = _config(
        {"predict": "predict.py:Predictor", "concurrency": {"max": 8}},
        ["A=1", "B=x=y", "broken", "=z"],
        **{"run.cog.python_version": "3.12"},
    )
    image = read_image("v", _manifest(None, "system", "lock", "weights", "source"), config)
    assert [layer.kind for layer in image.of_kind("source", "weights")] == ["weights", "source"]
    assert (image.ref, image.python_version, image.slots) == ("predict.py:Predictor", "3.12", 8)
    assert image.env == {"A": "1", "B": "x=y"}


def test_layers_of_an_image_that_went_through_docker_are_known() -> None:
    """Docker drops annotations and compresses anew; the labels of the config and the diffIDs stay."""
    kinds = {"sha256:1": "lock", "sha256:2": "source"}
    config = _config(**{"run.cog.layers": json.dumps(kinds)})
    config["rootfs"] = {"type": "layers", "diff_ids": ["sha256:0", "sha256:1", "sha256:2"]}
    assert [layer.kind for layer in read_image("v", _manifest(None, None, None), config).layers] == [
        "", "lock", "source",
    ]  # fmt: skip
    assert [layer.kind for layer in read_image("v", _manifest(None, None), config).layers] == ["", ""]


@pytest.mark.parametrize("told", ["[]", "{", '{"sha256:0": 5}', ""])
@pytest.mark.parametrize("rootfs", [None, [], {"diff_ids": "x"}, {"diff_ids": [{"a": 1}]}])
def test_odd_kinds_are_no_kinds(told: str, rootfs: object) -> None:
    """What strangers wrote into labels and diffIDs names no layer."""
    config = {**_config(**{"run.cog.layers": told}), "rootfs": rootfs}
    assert read_image("v", _manifest(None), config).layers[0].kind == ""


def test_the_python_of_cog_yaml_serves_when_the_label_is_missing() -> None:
    """Images made before the label exist."""
    image = read_image("v", _manifest("lock"), _config({"build": {"python_version": "3.11"}}))
    assert image.python_version == "3.11"


@pytest.mark.parametrize("slots", [None, 0, -1, "8", 1.5, True, {"max": 2}, 10**9], ids=repr)
def test_nonsense_about_concurrency_is_one_slot(slots: object) -> None:
    """A number of slots that makes no sense is one."""
    assert read_image("v", _manifest(), _config({"concurrency": {"max": slots}})).slots == 1


@pytest.mark.parametrize(
    "manifest",
    [
        b"",
        b"[]",
        b"\xff",
        b'{"schemaVersion": 2}',
        _manifest("source", digest="sha256:../../etc/passwd"),
        _manifest("source", digest="md5:abc"),
        b"[" * 100_000,
    ],
)
def test_what_is_no_manifest_is_refused(manifest: bytes) -> None:
    """Foreign bytes end in a refusal that names the version."""
    with pytest.raises(ImageRefusedError, match="v"):
        read_image("v", manifest, {})


def test_an_index_is_refused() -> None:
    """A list of images is not an image."""
    with pytest.raises(ImageRefusedError) as refused:
        read_image("v", b'{"schemaVersion": 2, "manifests": []}', {})
    assert "not a list of images" in (refused.value.hint or "")


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"config": None},
        {"config": []},
        {"config": {"Labels": [], "Env": {}}},
        {"config": {"Labels": {"run.cog.config": "{"}, "Env": [1, None, "X=\0"]}},
        {"config": {"Labels": {"run.cog.config": "[]", "n": 1}, "Env": "A=1"}},
    ],
)
def test_a_strange_config_is_an_empty_one(config: dict[str, Any]) -> None:
    """What is not of the kind it should be is as if it were not there."""
    image = read_image("v", _manifest("source"), config)
    assert (image.ref, image.python_version, image.slots) == (None, None, 1)
    assert set(image.env) <= {"1", "None"} or image.env == {}
