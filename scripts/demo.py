"""The whole way once, with real models: written, run, built, pushed, hosted, called. `make demo` runs this.

Every step runs the command a person would type, prints it and what came out, and checks the result: a step that only
looks successful fails the demo. Everything it makes is under `.cache/demo`; nothing outside the project is touched.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
HOME = ROOT / ".cache" / "demo"
BIN = ROOT / ".venv" / "bin"
EXAMPLES = ROOT / "examples"
OFFICIAL_PYTHON = "replicate==1.0.7"
OFFICIAL_NODE = "replicate@1.4.0"
PORTS = range(8000, 8050)


class DemoFailedError(Exception):
    """A step did not do what it promises; the message says which and how."""


class Demo:
    """Runs commands as a person would, in a folder of its own."""

    def __init__(self) -> None:
        """Start from an empty folder and an environment without anyone's credentials."""
        shutil.rmtree(HOME, ignore_errors=True)
        HOME.mkdir(parents=True)
        self.env = {
            **os.environ,
            "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
            "DOCKER_CONFIG": str(HOME / "docker-config"),
            "COGYARD_CACHE_DIR": os.environ.get("COGYARD_CACHE_DIR", str(ROOT / ".cache" / "cogyard")),
            "PYTHONUNBUFFERED": "1",
        }
        for name in ("REPLICATE_API_TOKEN", "REPLICATE_BASE_URL"):
            self.env.pop(name, None)
        self.children: list[subprocess.Popen[bytes]] = []

    def title(self, text: str) -> None:
        """Begin a step."""
        print(f"\n\033[1m── {text}\033[0m" if sys.stdout.isatty() else f"\n── {text}", flush=True)

    def run(self, *command: str, cwd: Path = HOME, stdin: str | None = None, shown: str | None = None) -> str:
        """Run a command to its end, showing it and what it prints; return its standard output."""
        print(f"$ {shown or shlex.join(command)}", flush=True)
        done = subprocess.run(
            command, cwd=cwd, env=self.env, input=stdin, stdout=subprocess.PIPE, text=True, check=False
        )
        if done.stdout:
            print(
                done.stdout.rstrip() if len(done.stdout) < 1500 else f"{done.stdout[:1500].rstrip()} …",
                flush=True,
            )
        if done.returncode:
            raise DemoFailedError(f"{shlex.join(command)} ended with {done.returncode}")
        return done.stdout

    def start(self, *command: str, cwd: Path = HOME) -> subprocess.Popen[bytes]:
        """Start a command that stays."""
        print(f"$ {shlex.join(command)} &", flush=True)
        child = subprocess.Popen(command, cwd=cwd, env=self.env, stdin=subprocess.DEVNULL)
        self.children.append(child)
        return child

    def stop(self) -> None:
        """End what was started, the last first, each as Ctrl-C would."""
        for child in reversed(self.children):
            if child.poll() is None:
                child.send_signal(signal.SIGINT)
                try:
                    child.wait(20)
                except subprocess.TimeoutExpired:
                    child.kill()
                    child.wait()
        self.children.clear()


def expect(what: str, got: object, wanted: object) -> None:
    """Fail the demo unless what came out is what should have."""
    if got != wanted:
        raise DemoFailedError(f"{what}: expected {wanted!r}, got {got!r}")
    print(f"  ✓ {what}: {got}", flush=True)


def request(
    method: str, url: str, body: Any = None, headers: Mapping[str, str] | None = None, timeout: float = 90
) -> Any:
    """Send one HTTP request and return the JSON of its answer (text when it is not JSON)."""
    data = None if body is None else json.dumps(body).encode()
    asked = urllib.request.Request(
        url, data, {"Content-Type": "application/json", **(headers or {})}, method=method
    )
    try:
        with urllib.request.urlopen(asked, timeout=timeout) as answer:
            text = answer.read().decode()
            return json.loads(text) if "json" in answer.headers.get("Content-Type", "") else text
    except urllib.error.HTTPError as error:
        raise DemoFailedError(
            f"{method} {url} answered {error.code}: {error.read().decode()[:500]}"
        ) from error


def until(what: str, check: Callable[[], bool], child: subprocess.Popen[bytes], seconds: float = 120) -> None:
    """Wait until `check` holds; fail when the child ends or time runs out first."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if child.poll() is not None:
            raise DemoFailedError(f"{what}: the command ended with {child.returncode}")
        try:
            if check():
                return
        except (OSError, DemoFailedError):
            pass
        time.sleep(0.1)
    raise DemoFailedError(f"{what}: not within {seconds:.0f} s")


def free_port() -> int:
    """Return the first free port, from 8000."""
    for port in PORTS:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return port
    raise DemoFailedError(f"no free port from {PORTS.start} to {PORTS.stop - 1}")


def picture_size(path: Path) -> tuple[int, int]:
    """Return a picture's width and height in pixels, having decoded the whole of it."""
    with Image.open(path) as picture:
        picture.load()
        return picture.size


