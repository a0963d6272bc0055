"""A platform to measure: `cogyard up` on a folder of its own with fsync on, logged in to, and projects pushed to it."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import load  # type: ignore[import-not-found]  # beside this file
import running  # type: ignore[import-not-found]  # beside this file

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent
OWNER = "bench"
WAIT = {"Prefer": "wait=60"}


class Client:
    """One keep-alive connection, for what is not measured."""

    def __init__(self, port: int, token: str = "") -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        self._headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """Send a request; return the answer's JSON."""
        content = json.dumps(body) if body is not None else None
        self._connection.request(method, path, content, {**self._headers, **headers})
        answer = self._connection.getresponse()
        data = answer.read()
        assert answer.status < 300, (answer.status, data)
        return json.loads(data)


class Platform:
    """`cogyard up`, logged in to."""

    def __init__(self, folder: Path, runtime: str, *settings: str) -> None:
        self.folder, self.port = folder, running.free_port()
        self.data = folder / "data"
        self.env = {
            **os.environ,
            "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
            "DOCKER_CONFIG": str(folder / "docker"),
        }
        self._words = [
            *("up", "--port", str(self.port), "--data-dir", str(self.data), "--admin", OWNER),
            *("--runtime", runtime, "--set", "log_level=warning"),
            *(word for setting in settings for word in ("--set", setting)),
        ]
        self.token = self.start()
        login = [str(BIN / "cog"), "login", f"127.0.0.1:{self.port}", "--token-stdin"]
        subprocess.run(login, input=self.token, text=True, env=self.env, check=True, capture_output=True)

    def start(self) -> str:
        """Start it; return the token that the first start shows."""
        ready = self.folder / "ready.json"
        ready.unlink(missing_ok=True)
        words = [str(BIN / "cogyard"), *self._words, "--ready-file", str(ready)]
        self.process = subprocess.Popen(words, env=self.env, stdout=subprocess.DEVNULL)
        #: What its processor time is read from.
        self.running = running.Running("cogyard", self.process, self.port, 0.0)
        while not ready.exists():
            assert self.process.poll() is None, "cogyard up ended"
            time.sleep(0.02)
        return str(json.loads(ready.read_text()).get("token") or "")

    def client(self) -> Client:
        """Connect."""
        return Client(self.port, self.token)

    def push(self, project: Path, name: str = "hello") -> str:
        """Push a project and return the version's id."""
        words = [str(BIN / "cog"), "push", f"127.0.0.1:{self.port}/{OWNER}/{name}"]
        subprocess.run(words, cwd=project, env=self.env, check=True, capture_output=True)
        return str(self.client().ask("GET", f"/v1/models/{OWNER}/{name}")["latest_version"]["id"])

    def push_predictor(self, source: str, name: str, slots: int = 1) -> str:
        """Push a model of one file, of which one instance runs `slots` at once, and return the version's id."""
        project = self.folder / name
        project.mkdir()
        (project / "predict.py").write_text(source)
        several = f"concurrency:\n  max: {slots}\n" if slots > 1 else ""
        (project / "cog.yaml").write_text(
            f'build:\n  python_version: "3.11"\npredict: "predict.py:Predictor"\n{several}'
        )
        return self.push(project, name)

    def create(self, version: str, given: Mapping[str, object], headers: Mapping[str, str] = WAIT) -> bytes:
        """Write a request for a prediction; it waits for the end unless other headers are given."""
        request: bytes = load.post(
            "/v1/predictions", {"version": version, "input": given}, headers=self.authorized(headers)
        )
        return request

    def authorized(self, headers: Mapping[str, str]) -> dict[str, str]:
        """Return headers with our token."""
        return {"Authorization": f"Bearer {self.token}", **headers}

    def predict(self, client: Client, version: str) -> None:
        """Run a prediction of hello-world and wait for its end."""
        body = {"version": version, "input": {"text": "Alice"}}
        done = client.ask("POST", "/v1/predictions", body, prefer="wait=60")
        assert done["output"] == "hello Alice", done

    def stop(self) -> None:
        """End it, and what it runs, at once."""
        for _ in range(2):
            self.process.send_signal(signal.SIGINT)
            time.sleep(0.1)
        self.process.wait(60)
