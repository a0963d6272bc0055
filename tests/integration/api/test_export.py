"""All that is one account's, over the API: the same as the command writes, streamed, and nothing left of it."""

from __future__ import annotations

import io
import json
import tarfile
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from cogyard.compose import export_folder
from cogyard.compose.archives import AccountArchives
from cogyard.compose.backup import copy_verified
from cogyard.compose.datadir import DataDir
from cogyard.compose.export_folder import ExportError, export, is_unfinished
from cogyard.domain.values import Account
from cogyard.features.audit.ports import Wanted
from cogyard.features.exports import service
from cogyard.features.exports.service import Exports
from cogyard.features.world import World
from cogyard.http.errors import BusyError
from cogyard.testing.api import ApiPlatform

from tests.integration.api.scene import opened

pytestmark = pytest.mark.anyio


def _members(content: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(content), mode="r|") as tar:
        found = {}
        for member in tar:
            file = tar.extractfile(member)
            assert file is not None
            found[member.name] = file.read()
        return found


async def test_an_account_takes_all_that_is_its_own(tmp_path: Path) -> None:
    """Each row and each file that the command writes is in the tar file, and nothing that opens anything."""
    async with opened(tmp_path / "platform") as scene:
        async with scene.platform.client("owner") as client:
            answer = await client.get("/v1/account/export")
        assert answer.headers["content-type"] == "application/x-tar"
        assert answer.headers["content-disposition"] == 'attachment; filename="owner.tar"'
        done = export(DataDir(tmp_path / "platform"), "owner", tmp_path / "folder")
        secrets = {token for name, token in scene.tokens.items() if name != "other"}
    members = _members(answer.content)
    assert members.pop("owner/missing.jsonl") == b""
    folder = {
        f"owner/{path.relative_to(tmp_path / 'folder')}": path.read_bytes()
        for path in (tmp_path / "folder").rglob("*")
        if path.is_file()
    }
    assert set(members) == set(folder)
    assert {name: members[name] for name in members if "tokens" not in name} == {
        name: folder[name] for name in folder if "tokens" not in name
    }
    assert {
        "models",
        "versions",
        "deployments",
        "releases",
        "predictions",
        "files",
        "webhook_endpoints",
    } < set(done.rows)
    assert all(secret.encode() not in answer.content for secret in secrets)
    tokens = [json.loads(line) for line in members["owner/tokens.jsonl"].splitlines()]
    assert {"tests", "revoked"} < {each["name"] for each in tokens}
    assert all("hash" not in each for each in tokens)


