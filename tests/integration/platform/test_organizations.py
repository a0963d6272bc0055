"""An organization on a real platform: made by the operator, pushed to, run and deployed by its members, left again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
from cogyard.oci import descriptor as media
from cogyard.testing.images import TestImage, make_image
from replicate import Client
from replicate.errors import ReplicateError

COGYARD = Path(sys.executable).with_name("cogyard")
MEMBERS = {"ann": "owner", "wim": "writer", "rea": "reader", "eve": None}


@dataclass(frozen=True, kw_only=True)
class Yard:
    """A platform where `acme` has members, and what they hold."""

    platform: Any
    tokens: dict[str, str]

    def cogyard(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """Run a command of the operator's on the platform's folder."""
        return _cogyard(*arguments, "--data-dir", self.platform.data.root)

    def client(self, who: str, **headers: str) -> httpx2.Client:
        """Return a client of the API with somebody's token."""
        all_ = {"authorization": f"Bearer {self.tokens[who]}", **headers}
        return httpx2.Client(base_url=self.platform.http.base_url, headers=all_, timeout=60)

    def replicate(self, who: str, **headers: str) -> closing[Client]:
        """Return our client, as applications use it, with somebody's token."""
        base_url = str(self.platform.http.base_url)
        return closing(Client(self.tokens[who], base_url=base_url, headers=headers))

    def bearer(self, who: str, repository: str) -> httpx2.Client:
        """Return a client with a registry token for a repository, as Docker gets one."""
        with httpx2.Client(base_url=self.platform.http.base_url, auth=(who, self.tokens[who])) as door:
            asked = {"service": "x", "scope": f"repository:{repository}:pull,push"}
            token = door.get("/registry/token", params=asked).json()["token"]
        headers = {"authorization": f"Bearer {token}"}
        return httpx2.Client(base_url=self.platform.http.base_url, headers=headers, timeout=60)


