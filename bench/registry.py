"""Our registry against CNCF Distribution (Debian's docker-registry), alternating in one run on one machine.

    .venv/bin/python bench/registry.py [--mib 1024] [--rounds 3] [--pulls 200]

Both serve plain HTTP from a folder of the same disk, without authentication on reads (ours: a public repository).
A blob is sent whole, then in 10 MiB chunks, then read, by the same plain sockets; each answer is checked. Wall times
(the median and the best round: on a machine that others keep busy the best is nearest to the truth), and the CPU
seconds of the server process. Both make every blob durable (fsync) before they answer. Memory is the most that a server
ever used, after the blobs and after the pulls: it must not depend on how large a blob is.

What a server was sent is removed from its disk after its turn (neither looks for it again). A virtual machine gets its
memory from its host page by page: where every round's gigabytes stay in the page cache, what is measured after a few is
how fast the host finds memory (2 s of kernel time for 1 GiB, against 0.25 s for memory that the machine has), for
whoever's turn it is. `--keep` leaves them.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import uvicorn
from cogyard.compose.zerocopy import ZeroCopy
from cogyard.testing.local_registry import LocalRegistry

MIB = 1 << 20
CHUNK = 10 * MIB
REPOSITORY = "alice/model"
AUTHORIZATION = "Basic " + b64encode(b"alice:cyd_alice").decode()


def serve(folder: Path, port: int) -> None:
    """Run our registry in this process, as `cogyard up` would, until it is killed."""
    registry = LocalRegistry.open(folder)
    registry.people.models[REPOSITORY] = True
    uvicorn.run(ZeroCopy(registry.app), port=port, log_level="warning", lifespan="off", access_log=False)


@dataclass
class Server:
    """One registry that runs."""

    name: str
    port: int
    process: subprocess.Popen[bytes]
    folder: Path
    results: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    """By task: seconds, and the process's CPU seconds."""

    def cpu(self) -> float:
        """Return the CPU seconds the process has used."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self) -> float:
        """Return the most memory it ever used, in MiB."""
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(text.partition("VmHWM:")[2].split()[0]) / 1024

    def measure(self, task: str, work: Callable[[], None]) -> None:
        """Do something, and write down what it took."""
        cpu, begun = self.cpu(), time.perf_counter()
        work()
        self.results.setdefault(task, []).append((time.perf_counter() - begun, self.cpu() - cpu))


class Peer:
    """A connection that sends and receives by hand, so that the client costs next to nothing."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.socket.makefile("rb")
        self.buffer = bytearray(4 * MIB)

    def request(
        self, method: str, path: str, body: memoryview | None = None, **headers: str
    ) -> dict[str, str]:
        """Send a request and read its answer, the body into nothing; return headers and `status`."""
        length = 0 if body is None else len(body)
        lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", f"Content-Length: {length}"]
        lines += [f"Authorization: {AUTHORIZATION}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        self.socket.sendall("\r\n".join((*lines, "", "")).encode())
        if body is not None:
            self.socket.sendall(body)
        answer = {"status": self.file.readline().split()[1].decode()}
        while (line := self.file.readline().strip()) != b"":
            name, _, value = line.decode().partition(":")
            answer[name.lower()] = value.strip()
        left = int(answer.get("content-length", "0")) if answer["status"] != "204" else 0
        while left:
            left -= self.file.readinto(memoryview(self.buffer)[: min(left, len(self.buffer))])
        return answer

    def expect(
        self, status: str, method: str, path: str, body: memoryview | None = None, **headers: str
    ) -> str:
        """Send a request that must go well; return where its answer points."""
        answer = self.request(method, path, body, **headers)
        if answer["status"] != status:
            raise SystemExit(f"{method} {path}: {answer}")
        return answer.get("location", "").partition("127.0.0.1")[2].partition("/v2/")[2] or answer.get(
            "location", ""
        ).removeprefix("/v2/")


def put_whole(port: int, data: memoryview, digest: str) -> None:
    """POST, then one PUT with all of it."""
    peer = Peer(port)
    where = "/v2/" + peer.expect("202", "POST", f"/v2/{REPOSITORY}/blobs/uploads/")
    peer.expect("201", "PUT", f"{where}{'&' if '?' in where else '?'}digest={digest}", data)


def put_chunks(port: int, data: memoryview, digest: str) -> None:
    """POST, PATCH by PATCH, then an empty PUT."""
    peer = Peer(port)
    where = "/v2/" + peer.expect("202", "POST", f"/v2/{REPOSITORY}/blobs/uploads/")
    for start in range(0, len(data), CHUNK):
        chunk = data[start : start + CHUNK]
        place = f"{start}-{start + len(chunk) - 1}"
        where = "/v2/" + peer.expect("202", "PATCH", where, chunk, Content_Range=place)
    peer.expect("201", "PUT", f"{where}{'&' if '?' in where else '?'}digest={digest}")


def get(port: int, digest: str) -> None:
    """Read it all."""
    Peer(port).expect("200", "GET", f"/v2/{REPOSITORY}/blobs/{digest}")


def pull_together(port: int, digest: str, count: int) -> None:
    """Read one blob over `count` connections at once."""
    failures: list[BaseException] = []

    def one() -> None:
        try:
            get(port, digest)
        except BaseException as error:  # noqa: BLE001 - counted
            failures.append(error)

    threads = [threading.Thread(target=one) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise SystemExit(f"{len(failures)} of {count} pulls failed: {failures[0]}")


def free_port() -> int:
    """Return a port that is free now."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


@contextlib.contextmanager
def started(folder: Path) -> Iterator[list[Server]]:
    """Start both registries in `folder`, and end them."""
    servers = []
    try:
        port = free_port()
        ours = subprocess.Popen(
            [sys.executable, __file__, "--serve", str(folder / "ours"), "--port", str(port)]
        )
        servers.append(Server("cogyard", port, ours, folder / "ours"))
        if binary := shutil.which("docker-registry"):
            port = free_port()
            config = folder / "config.yml"
            config.write_text(
                f"version: 0.1\nlog: {{level: error, accesslog: {{disabled: true}}}}\n"
                f"storage: {{filesystem: {{rootdirectory: {folder / 'theirs'}}}}}\nhttp: {{addr: '127.0.0.1:{port}'}}\n"
            )
            theirs = subprocess.Popen([binary, "serve", str(config)], stderr=subprocess.DEVNULL)
            servers.append(Server("CNCF Distribution", port, theirs, folder / "theirs"))
        for server in servers:
            _wait(server.port)
        yield servers
    finally:
        for server in servers:
            server.process.terminate()
            server.process.wait(20)


def _wait(port: int) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise SystemExit(f"Nothing listens on {port}.")


def run(folder: Path, *, mib: int, rounds: int, pulls: int, keep: bool) -> None:
    """Measure, and print a table."""
    random = os.urandom(MIB)
    small = memoryview(os.urandom(5 * MIB))
    with started(folder) as servers:
        for index in range(rounds):
            whole, pieces = (_blob(random * mib, f"{kind}{index}") for kind in ("whole", "pieces"))
            for server in servers[:: 1 if index % 2 else -1]:
                server.measure("PUT whole", partial(put_whole, server.port, *whole))
                server.measure("PATCH 10 MiB", partial(put_chunks, server.port, *pieces))
                server.measure("GET", partial(get, server.port, whole[1]))
                if not keep:
                    _forget(server.folder)
        after_blobs = [server.memory() for server in servers]
        digest = f"sha256:{hashlib.sha256(small).hexdigest()}"
        for server in servers:
            put_whole(server.port, small, digest)
        for _ in range(rounds):
            for server in servers:
                server.measure(f"{pulls} pulls of 5 MiB", partial(pull_together, server.port, digest, pulls))
        sizes = {"PUT whole": mib, "PATCH 10 MiB": mib, "GET": mib, f"{pulls} pulls of 5 MiB": 5 * pulls}
        print(f"{mib} MiB blobs, {rounds} rounds: MB/s median, best (CPU seconds of the server, median)")
        for task, amount in sizes.items():
            row = [f"{task:24}"]
            for server in servers:
                seconds = [each[0] for each in server.results[task]]
                cpu = statistics.median(each[1] for each in server.results[task])
                median, best = (
                    amount * MIB / 1e6 / one for one in (statistics.median(seconds), min(seconds))
                )
                row.append(f"{server.name}: {median:6.0f} {best:6.0f} ({cpu:5.2f})")
            print("  ".join(row))
        for when, memory in (
            ("after the blobs", after_blobs),
            ("after the pulls", [each.memory() for each in servers]),
        ):
            named = zip(servers, memory, strict=True)
            print(f"most memory {when}, MiB:  ", "  ".join(f"{each.name}: {one:6.0f}" for each, one in named))


def _forget(folder: Path) -> None:
    """Remove the large files of a registry."""
    for path in folder.rglob("*"):
        if path.is_file() and path.stat().st_size >= MIB:
            path.unlink()


def _blob(random: bytes, mark: str) -> tuple[memoryview, str]:
    data = bytearray(random)
    data[:8] = hashlib.sha256(mark.encode()).digest()[:8]
    return memoryview(data), f"sha256:{hashlib.sha256(data).hexdigest()}"


def main() -> None:
    """Read the arguments."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mib", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pulls", type=int, default=200)
    parser.add_argument("--keep", action="store_true", help="leave the blobs of every round on the disk")
    parser.add_argument("--serve", type=Path)
    parser.add_argument("--port", type=int)
    arguments = parser.parse_args()
    if arguments.serve is not None:
        arguments.serve.mkdir(parents=True, exist_ok=True)
        serve(arguments.serve, arguments.port)
        return
    with tempfile.TemporaryDirectory(prefix="cogyard-bench-") as folder:
        run(
            Path(folder),
            mib=arguments.mib,
            rounds=arguments.rounds,
            pulls=arguments.pulls,
            keep=arguments.keep,
        )


if __name__ == "__main__":
    main()