def write_and_run(demo: Demo) -> None:
    """Write a model from nothing and run it here."""
    demo.title("1. Write a model: cog init in an empty folder, and run what it wrote")
    folder = HOME / "my-model"
    folder.mkdir()
    demo.run("cog", "init", cwd=folder)
    expect(
        "the generated model answers",
        demo.run("cog", "predict", "-i", "text=world", cwd=folder).strip(),
        "hello world",
    )

    demo.title("2. Run models on this machine: cog predict")
    for name in ("upscale", "chat"):
        demo.run(
            sys.executable,
            "fetch_weights.py",
            cwd=EXAMPLES / name,
            shown=f"cd examples/{name}; python fetch_weights.py",
        )
    small = picture_size(EXAMPLES / "upscale" / "input.jpg")
    output = HOME / "output.png"
    demo.run(
        *("cog", "predict", "-i", "image=@input.jpg", "-i", "scale=2.0", "-o", str(output)),
        cwd=EXAMPLES / "upscale",
    )
    expect(
        f"a picture of {small[0]} by {small[1]} pixels became",
        picture_size(output),
        (small[0] * 2, small[1] * 2),
    )
    text = demo.run(
        *(
            "cog",
            "predict",
            "-i",
            "prompt=What is the capital of France?",
            "-i",
            "max_tokens=24",
            "-i",
            "temperature=0",
        ),
        cwd=EXAMPLES / "chat",
    )
    expect("the language model knows Paris", "Paris" in text, wanted=True)


def serve(demo: Demo) -> None:
    """Serve one model over HTTP."""
    demo.title("3. Serve one model over HTTP: cog serve")
    port = free_port()
    server = demo.start("cog", "serve", "-p", str(port), cwd=EXAMPLES / "hello-world")
    base = f"http://127.0.0.1:{port}"
    until("cog serve", lambda: request("GET", f"{base}/health-check")["status"] == "READY", server)
    answer = request("POST", f"{base}/predictions", {"input": {"text": "there"}})
    expect("POST /predictions", (answer["status"], answer["output"]), ("succeeded", "hello there"))
    schema = request("GET", f"{base}/openapi.json")["components"]["schemas"]["Input"]["properties"]
    expect("GET /openapi.json names the inputs", list(schema), ["text"])
    demo.stop()


def build(demo: Demo) -> None:
    """Build images without a container engine."""
    demo.title("4. Build images, without a container engine: cog build")
    for name in ("hello-world", "upscale", "chat"):
        demo.run("cog", "build", "-t", name, cwd=EXAMPLES / name)


def host(demo: Demo) -> tuple[str, dict[str, str]]:
    """Start the platform and push to it; return its address and what it printed for scripts."""
    demo.title("5. Start the platform: cogyard up")
    port, ready = free_port(), HOME / "ready.json"
    platform = demo.start(
        *("cogyard", "up", "--port", str(port), "--data-dir", str(HOME / "data"), "--admin", "me"),
        *("--ready-file", str(ready)),
    )
    until("cogyard up", ready.exists, platform)
    told: dict[str, str] = json.loads(ready.read_text())
    demo.env |= {"REPLICATE_BASE_URL": told["address"], "REPLICATE_API_TOKEN": told["token"]}

    demo.title("6. Push to it: cog login, cog push")
    address = f"127.0.0.1:{port}"
    demo.run("cog", "login", address, "--token-stdin", stdin=told["token"])
    for name in ("hello-world", "upscale", "chat"):
        demo.run("cog", "push", f"{address}/me/{name}", cwd=EXAMPLES / name)
    return address, told


