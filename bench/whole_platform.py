"""The platform: from a push to an answer, cold starts, what it adds to a model server, predictions a second, memory.

    .venv/bin/python bench/whole_platform.py [--runtime sandbox] [--rounds 5] [--requests 400] [--seconds 10]

The model is examples/hello-world, built and pushed by `cog push`, run by `cogyard up` on a folder of its own with fsync
on. The model server alone runs the same project beside it, and both are asked in turns, by the same client.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import running  # type: ignore[import-not-found]  # beside this file

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent
OWNER = "bench"


class Client:
    """One keep-alive connection."""

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

    def __init__(self, folder: Path, runtime: str) -> None:
        self.folder, self.port = folder, running.free_port()
        ready = folder / "ready.json"
        self.env = {
            **os.environ,
            "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
            "DOCKER_CONFIG": str(folder / "docker"),
        }
        words = ["up", "--port", str(self.port), "--data-dir", str(folder / "data"), "--admin", OWNER]
        words += ["--ready-file", str(ready), "--runtime", runtime, "--set", "log_level=warning"]
        self.process = subprocess.Popen(
            [str(BIN / "cogyard"), *words, "--set", "idle_timeout=2"], env=self.env, stdout=subprocess.DEVNULL
        )
        while not ready.exists():
            assert self.process.poll() is None, "cogyard up ended"
            time.sleep(0.02)
        self.token = json.loads(ready.read_text())["token"]
        login = [str(BIN / "cog"), "login", f"127.0.0.1:{self.port}", "--token-stdin"]
        subprocess.run(login, input=self.token, text=True, env=self.env, check=True, capture_output=True)

    def client(self) -> Client:
        """Connect."""
        return Client(self.port, self.token)

    def push(self, project: Path) -> str:
        """Push a project and return the version's id."""
        words = [str(BIN / "cog"), "push", f"127.0.0.1:{self.port}/{OWNER}/hello"]
        subprocess.run(words, cwd=project, env=self.env, check=True, capture_output=True)
        return str(self.client().ask("GET", f"/v1/models/{OWNER}/hello")["latest_version"]["id"])

    def predict(self, client: Client, version: str) -> None:
        """Run a prediction and wait for its end."""
        body = {"version": version, "input": {"text": "Alice"}}
        done = client.ask("POST", "/v1/predictions", body, prefer="wait=60")
        assert done["output"] == "hello Alice", done

    def stop(self) -> None:
        """End it."""
        self.process.send_signal(signal.SIGINT)
        self.process.wait(60)


def timed(work: Callable[[], object]) -> float:
    """Return the seconds that something takes."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def pushes(platform: Platform, project: Path, rounds: int) -> list[float]:
    """Return the seconds from an edit's push to its first answer; the first, which unpacks the base, is not counted."""
    taken = []
    for number in range(rounds + 1):
        (project / "predict.py").open("a").write(f"# {number}\n")
        client = platform.client()
        taken.append(timed(lambda client=client: platform.predict(client, platform.push(project))))  # type: ignore[misc] # bound now
    return taken[1:]


def cold_starts(platform: Platform, version: str, rounds: int) -> list[float]:
    """Return the seconds from a request without an instance to its answer, everything being on disk."""
    taken, client = [], platform.client()
    for _ in range(rounds):
        while _instances(platform):
            time.sleep(0.1)
        taken.append(timed(lambda: platform.predict(client, version)))
    return taken


def _instances(platform: Platform) -> int:
    words = [str(BIN / "cogyard"), "status", "--json", "--data-dir", str(platform.folder / "data")]
    said = subprocess.run(words, env=platform.env, check=True, capture_output=True, text=True).stdout
    return len(json.loads(said).get("instances", []))


def latencies(
    platform: Platform, version: str, project: Path, requests: int
) -> tuple[list[float], list[float]]:
    """Return the seconds of single requests to the platform and to a model server alone, asked in turns."""
    port = running.free_port()
    words = ["-m", "cog_server", "--host", "127.0.0.1", "--port", str(port), "--python", sys.executable]
    server = subprocess.Popen(
        [sys.executable, *words, "--project", str(project), "--ref", "predict.py:Predictor"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        alone, through, mine = Client(port), platform.client(), []
        while True:
            try:
                alone.ask("POST", "/predictions", {"input": {"text": "Alice"}})
                break
            except (OSError, AssertionError, http.client.HTTPException):
                alone = Client(port)
                time.sleep(0.05)
        bare = []
        for _ in range(requests):
            bare.append(timed(lambda: alone.ask("POST", "/predictions", {"input": {"text": "Alice"}})))
            mine.append(timed(lambda: platform.predict(through, version)))
        return mine, bare
    finally:
        server.terminate()
        server.wait()


def throughput(platform: Platform, version: str, seconds: float, connections: int = 16) -> float:
    """Return predictions a second, by connections that each wait for their answer."""
    done, until = [0] * connections, time.perf_counter() + seconds

    def work(number: int) -> None:
        client = platform.client()
        while time.perf_counter() < until:
            platform.predict(client, version)
            done[number] += 1

    threads = [threading.Thread(target=work, args=(number,)) for number in range(connections)]
    begun = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(done) / (time.perf_counter() - begun)


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--runtime", default="sandbox")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--requests", type=int, default=400)
    parser.add_argument("--seconds", type=float, default=10)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="cogyard-bench-", ignore_cleanup_errors=True) as name:
        project = Path(name) / "hello"
        shutil.copytree(ROOT / "examples" / "hello-world", project)
        platform = Platform(Path(name), options.runtime)
        try:
            idle = running_memory(platform.process.pid)
            pushed = pushes(platform, project, options.rounds)
            version = platform.push(project)
            cold = cold_starts(platform, version, options.rounds)
            mine, bare = latencies(platform, version, project, options.requests)
            rate = throughput(platform, version, options.seconds)
        finally:
            platform.stop()
    print(f"load average {os.getloadavg()[0]:.1f}, runtime {options.runtime}")
    print("| what | figure | target |\n|---|---|---|")
    print(f"| edit pushed to first answer, s (median, best) | {_two(pushed)} | 1.5 |")
    print(f"| cold start to first answer, s (median, best) | {_two(cold)} | 0.8 and setup |")
    for word, share, target in (("p50", 0.5, 3), ("p99", 0.99, 15)):
        added = (_at(mine, share) - _at(bare, share)) * 1e3
        print(f"| added to the model server alone, {word}, ms | {added:.1f} | {target} |")
    print(f"| predictions a second, 16 connections | {rate:.0f} | 500 |")
    print(f"| idle platform, MB resident | {idle:.0f} | 150 |")


def running_memory(pid: int) -> float:
    """Return a process's resident memory in MB, after a moment without work."""
    time.sleep(2)
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _two(values: list[float]) -> str:
    return f"{statistics.median(values):.2f}, {min(values):.2f}"


def _at(values: list[float], share: float) -> float:
    return sorted(values)[min(int(len(values) * share), len(values) - 1)]


if __name__ == "__main__":
    main()