async def test_an_export_that_broke_off_is_finished(
    platform: ApiPlatform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was copied stays, what is gone since goes, rows are of now; nobody else's goes on in that folder."""
    async with platform.client("owner") as client:
        ids = [
            (await client.post("/v1/files", files={"content": ("a", text)})).json()["id"]
            for text in (b"first", b"second", b"third")
        ]
    root, target = DataDir(platform.database.path.parent), tmp_path / "folder"
    # Nothing else ends a copy between two files without waiting for real time.
    copied: list[Path] = []

    def broken(source: Path, place: Path, digest: str) -> bool:
        if len(copied) == 2:
            raise KeyboardInterrupt
        copied.append(place)
        return copy_verified(source, place, digest)

    with monkeypatch.context() as patched:
        patched.setattr(export_folder, "copy_verified", broken)
        with pytest.raises(KeyboardInterrupt):
            export(root, "owner", target)
    assert is_unfinished(target)
    with pytest.raises(ExportError, match="an export of owner that broke off"):
        export(root, "other", target)
    async with platform.client("owner") as client:
        assert (await client.delete(f"/v1/files/{copied[0].name}")).status_code == 204
    done = export(root, "owner", target)
    left = set(ids) - {copied[0].name}
    assert ({path.name for path in (target / "files").iterdir()} & set(ids), done.kept) == (left, 1)
    rows = [json.loads(line) for line in (target / "files.jsonl").read_text().splitlines()]
    assert {each["id"] for each in rows} & set(ids) == left
    assert not is_unfinished(target)
    with pytest.raises(ExportError, match="has something in it"):
        export(root, "owner", target)


async def test_a_file_that_is_gone_is_named(platform: ApiPlatform, tmp_path: Path) -> None:
    """The rest is there, and the last member says what is not."""
    async with platform.client("owner") as client:
        sent = (await client.post("/v1/files", files={"content": ("a", b"gone")})).json()
        sha256 = sent["checksums"]["sha256"]
        root = platform.database.path.parent
        (root / "files" / "blobs" / "sha256" / sha256[:2] / sha256).unlink()
        members = _members((await client.get("/v1/account/export?images=true")).content)
    assert json.loads(members["owner/missing.jsonl"]) == {
        "name": f"files/{sent['id']}",
        "digest": f"sha256:{sha256}",
    }
    assert list(members)[-1] == "owner/missing.jsonl"
    assert json.loads(members["owner/images/index.json"])["manifests"] == []


async def test_an_export_is_noted(platform: ApiPlatform) -> None:
    """It shows everything at once, so the audit log says that it was asked for; asking for its headers is no export."""
    async with platform.client("owner") as client:
        assert (await client.head("/v1/account/export")).status_code == 200
        assert (await client.get("/v1/account/export")).status_code == 200
        assert (await client.get("/v1/account/export?images=perhaps")).status_code == 400
    assert platform.services.audit is not None
    found = await platform.services.audit.entries(Wanted(action="account.export"))
    assert [(each.actor, each.subject) for each in found] == [("owner", "owner")]


async def test_whoever_leaves_ends_it_and_nothing_is_left(platform: ApiPlatform) -> None:
    """The next export of the account begins, no file is left, and nothing holds the database."""
    owner, exports = platform.accounts["owner"], platform.services.exports
    root = platform.database.path.parent
    before = sorted(root.iterdir())
    export = exports.begin(owner)
    pieces = aiter(export)
    await anext(pieces)
    with pytest.raises(BusyError, match="on its way already"):
        exports.begin(owner)
    await export.closed()
    assert sorted(root.iterdir()) == before
    async with platform.client("owner") as client:
        assert (await client.get("/v1/account/export")).status_code == 200


async def test_exports_are_few(platform: ApiPlatform) -> None:
    """At once there are two of all accounts, and six an hour of one; 429 says when to come back."""
    now = 0.0
    world = World(elapsed=lambda: now)
    exports = Exports(archives=platform.services.exports.archives, world=world)
    owner, other, root = (platform.accounts[name] for name in ("owner", "other", "root"))
    running = [exports.begin(owner), exports.begin(other)]
    with pytest.raises(BusyError, match="as many as there may be at once"):
        exports.begin(root)
    for each in running:
        await each.closed()
    for _ in range(service.AN_HOUR - 1):
        await exports.begin(owner).closed()
    with pytest.raises(BusyError, match="at most 6 exports") as refused:
        exports.begin(owner)
    assert refused.value.retry_after == 600
    now = 600.0
    await exports.begin(owner).closed()


async def test_memory_does_not_grow_with_what_is_exported(platform: ApiPlatform) -> None:
    """Rows of many megabytes pass through; what is held at once is a small part of them."""
    owner, count = platform.accounts["owner"], 5_000
    made = await platform.services.predictions.create(owner, version=platform.version, input={"text": "x"})
    await platform.database.write(lambda db: _copies(db, made.id, count))
    held, length = _held(platform, owner)
    assert length > count * 1000
    assert held < length / 2


def _copies(db: Any, prediction_id: str, count: int) -> None:
    names = [row["name"] for row in db.execute("PRAGMA table_info(predictions)") if row["name"] != "rank"]
    values = {
        "id": "printf('%026d', value)",
        "stream_token": "'copy' || value",
        "logs": "hex(zeroblob(1000))",
    }
    chosen = ", ".join(values.get(name, name) for name in names)
    db.execute(
        f"WITH RECURSIVE n(value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM n WHERE value < {count})"  # noqa: S608 - names are the schema's own
        f" INSERT INTO predictions ({', '.join(names)}) SELECT {chosen} FROM n, predictions WHERE id = ?",
        (prediction_id,),
    )


def _held(platform: ApiPlatform, account: Account) -> tuple[int, int]:
    """Return the most memory that was held while an export was made, and its length."""
    archives = AccountArchives(DataDir(platform.database.path.parent))
    length = 0
    tracemalloc.start()
    try:
        for piece in archives.pieces(account, platform.services.accounts.world.now(), images=False):
            length += len(piece)
        return tracemalloc.get_traced_memory()[1], length
    finally:
        tracemalloc.stop()