def _cogyard(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("COGYARD_")}
    command = [str(part) for part in (COGYARD, *arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=60, env={**kept, "NO_COLOR": "1"}
    )


@pytest.fixture
def yard(platform: Any) -> Yard:
    """Return a platform with people and an organization, all made by commands while it runs."""
    data = ("--data-dir", platform.data.root)
    tokens: dict[str, str] = {}
    for name in MEMBERS:
        assert _cogyard("account", "add", name, *data).returncode == 0
        tokens[name] = _cogyard("token", "create", name, *data).stdout.strip()
    assert _cogyard("organization", "add", "acme", "--owner", "ann", "--name", "Acme", *data).returncode == 0
    for name, role in MEMBERS.items():
        if role not in {None, "owner"}:
            made = _cogyard("organization", "set-member", "acme", name, "--role", str(role), *data)
            assert made.returncode == 0, made.stderr
    tokens["acme"] = _cogyard("token", "create", "acme", "--name", "ci", *data).stdout.strip()
    return Yard(platform=platform, tokens=tokens)


def _push(http: httpx2.Client, image: TestImage, repository: str) -> httpx2.Response:
    """Push as far as it goes; return the last answer."""
    for digest, content in image.blobs.items():
        begun = http.post(f"/v2/{repository}/blobs/uploads/")
        if begun.status_code != 202:
            return begun
        place = httpx2.URL(begun.headers["location"]).copy_merge_params({"digest": digest})
        http.put(place, content=content)
    headers = {"content-type": media.MANIFEST}
    return http.put(f"/v2/{repository}/manifests/latest", content=image.manifest, headers=headers)


def test_a_writer_pushes_a_reader_runs_and_others_see_nothing(yard: Yard) -> None:
    """The first push makes the organization's model; by their own names, or by the organization's own token."""
    image = make_image(python=yard.platform.python)
    with yard.bearer("wim", "acme/hello") as http:
        assert _push(http, image, "acme/hello").status_code == 201
    with yard.bearer("acme", "acme/hello") as http:
        assert _push(http, image, "acme/hello").status_code == 201
    for who in ("rea", "eve"):
        with yard.bearer(who, "acme/hello") as http:
            refused = _push(http, image, "acme/hello")
            assert (refused.status_code, refused.json()["errors"][0]["code"]) in {
                (403, "DENIED"),
                (401, "UNAUTHORIZED"),
            }
    with yard.bearer("rea", "acme/hello") as http:
        assert http.get("/v2/acme/hello/manifests/latest").status_code == 200
    with yard.bearer("eve", "acme/hello") as http:
        here, nowhere = (http.get(f"/v2/acme/{name}/manifests/latest") for name in ("hello", "absent"))
        assert (here.status_code, here.text.replace("hello", "")) == (404, nowhere.text.replace("absent", ""))

    with yard.replicate("rea") as client:
        assert "members" in str(client.run("acme/hello", input={"text": "members"}))
    with yard.replicate("eve") as client, pytest.raises(ReplicateError):
        client.run("acme/hello", input={"text": "x"})


def test_the_client_makes_models_and_deployments_of_an_organization(yard: Yard) -> None:
    """`owner` names it in a model; whoever acts for it, or is it, deploys under its name and lists what ran."""
    with yard.replicate("wim") as writer:
        made = writer.models.create(owner="acme", name="made", visibility="private", hardware="cpu")
        assert made.owner == "acme"
    with yard.replicate("rea") as reader, pytest.raises(ReplicateError, match="reader"):
        reader.models.create(owner="acme", name="more", visibility="private", hardware="cpu")
    image = make_image(python=yard.platform.python)
    with yard.bearer("wim", "acme/made") as http:
        assert _push(http, image, "acme/made").status_code == 201
    with yard.replicate("wim", **{"Cogyard-Account": "acme"}) as acting:
        assert acting.accounts.current().username == "acme"
        deployed = acting.deployments.create(
            name="front",
            model="acme/made",
            version=image.version,
            hardware="cpu",
            min_instances=0,
            max_instances=1,
        )
        assert deployed.owner == "acme"
    with yard.replicate("rea") as reader:
        done = reader.deployments.predictions.create("acme/front", input={"text": "x"})
        done.wait()
        assert done.status == "succeeded"
        assert [each.id for each in reader.predictions.list()] == []
    with yard.replicate("acme") as own:
        assert [each.id for each in own.predictions.list()] == [done.id]
        assert [f"{each.owner}/{each.name}" for each in own.deployments.list()] == ["acme/front"]


def test_whoever_is_removed_is_out_with_what_they_hold(yard: Yard) -> None:
    """API token and registry token, both from before: at the next request they open what a stranger's do."""
    image = make_image(python=yard.platform.python)
    with yard.bearer("wim", "acme/hello") as registry, yard.client("wim") as api:
        assert _push(registry, image, "acme/hello").status_code == 201
        assert api.get("/v1/models/acme/hello").status_code == 200
        removed = yard.cogyard("organization", "remove-member", "acme", "wim")
        assert removed.returncode == 0, removed.stderr
        assert api.get("/v1/models/acme/hello").status_code == 404
        assert api.get("/v1/predictions", headers={"Cogyard-Account": "acme"}).status_code == 403
        assert registry.get("/v2/acme/hello/manifests/latest").status_code == 404
        assert _push(registry, image, "acme/hello").status_code == 403
    with yard.client("acme") as own:
        assert own.get("/v1/models/acme/hello").status_code == 200


def test_commands_say_what_stands_in_the_way(yard: Yard) -> None:
    """The last owner, a name that is not there, an organization that is none, one that still owns something."""
    kept = {"owner": "acme", "name": "kept", "visibility": "private", "hardware": "cpu"}
    with yard.client("ann") as http:
        assert http.post("/v1/models", json=kept).status_code == 201
    for arguments, words in (
        (("organization", "remove-member", "acme", "ann"), "nobody else owns the organization"),
        (("organization", "set-member", "acme", "ann", "--role", "reader"), "nobody else owns"),
        (
            ("organization", "set-member", "acme", "zoe", "--role", "reader"),
            "`cogyard account list` shows those",
        ),
        (("organization", "set-member", "acme", "nobody", "--role", "reader"), "nobody"),
        (("organization", "remove-member", "acme", "eve"), "eve is no member"),
        (("organization", "members", "absent"), "there is no organization absent"),
        (("organization", "members", "ann"), "there is no organization ann"),
        (("organization", "add", "ann", "--owner", "eve"), "ann is taken"),
        (("organization", "delete", "acme", "--yes"), "1 models"),
        (("account", "delete", "ann", "--yes"), "nobody else owns acme"),
        (("account", "delete", "tester", "--yes"), "last administrator"),
        (("account", "password", "acme", "--password-stdin"), "nothing on standard input"),
        (("link", "acme"), "nobody signs in"),
    ):
        done = yard.cogyard(*arguments)
        assert done.returncode != 0, arguments
        assert words in done.stderr
        assert "Traceback" not in done.stderr
    listed = yard.cogyard("organization", "members", "acme").stdout.split()
    assert [word for word in listed if word in MEMBERS] == ["ann", "rea", "wim"]
    assert "acme" in yard.cogyard("organization", "list").stdout
    assert yard.cogyard("account", "delete", "eve", "--yes").returncode == 0
    with yard.client("eve") as http:
        assert http.get("/v1/account").status_code == 401
    assert "eve" not in yard.cogyard("account", "list").stdout
    noted = yard.cogyard("audit", "--action", "accounts", "--json").stdout.splitlines()
    assert json.loads(noted[0])["action"] == "accounts.delete"


def test_an_organization_is_exported_with_its_members(yard: Yard, tmp_path: Path) -> None:
    """By name, for the organization and for whoever belongs to it; others' organizations are not in it."""
    for name, expected in (("acme", {"ann", "rea", "wim"}), ("rea", {"rea"})):
        target = tmp_path / name
        assert yard.cogyard("export", name, target).returncode == 0
        rows = [json.loads(line) for line in (target / "members.jsonl").read_text("utf-8").splitlines()]
        assert {each["member"] for each in rows} == expected
        assert {each["organization"] for each in rows} == {"acme"}
        assert all(each["joined_at"].endswith("+00:00") for each in rows)
