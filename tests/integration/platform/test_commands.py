"""What stands in the way of a start, and the commands that look after a platform."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx2
import pytest
from cogyard.testing.blobs import digest_of
from cogyard.testing.images import make_image

COGYARD = Path(sys.executable).with_name("cogyard")


def _cogyard(*arguments: str | Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("COGYARD_")}
    return subprocess.run(
        [str(part) for part in (COGYARD, *arguments)],
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**kept, "NO_COLOR": "1"},
    )


def test_the_first_start_tells_how_to_get_in_and_later_ones_do_not(stopped: Any) -> None:
    """A link and a token once; afterwards the address only, unless they are asked for."""
    first = stopped.start()
    assert first["token"].startswith("cyd_")
    assert first["link"].startswith(first["address"])
    assert first["link"] in stopped.log
    assert stopped.http.get("/v1/account").json()["username"] == "tester"
    assert httpx2.get(first["link"]).status_code == 200
    assert stopped.end(signal.SIGINT) == 0
    assert not (stopped.folder / "ready.json").exists()
    second = stopped.start()
    assert (second["token"], second["link"]) == (None, None)
    assert stopped.http.get("/v1/account").status_code == 200
    stopped.end(signal.SIGINT)
    third = stopped.start("--print-token")
    assert third["token"] not in {None, first["token"]}
    stopped.end(signal.SIGINT)
    kept = _cogyard("audit", "--json", "--data-dir", stopped.data.root).stdout
    found = [json.loads(line) for line in kept.splitlines()]
    told = [("tokens.create", "tester: cogyard up"), ("signin.link.create", "tester")]
    assert sorted((one["action"], one["subject"]) for one in found if one["via"] == "command") == sorted(
        [*told, *told, ("accounts.create", "tester, an administrator")]
    )
    assert first["token"] not in kept
    assert first["link"].rpartition("/")[2] not in kept
    nobody = _cogyard("up", "--data-dir", stopped.data.root, "--port", "0", "--admin", "nobody")
    assert nobody.returncode == 1
    assert "There is no account nobody" in nobody.stderr


def test_the_ready_file_is_its_owners_alone(platform: Any) -> None:
    """There is a token in it."""
    assert (platform.folder / "ready.json").stat().st_mode & 0o077 == 0


def test_what_stands_in_the_way_is_said(platform: Any, tmp_path: Path) -> None:
    """Folder taken, port taken, folder not writable, wrong settings: each a message, what to do, exit status."""
    ready = platform.folder / "ready.json"
    again = _cogyard("up", "--data-dir", platform.data.root, "--ready-file", ready)
    assert again.returncode == 1
    assert ready.exists(), "it is the running platform's"
    assert "already runs" in again.stderr
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        in_use = _cogyard("up", "--data-dir", tmp_path / "other", "--port", port)
    assert in_use.returncode == 1
    assert f"Port {port} of 127.0.0.1 is in use" in in_use.stderr
    (tmp_path / "file").write_text("")
    unwritable = _cogyard("up", "--data-dir", tmp_path / "file" / "data")
    assert unwritable.returncode == 1
    assert "is a file, not a folder" in unwritable.stderr
    wrong = _cogyard("up", "--port", "ninety", "--set", "colour=blue")
    assert wrong.returncode == 2
    assert "--port must be a whole number" in wrong.stderr
    assert "--set colour is not a setting" in wrong.stderr
    named = _cogyard("up", "--data-dir", tmp_path / "new", "--port", "0", "--admin", "Not A Name!")
    assert named.returncode != 0
    assert "lower-case" in named.stderr
    no_place = _cogyard(
        "up", "--data-dir", tmp_path / "new", "--ready-file", tmp_path / "none" / "ready.json"
    )
    assert no_place.returncode == 1
    assert "ready file" in no_place.stderr
    for done in (again, in_use, unwritable, wrong, named, no_place):
        assert "Traceback" not in done.stderr


def test_a_database_that_is_none_is_left_alone_and_said(tmp_path: Path) -> None:
    """Garbage where the database should be: a message, exit status 1, and not a byte of it changed."""
    data = tmp_path / "data"
    data.mkdir()
    (data / "cogyard.db").write_bytes(b"not a database " * 1000)
    done = _cogyard("up", "--data-dir", data, "--port", "0")
    assert done.returncode == 1
    assert "database" in done.stderr
    assert "Traceback" not in done.stderr
    assert (data / "cogyard.db").read_bytes() == b"not a database " * 1000


def test_where_logs_are_json_all_that_is_told_is(stopped: Any) -> None:
    """Start, way in, stop and what ends it: an object a line, and no token that nobody asked for."""
    place = ("--data-dir", stopped.data.root)
    port = _free_port()
    command = [
        str(COGYARD),
        "up",
        "--admin",
        "tester",
        *map(str, place),
        "--port",
        port,
        "--log-format",
        "json",
    ]
    with subprocess.Popen([*command, "--runtime", "process"], stderr=subprocess.PIPE, text=True) as running:
        assert running.stderr is not None
        lines = [next(running.stderr) for _ in range(3)]
        again = _cogyard(*command[1:])
        running.send_signal(signal.SIGINT)
        lines += running.stderr.readlines()
    events = {each["event"]: each for each in map(json.loads, lines)}
    assert running.returncode == 0
    assert {
        "way_in",
        "platform_started",
        "models_not_isolated",
        "platform_stopping",
        "platform_stopped",
    } <= set(events)
    assert events["way_in"]["link"].startswith(events["platform_started"]["address"])
    assert "cyd_" not in "".join(lines)
    assert _cogyard("token", "list", "tester", *place).stdout == ""
    (failed,) = map(json.loads, again.stderr.splitlines())
    assert (again.returncode, failed["event"], failed["code"]) == (1, "platform_failed", "platform_running")


def test_one_settings_file_speaks_to_every_command(platform: Any, tmp_path: Path) -> None:
    """By `--config` or COGYARD_CONFIG; an argument wins; what cannot be read or is wrong is said."""
    file = tmp_path / "cogyard.toml"
    file.write_text(f'data_dir = "{platform.data.root}"\nport = 1\n')
    assert _cogyard("status", "--config", file).returncode == 0
    kept = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "COGYARD_CONFIG": str(file)}
    listed = subprocess.run(
        [COGYARD, "account", "list"], env=kept, capture_output=True, text=True, check=False
    )
    assert "tester" in listed.stdout
    elsewhere = _cogyard("status", "--config", file, "--data-dir", tmp_path)
    assert f"no platform in {tmp_path}" in elsewhere.stderr
    file.write_text("hots = 1\n")
    wrong = _cogyard("audit", "--config", file)
    assert (wrong.returncode, "line 1: hots is not a setting" in wrong.stderr) == (2, True)


def _free_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return str(taken.getsockname()[1])


@pytest.mark.parametrize("host", ["::1", "localhost", "0.0.0.0"])
def test_it_listens_where_it_is_told(stopped: Any, host: str) -> None:
    """IPv6, a name, everywhere: the address it prints answers, and models reach it to fetch and send files."""
    if host == "::1" and not _has_ipv6():
        pytest.skip("this machine has no IPv6")
    told = stopped.start("--host", host)
    version = stopped.push(stopped.file_model(), "shout")
    uploaded = stopped.http.post("/v1/files", files={"content": ("a.txt", b"abc", "text/plain")}).json()
    done = stopped.run(version, image=uploaded["urls"]["get"])
    assert done["status"] == "succeeded", done
    assert done["output"].startswith(told["address"])
    assert stopped.http.get(done["output"]).content == b"ABC"


def _has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


def test_accounts_and_tokens_with_the_platform_running(platform: Any) -> None:
    """Made beside the running platform, they count at once; revoked, they count no more."""
    place = ("--data-dir", platform.data.root)
    made = _cogyard("account", "add", "alice", "--password-stdin", *place, stdin="correct horse\n")
    assert made.returncode == 0, made.stderr
    assert made.stdout.startswith(f"http://127.0.0.1:{platform.http.base_url.port}/signin/link/")
    token = _cogyard("token", "create", "alice", "--name", "laptop", *place).stdout.strip()
    headers = {"authorization": f"Bearer {token}"}
    assert platform.http.get("/v1/account", headers=headers).json()["username"] == "alice"
    listed = _cogyard("token", "list", "alice", *place).stdout
    assert "laptop" in listed
    assert token not in listed
    hostile = {"name": "\x1b[31mred\r\n1  \u202e"}
    assert platform.http.post("/v1/tokens", json=hostile, headers=headers).status_code == 201
    lines = _cogyard("token", "list", "alice", *place).stdout.splitlines()
    assert len(lines) == 2
    assert all(line.isprintable() for line in lines)
    number = listed.split()[0]
    assert _cogyard("token", "revoke", "alice", number, *place).returncode == 0
    assert platform.http.get("/v1/account", headers=headers).status_code == 401
    assert _cogyard("token", "revoke", "alice", number, *place).returncode == 1
    names = [line.split()[:2] for line in _cogyard("account", "list", *place).stdout.splitlines()]
    assert names == [["alice", "user"], ["tester", "administrator"]]
    assert (
        _cogyard("account", "password", "alice", "--password-stdin", *place, stdin="another one\n").returncode
        == 0
    )
    assert _cogyard("account", "add", "alice", *place).returncode == 1
    unknown = _cogyard("token", "create", "bob", *place)
    assert unknown.returncode == 1
    assert "there is no account bob" in unknown.stderr
    assert _cogyard("link", *place).stdout.startswith("http://127.0.0.1:")


def test_a_link_is_the_first_administrators_after_a_start_that_named_nobody(stopped: Any) -> None:
    """`up --admin NAME` once, `up` alone later: `link` goes on being for NAME, whoever else has an account."""
    stopped.start()
    stopped.end(signal.SIGINT)
    place = ("--data-dir", stopped.data.root)
    assert _cogyard("account", "add", "alice", *place).returncode == 0
    assert _cogyard("account", "add", "bea", "--admin", *place).returncode == 0
    lock = stopped.data.root / "platform.lock"
    told = json.loads(lock.read_text("utf-8"))
    lock.write_text(
        json.dumps({**told, "administrator": None}), "utf-8"
    )  # as a start without --admin leaves it
    done = _cogyard("link", *place)
    assert done.returncode == 0, done.stderr
    newest = json.loads(_cogyard("audit", "--action", "signin", "--json", *place).stdout.splitlines()[0])
    assert newest["subject"] == "tester"


def test_status_of_a_running_and_of_a_stopped_platform(platform: Any) -> None:
    """Address, instances and what waits; exit status 3 when it does not run."""
    version = platform.push(make_image(python=platform.python), "hello")
    platform.run(version)
    place = ("--data-dir", platform.data.root)
    running = _cogyard("status", *place)
    assert running.returncode == 0, running.stderr
    assert str(platform.http.base_url).rstrip("/") in running.stdout
    state = json.loads(_cogyard("status", "--json", *place).stdout)
    assert state["running"]
    assert [one["deployable"] for one in state["instances"]] == [version]
    platform.end(signal.SIGINT)
    stopped = _cogyard("status", *place)
    assert stopped.returncode == 3
    assert "No platform runs" in stopped.stdout
    assert not json.loads(_cogyard("status", "--json", *place).stdout)["running"]


def test_commands_on_a_folder_without_a_platform(tmp_path: Path) -> None:
    """They say that there is none, and make nothing."""
    for command in (["status"], ["account", "list"], ["token", "list", "x"], ["link"]):
        done = _cogyard(*command, "--data-dir", tmp_path / "none")
        assert done.returncode == 1
        assert "There is no platform" in done.stderr
    assert not (tmp_path / "none").exists()


def test_unused_layers_are_removed(stopped: Any, tmp_path: Path) -> None:
    """Those of images stay; a running platform is not robbed of what a push has just sent; figures are told."""
    stopped.start()
    image = make_image("class Predictor:\n    def predict(self) -> str:\n        return 'x'\n")
    stopped.push(image, "kept")
    begun = stopped.http.post(
        f"/v2/tester/kept/blobs/uploads/?digest={digest_of(b'unused')}", content=b"unused"
    )
    assert begun.status_code == 201
    place = ("--data-dir", stopped.data.root)
    early = _cogyard("gc", "--older-than", "0.5", *place)
    assert (early.returncode, "for an hour at least" in early.stderr) == (2, True)
    assert "0 unused layers" in _cogyard("gc", "--older-than", "1", *place).stderr
    assert stopped.http.head(f"/v2/tester/kept/blobs/{digest_of(b'unused')}").status_code == 200
    stopped.end(signal.SIGINT)
    done = _cogyard("gc", "--older-than", "0", *place)
    assert done.returncode == 0, done.stderr
    assert "1 unused layers removed, 6 bytes came free" in done.stderr
    (noted,) = _cogyard("audit", "--action", "gc", "--json", *place).stdout.splitlines()
    assert (json.loads(noted)["via"], json.loads(noted)["subject"]) == ("command", "1 layers, 6 bytes")
    stopped.start()
    assert stopped.http.head(f"/v2/tester/kept/blobs/{digest_of(b'unused')}").status_code == 404
    for digest, content in image.blobs.items():
        assert stopped.http.get(f"/v2/tester/kept/blobs/{digest}").content == content
    nowhere = _cogyard("gc", "--data-dir", tmp_path / "nowhere")
    assert (nowhere.returncode, "There is no platform" in nowhere.stderr) == (1, True)


def test_commands_and_pushes_are_in_the_audit_log(platform: Any, model: Any) -> None:
    """What the operator does at the machine, and what comes by the registry; found by who, what and when."""
    data = ("--data-dir", platform.data.root)
    version = platform.push(model("return 'x'"), "noted")
    assert _cogyard("account", "add", "ada", "--admin", *data).returncode == 0
    assert _cogyard("token", "create", "ada", "--name", "ci", *data).returncode == 0
    assert _cogyard("link", "ada", *data).returncode == 0
    found = [json.loads(line) for line in _cogyard("audit", "--json", *data).stdout.splitlines()]
    assert [(one["action"], one["subject"], one["via"]) for one in found[:4]] == [
        ("signin.link.create", "ada", "command"),
        ("tokens.create", "ada: ci", "command"),
        ("accounts.create", "ada, an administrator", "command"),
        ("registry.push", "tester/noted:latest", "registry"),
    ]
    assert (found[3]["actor"], found[3]["client"]) == ("tester", "127.0.0.1")
    assert {one["refused"] for one in found[:4]} == {None}
    assert version not in found[3]["subject"]
    assert (
        len(_cogyard("audit", "--action", "accounts", *data).stdout.splitlines()) == 2
    )  # hers, and the first one
    assert len(_cogyard("audit", "--account", "TESTER", "--since", "1h", *data).stdout.splitlines()) >= 1
    none = _cogyard("audit", "--since", "2999-01-01", *data)
    assert (none.stdout, "Nothing is in the log" in none.stderr) == ("", True)


def test_what_the_registry_refuses_is_in_the_audit_log(platform: Any, model: Any) -> None:
    """A push to what is another's, and the deletion of a version's image: by whom, and with which status."""
    data = ("--data-dir", platform.data.root)
    version = platform.push(model("return 'x'"), "kept-by")
    assert _cogyard("account", "add", "eve", *data).returncode == 0
    secret = _cogyard("token", "create", "eve", "--name", "ci", *data).stdout.split()[-1]
    uploads = "/v2/tester/kept-by/blobs/uploads/"
    assert platform.http.post(uploads, auth=("eve", secret)).status_code == 403
    assert platform.http.post(uploads, headers={"Authorization": "Basic eDp5"}).status_code == 401
    image = f"/v2/tester/kept-by/manifests/sha256:{version}"
    assert platform.http.delete(image).status_code == 405
    lines = _cogyard("audit", "--action", "registry", *data).stdout.splitlines()
    assert "tester  registry  registry.delete  refused 405  tester/kept-by:sha256:" in lines[0]
    assert "eve  registry  registry.push  refused 403  tester/kept-by  127.0.0.1" in lines[1]
    assert "refused" not in lines[2]
    assert _cogyard("audit", "--since", "yesterday", *data).returncode == 2


def test_retention_is_set_by_a_command_too(platform: Any, model: Any) -> None:
    """Of an account, a model or a deployment by its name; bad times and names are refused with the words for it."""
    data = ("--data-dir", platform.data.root)
    platform.push(model("return 'x'"), "kept")
    assert "Nothing is set" in _cogyard("retention", "list", *data).stderr
    done = _cogyard("retention", "set", "model", "tester/kept", "12h", *data)
    assert (done.returncode, "tester/kept" in done.stderr) == (0, True)
    assert _cogyard("retention", "set", "account", "tester", "forever", *data).returncode == 0
    listed = [line.split() for line in _cogyard("retention", "list", *data).stdout.splitlines()]
    assert listed == [["account", "tester", "forever"], ["model", "tester/kept", "12h"]]
    shown = platform.http.get("/v1/models/tester/kept/retention").json()
    assert shown == {"keep_predictions": 43200, "platform": "forever"}
    for scope, name, keep, status, words in (
        ("model", "tester/kept", "5", 2, "3600"),
        ("model", "tester/kept", "soon", 2, "12h"),
        ("model", "tester/none", "12h", 1, "there is no model tester/none"),
        ("deployment", "tester", "12h", 1, "there is no deployment tester"),
        ("model", "kept", "12h", 1, "cogyard retention set model OWNER/kept 12h"),
        ("planet", "earth", "12h", 2, "planet"),
    ):
        refused = _cogyard("retention", "set", scope, name, keep, *data)
        assert (refused.returncode, words in refused.stderr) == (status, True), refused.stderr
    for scope, name in (("account", "tester"), ("model", "tester/kept")):
        assert _cogyard("retention", "set", scope, name, "default", *data).returncode == 0
    assert _cogyard("retention", "list", *data).stdout == ""
