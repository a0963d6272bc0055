"""What the server itself writes, and how: LOG_FORMAT, COG_LOG_LEVEL, COG_USER_AGENT."""

from __future__ import annotations

import json
from pathlib import Path

from tests.integration.model_server.live import Server, peer, serving


def ended(server: Server) -> str:
    """Let the server end, and return all that it wrote."""
    server.client.post("/shutdown")
    server.process.wait(15)
    return server.log.read_text()


def test_everything_can_be_lines_of_json(project: Path) -> None:
    """The model's text and the server's own log: each line an object; ends of predictions carry their ids."""
    env = {"LOG_FORMAT": "json", "COG_LOG_LEVEL": "info"}
    with serving(project, "predict.py:Plain", env=env) as server:
        headers = {"x-request-id": "r1"}
        server.post({"mode": "print", "value": "said"}, headers=headers, id="p1")
        server.result({"mode": "raise", "value": "no"}, id="p2")
        lines = [json.loads(line) for line in ended(server).splitlines()]
    ends = {line["prediction"]: line for line in lines if "prediction" in line}
    assert (ends["p1"]["status"], ends["p1"]["request"]) == ("succeeded", "r1")
    assert ends["p2"]["status"] == "failed"
    assert any(line.get("source") == "stderr" and "Traceback" in line["message"] for line in lines)


def test_the_log_is_quiet_unless_asked(project: Path) -> None:
    """Without a level only what went wrong is told, as text."""
    with serving(project, "predict.py:Plain") as server:
        server.result({"mode": "echo"}, id="p1")
        server.result({"mode": "exit"}, id="p2")
        server.wait_for("READY")
        text = ended(server)
    assert "p1" not in text
    assert "worker died" in text


def test_the_name_by_which_files_are_fetched_can_be_set(tmp_path: Path) -> None:
    """COG_USER_AGENT is sent with requests for input files."""
    (tmp_path / "predict.py").write_text(
        "import cog\ndef predict(file: cog.Path) -> str:\n    return file.read_text()\n"
    )
    with peer() as files:
        files.answer = lambda _: (200, {}, b"x")
        arguments = ("predict.py:predict", "--allow-private-inputs")
        with serving(tmp_path, *arguments, env={"COG_USER_AGENT": "painter/2"}) as server:
            assert server.result({"file": files.url("/a.txt")})["output"] == "x"
        assert files.received[0].headers["user-agent"] == "painter/2"