def call(demo: Demo, told: Mapping[str, str]) -> None:
    """Run the hosted models over HTTP, with our client and with the official ones."""
    base, auth = told["address"], {"Authorization": f"Bearer {told['token']}"}
    demo.title("7. The model's page and its HTTP API")
    model = request("GET", f"{base}/v1/models/me/upscale", headers=auth)
    version = model["latest_version"]["id"]
    properties = model["latest_version"]["openapi_schema"]["components"]["schemas"]["Input"]["properties"]
    expect("the version's form has", sorted(properties), ["image", "scale"])
    print(f"$ curl -H 'Prefer: wait' -d '{{…}}' {base}/v1/models/me/hello-world/predictions")
    url = f"{base}/v1/models/me/hello-world/predictions"
    done = request("POST", url, {"input": {"text": "platform"}}, {**auth, "Prefer": "wait"})
    expect("POST …/predictions with Prefer: wait", done["output"], "hello platform")

    demo.title("8. From Python: this project's client, then the official one, unmodified")
    small = picture_size(EXAMPLES / "upscale" / "input.jpg")
    script = HOME / "call.py"
    script.write_text(PYTHON.replace("VERSION", version))
    wanted = (small[0] * 2, small[1] * 2)
    environment = HOME / "official"
    demo.run("uv", "venv", "--quiet", "--python", sys.executable, str(environment))
    demo.run(
        "uv", "pip", "install", "--quiet", "--python", str(environment / "bin" / "python"), OFFICIAL_PYTHON
    )
    for who, python in (("ours", BIN / "python"), (OFFICIAL_PYTHON, environment / "bin" / "python")):
        (HOME / "larger.png").unlink(missing_ok=True)
        said = demo.run(str(python), str(script), shown=f"python call.py   # {who}")
        expect(f"replicate.run, {who}", picture_size(HOME / "larger.png"), wanted)
        expect(f"replicate.stream, {who}", "Paris" in said, wanted=True)

    demo.title("9. From JavaScript: the official client, unmodified")
    if shutil.which("npm") is None:
        print("  npm is not on this machine: left out.")
        return
    folder = HOME / "node"
    folder.mkdir()
    demo.run(
        "npm",
        "install",
        "--loglevel=error",
        "--no-audit",
        "--no-fund",
        "--prefix",
        str(folder),
        OFFICIAL_NODE,
    )
    (folder / "call.mjs").write_text(JAVASCRIPT.replace("VERSION", version))
    (folder / "larger.png").unlink(missing_ok=True)
    said = demo.run("node", "call.mjs", cwd=folder)
    expect(f"replicate.run, {OFFICIAL_NODE}", picture_size(folder / "larger.png"), wanted)
    expect(f"replicate.stream, {OFFICIAL_NODE}", "Paris" in said, wanted=True)


PYTHON = f"""\
import replicate

print(replicate.run("me/hello-world", input={{"text": "client"}}))
output = replicate.run(
    "me/upscale:VERSION",
    input={{"image": open("{EXAMPLES / "upscale" / "input.jpg"}", "rb"), "scale": 2.0}},
)
with open("larger.png", "wb") as file:
    file.write(output.read())
question = {{"prompt": "What is the capital of France?", "max_tokens": 24, "temperature": 0}}
for event in replicate.stream("me/chat", input=question):
    print(str(event), end="", flush=True)
print()
"""

JAVASCRIPT = f"""\
import {{ readFile, writeFile }} from "node:fs/promises";
import Replicate from "replicate";

const replicate = new Replicate({{ baseUrl: process.env.REPLICATE_BASE_URL + "/v1" }});
console.log(await replicate.run("me/hello-world", {{ input: {{ text: "JavaScript" }} }}));
const image = await readFile("{EXAMPLES / "upscale" / "input.jpg"}");
const output = await replicate.run("me/upscale:VERSION", {{ input: {{ image, scale: 2.0 }} }});
await writeFile("larger.png", output);
const input = {{ prompt: "What is the capital of France?", max_tokens: 24, temperature: 0 }};
for await (const event of replicate.stream("me/chat", {{ input }})) process.stdout.write(`${{event}}`);
console.log();
"""


def main() -> int:
    """Go the whole way; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--once", action="store_true", help="stop the platform at the end instead of leaving it"
    )
    once = parser.parse_args().once
    # However we are asked to end, what was started ends with us.
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.default_int_handler)
    began, demo = time.monotonic(), Demo()
    try:
        write_and_run(demo)
        serve(demo)
        build(demo)
        address, told = host(demo)
        call(demo, told)
        print(f"\nEverything worked, in {time.monotonic() - began:.0f} s.")
        print(f"\n  The page      {told['address']}/me/upscale\n  Sign in       {told['link']}")
        print(f"  The token     {told['token']}\n  Push to       {address}/me/NAME")
        if not once:
            print("\nThe platform keeps running; Ctrl-C ends it.", flush=True)
            demo.children[-1].wait()
    except DemoFailedError as error:
        print(f"\nThe demo stopped: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped.")
        return 0 if not once else 130
    finally:
        demo.stop()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
