"""Weights beside an image on a real platform: pushed, found by instances and by what trainings make, and kept."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx2
import pytest
from cogyard.oci import descriptor as media
from cogyard.oci.digest import of
from cogyard.oci.manifest import Index, encode
from cogyard.testing.images import TestImage, make_image
from cogyard.testing.weights import declared, import_weights
from cogyard.weights.artifact import Artifact

COGYARD = Path(sys.executable).with_name("cogyard")

SOURCE = """
import cog
from pathlib import Path

class Predictor(cog.BasePredictor):
    def setup(self, weights: cog.Path | None = None) -> None:
        self.words = Path("net/words.txt").read_text()
        self.learned = weights.read_text() if weights else "nothing"

    def predict(self) -> str:
        return f"{self.words} and {self.learned}"

def train(word: str) -> cog.Path:
    path = cog.Path("learned.txt")
    path.write_text(Path("net/words.txt").read_text() + word)
    return path
"""


class Pushing:
    """A push of an image with weights beside it, by hand."""

    def __init__(self, shared_platform: Any) -> None:
        self.http: httpx2.Client = shared_platform.http
        self.auth = httpx2.BasicAuth("tester", shared_platform.token)

    def blob(self, data: bytes) -> None:
        """Send a blob."""
        begun = self.http.post("/v2/tester/weighty/blobs/uploads/", auth=self.auth)
        place = httpx2.URL(begun.headers["location"]).copy_merge_params({"digest": of(data)})
        assert self.http.put(place, content=data, auth=self.auth).status_code == 201

    def manifest(self, data: bytes, tag: str | None = None, media_type: str = media.MANIFEST) -> int:
        """Send a manifest; return the answer's status."""
        url = f"/v2/tester/weighty/manifests/{tag or of(data)}"
        headers = {"content-type": media_type}
        return self.http.put(url, content=data, headers=headers, auth=self.auth).status_code

    def delete(self, data: bytes) -> httpx2.Response:
        """Ask that a manifest go."""
        return self.http.delete(f"/v2/tester/weighty/manifests/{of(data)}", auth=self.auth)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> tuple[Artifact, list[bytes]]:
    """Make weights of one file; return their artifact and their layers."""
    folder = tmp_path_factory.mktemp("weights")
    artifact, store = import_weights(folder, {"words.txt": b"words"}, target="/src/net")
    return artifact, [store.path(each.digest).read_bytes() for each in artifact.layers]


@pytest.fixture(scope="module")
def image(shared_platform: Any, weights: tuple[Artifact, list[bytes]]) -> TestImage:
    """Make an image that expects them."""
    return make_image(
        SOURCE, python=shared_platform.python, cog={"train": "predict.py:train", **declared(weights[0])}
    )


@pytest.fixture(scope="module")
def index(shared_platform: Any, image: TestImage, weights: tuple[Artifact, list[bytes]]) -> bytes:
    """Push both, and the index that names both."""
    return push_both(shared_platform, image, weights)


def push_both(platform: Any, image: TestImage, weights: tuple[Artifact, list[bytes]]) -> bytes:
    """Push an image, its weights, and the index that names both; return the index."""
    artifact, layers = weights
    pushing = Pushing(platform)
    for data in [*image.blobs.values(), *layers, artifact.config()]:
        pushing.blob(data)
    assert pushing.manifest(artifact.manifest(), artifact.tag()) == 201
    assert pushing.manifest(image.manifest) == 201
    own = media.Descriptor(
        media_type=media.MANIFEST, digest=image.digest, size=len(image.manifest),
        platform=media.Platform(os="linux", architecture="amd64"),
    )  # fmt: skip
    data = encode(Index(schema_version=2, media_type=media.INDEX, manifests=[own, artifact.entry()]))
    assert pushing.manifest(data, "latest", media.INDEX) == 201
    return data


def test_a_version_runs_with_the_weights_beside_its_image(
    shared_platform: Any, image: TestImage, index: bytes
) -> None:
    """They are on disk once, as links."""
    del index
    assert shared_platform.run(image.version)["output"] == "words and nothing"
    folder = Path(shared_platform.data.root) / "weights"
    (found,) = folder.glob("sets/*")
    assert (found / "words.txt").stat().st_nlink >= 2
    assert (found / ".cog/ready").is_file()


def test_a_training_s_version_has_them_too(shared_platform: Any, image: TestImage, index: bytes) -> None:
    """Beside what it learned, in its own model."""
    del index
    body = {"owner": "tester", "name": "weighty-tuned", "visibility": "private", "hardware": "cpu"}
    shared_platform.http.post("/v1/models", json=body).raise_for_status()
    begun = shared_platform.http.post(
        f"/v1/models/tester/weighty/versions/{image.version}/trainings",
        json={"destination": "tester/weighty-tuned", "input": {"word": "!"}},
    ).json()
    done = shared_platform.until(begun["id"])
    assert done["status"] == "succeeded", done
    version = done["output"]["version"].partition(":")[2]
    assert shared_platform.run(version)["output"] == "words and words!"


def test_what_brings_a_version_s_weights_is_not_deleted(
    shared_platform: Any, index: bytes, weights: tuple[Artifact, list[bytes]]
) -> None:
    """Neither the index nor the weights, as long as there is the version."""
    pushing = Pushing(shared_platform)
    refused = pushing.delete(index)
    assert refused.status_code == 405
    assert "brings the weights of a version" in refused.text
    assert pushing.delete(weights[0].manifest()).status_code == 405


def test_an_image_pushed_without_its_weights_says_so(
    shared_platform: Any, weights: tuple[Artifact, list[bytes]]
) -> None:
    """Its predictions fail with what to do, not somewhere in setup()."""
    lone = make_image(SOURCE + "# lone", python=shared_platform.python, cog=declared(weights[0]))
    version = shared_platform.push(lone, "lone")
    done = shared_platform.run(version)
    assert done["status"] == "failed"
    assert "did not come with it" in done["error"]


def test_weights_go_with_the_last_version_that_has_them(
    stopped: Any, image: TestImage, weights: tuple[Artifact, list[bytes]]
) -> None:
    """Its index goes with it, and the weights and their layers in the next collection."""
    stopped.start()
    index = push_both(stopped, image, weights)
    path = f"/v1/models/tester/weighty/versions/{image.version}"
    assert stopped.http.delete(path).status_code == 202
    manifests, blobs = "/v2/tester/weighty/manifests", "/v2/tester/weighty/blobs"
    assert stopped.http.head(f"{manifests}/{of(index)}").status_code == 404
    places = [f"{manifests}/{weights[0].tag()}", *(f"{blobs}/{of(layer)}" for layer in weights[1])]
    assert [stopped.http.head(each).status_code for each in places] == [200] * len(places)
    stopped.end(signal.SIGINT)
    command = [str(COGYARD), "gc", "--older-than", "0", "--data-dir", str(stopped.data.root)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    stopped.start()
    assert [stopped.http.head(each).status_code for each in places] == [404] * len(places)
