"""Who may push what where, with real accounts, models and versions behind the registry."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx2
import pytest
from cogyard.oci import descriptor as media
from cogyard.testing.blobs import digest_of
from cogyard.testing.images import TestImage, make_image


@pytest.fixture(scope="module")
def alice(shared_platform: Any) -> str:
    """Make a second account and return a token of it; its password is `correct horse`."""
    cogyard = Path(sys.executable).with_name("cogyard")
    place = ["--data-dir", str(shared_platform.data.root)]
    subprocess.run(
        [cogyard, "account", "add", "alice", "--password-stdin", *place],
        input="correct horse\n",
        text=True,
        check=True,
        capture_output=True,
    )
    made = subprocess.run(
        [cogyard, "token", "create", "alice", *place], text=True, check=True, capture_output=True
    )
    return made.stdout.strip()


def _put(shared_platform: Any, image: TestImage, repository: str, auth: tuple[str, str]) -> httpx2.Response:
    """Push as far as it goes; return the last answer."""
    with httpx2.Client(base_url=shared_platform.http.base_url, auth=auth) as http:
        for digest, content in image.blobs.items():
            begun = http.post(f"/v2/{repository}/blobs/uploads/")
            if begun.status_code != 202:
                return begun
            http.put(
                httpx2.URL(begun.headers["location"]).copy_merge_params({"digest": digest}), content=content
            )
        headers = {"content-type": media.MANIFEST}
        return http.put(f"/v2/{repository}/manifests/latest", content=image.manifest, headers=headers)


def _versions(shared_platform: Any, model: str, token: str) -> list[str]:
    headers = {"authorization": f"Bearer {token}"}
    answer = shared_platform.http.get(f"/v1/models/{model}/versions", headers=headers)
    return [found["id"] for found in answer.json()["results"]] if answer.status_code == 200 else []


def test_the_first_push_makes_a_private_model_of_its_owner(shared_platform: Any, alice: str) -> None:
    """The model and its version are there for the owner; for others there is nothing."""
    image = make_image(python=shared_platform.python)
    assert _put(shared_platform, image, "alice/fresh", ("alice", alice)).status_code == 201
    headers = {"authorization": f"Bearer {alice}"}
    model = shared_platform.http.get("/v1/models/alice/fresh", headers=headers).json()
    assert (model["visibility"], model["latest_version"]["id"]) == ("private", image.version)
    nobody = httpx2.Client(base_url=shared_platform.http.base_url)
    with nobody:
        absent, private = (nobody.get(f"/v2/alice/{name}/manifests/latest") for name in ("absent", "fresh"))
        assert (absent.status_code, private.status_code) == (401, 401)
        assert absent.json() == private.json() or "fresh" not in absent.text
    assert _put(shared_platform, image, "alice/fresh", ("alice", alice)).status_code == 201
    assert _versions(shared_platform, "alice/fresh", alice) == [image.version]


def test_the_password_is_as_good_as_a_token(shared_platform: Any, alice: str) -> None:
    """Docker login with the account's password works too; a wrong one or another's name does not."""
    image = make_image(python=shared_platform.python, env=("P=1",))
    assert _put(shared_platform, image, "alice/withpassword", ("alice", "correct horse")).status_code == 201
    assert _put(shared_platform, image, "alice/withpassword", ("alice", "wrong")).status_code == 401
    assert _put(shared_platform, image, "alice/withpassword", ("tester", alice)).status_code == 401


@pytest.mark.parametrize(
    "repository", ["tester/stolen", "nobody/stolen", "alice/with/three", "alice", "alice/Upper"]
)
def test_other_names_are_refused_and_make_nothing(shared_platform: Any, alice: str, repository: str) -> None:
    """Somebody else's namespace, a missing one, or what is no model's name: refused, said, and nothing is made."""
    answer = _put(shared_platform, make_image(python=shared_platform.python), repository, ("alice", alice))
    assert answer.status_code in {400, 403, 404}
    assert answer.json()["errors"][0]["message"]
    assert shared_platform.http.get("/v1/models/tester/stolen").status_code == 404


def test_an_image_that_is_no_model_makes_no_version(shared_platform: Any) -> None:
    """The registry keeps any image; only one that describes its inputs and output is a version."""
    image = make_image(python=shared_platform.python)
    plain = json.loads(image.config)
    del plain["config"]["Labels"]["run.cog.openapi_schema"]
    config = json.dumps(plain).encode()
    manifest = json.loads(image.manifest)
    manifest["config"] |= {"digest": digest_of(config), "size": len(config)}
    content = json.dumps(manifest).encode()
    stripped = TestImage(
        manifest=content,
        config=config,
        digest=digest_of(content),
        blobs={**image.blobs, digest_of(config): config},
    )
    assert (
        _put(shared_platform, stripped, "tester/plain", ("tester", shared_platform.token)).status_code == 201
    )
    assert _versions(shared_platform, "tester/plain", shared_platform.token) == []


def test_a_versions_image_is_not_deleted_through_the_registry(shared_platform: Any) -> None:
    """Deleting its manifest is refused: versions stay for ever, unless they are deleted as versions."""
    version = shared_platform.push(make_image(python=shared_platform.python, env=("D=1",)), "pinned")
    auth = httpx2.BasicAuth("tester", shared_platform.token)
    answer = shared_platform.http.delete(f"/v2/tester/pinned/manifests/sha256:{version}", auth=auth)
    assert answer.status_code >= 400
    assert shared_platform.run(version)["status"] == "succeeded"


@pytest.mark.skipif(shutil.which("skopeo") is None, reason="skopeo is not on this machine")
def test_skopeo_copies_a_model_within_the_platform(shared_platform: Any, alice: str) -> None:
    """A foreign tool pulls what one may see and pushes it where one may push: the same digest, the same version."""
    version = shared_platform.push(make_image(python=shared_platform.python, env=("S=1",)), "origin")
    host = str(shared_platform.http.base_url).removeprefix("http://").rstrip("/")
    copied = subprocess.run(
        [
            *("skopeo", "copy", "--src-tls-verify=false", "--dest-tls-verify=false", "--preserve-digests"),
            *("--src-creds", f"tester:{shared_platform.token}", "--dest-creds", f"alice:{alice}"),
            *(f"docker://{host}/tester/origin:latest", f"docker://{host}/alice/copy:latest"),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert copied.returncode == 0, copied.stderr
    assert _versions(shared_platform, "alice/copy", alice) == [version]
