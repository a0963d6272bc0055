"""Servers of other kinds, each with the same model behind its own way of serving.

They take no Cog models, so `MODEL` is what they all call. One process serves every kind of prediction, at `/KIND`,
where the server can do that; what a server has no notion of (logs in the answer) is left out of its kinds.
"""

from __future__ import annotations

import json

import load  # type: ignore[import-not-found]  # run as a script: its folder is on the path
from peers import Peer  # type: ignore[import-not-found]  # as above

MODEL = """
import asyncio, base64, json, pathlib, tempfile, time

def echo(text):
    return "hello " + text

async def slots(text):
    await asyncio.sleep(0.01)
    return "hello " + text

def files(url):
    with tempfile.TemporaryDirectory() as folder:
        given, made = pathlib.Path(folder) / "in.bin", pathlib.Path(folder) / "out.bin"
        given.write_bytes(base64.b64decode(url.partition(",")[2]))
        made.write_bytes(given.read_bytes())
        return "data:application/octet-stream;base64," + base64.b64encode(made.read_bytes()).decode()

def event(token):
    return "event: output\\ndata: " + json.dumps({"chunk": token}) + "\\n\\n"

def stream(n):
    for number in range(n):
        yield event(f"token{number} ")

async def async_stream(n):
    for number in range(n):
        yield event(f"token{number} ")

def paced(n):
    for number in range(n):
        time.sleep(0.001)
        yield event(f"token{number} ")

async def async_paced(n):
    for number in range(n):
        await asyncio.sleep(0.001)
        yield event(f"token{number} ")
"""

_ROUTES = """
import model
from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

class Input(BaseModel):
    text: str = ""
    n: int = 0
    file: str = ""

class Body(BaseModel):
    input: Input

app = FastAPI()

def streaming(pieces):
    return StreamingResponse(pieces, media_type="text/event-stream")
"""

FASTAPI = (
    _ROUTES
    + """
@app.get("/health")
def health():
    return {"status": "READY"}

@app.post("/echo")
def echo(body: Body):
    return {"output": model.echo(body.input.text)}

@app.post("/slots")
async def slots(body: Body):
    return {"output": await model.slots(body.input.text)}

@app.post("/files")
def files(body: Body):
    return {"output": model.files(body.input.file)}

@app.post("/stream")
def stream(body: Body):
    return streaming(model.stream(body.input.n))

@app.post("/async_stream")
def async_stream(body: Body):
    return streaming(model.async_stream(body.input.n))

@app.post("/paced")
def paced(body: Body):
    return streaming(model.paced(body.input.n))

@app.post("/async_paced")
def async_paced(body: Body):
    return streaming(model.async_paced(body.input.n))
"""
)

RAY = (
    _ROUTES
    + """
import os, signal, sys, ray
from ray import serve

@serve.deployment(max_ongoing_requests=64, ray_actor_options={"num_cpus": 0})
@serve.ingress(app)
class Bench:
    @app.get("/health")
    def health(self):
        return {"status": "READY"}

    @app.post("/echo")
    def echo(self, body: Body):
        return {"output": model.echo(body.input.text)}

    @app.post("/slots")
    async def slots(self, body: Body):
        return {"output": await model.slots(body.input.text)}

    @app.post("/files")
    def files(self, body: Body):
        return {"output": model.files(body.input.file)}

    @app.post("/stream")
    def stream(self, body: Body):
        return streaming(model.stream(body.input.n))

    @app.post("/async_stream")
    def async_stream(self, body: Body):
        return streaming(model.async_stream(body.input.n))

    @app.post("/paced")
    def paced(self, body: Body):
        return streaming(model.paced(body.input.n))

    @app.post("/async_paced")
    def async_paced(self, body: Body):
        return streaming(model.async_paced(body.input.n))

if __name__ == "__main__":
    ray.init(include_dashboard=False, num_cpus=2, logging_level="warning")
    serve.start(http_options={"host": "127.0.0.1", "port": int(os.environ["PORT"])})
    serve.run(Bench.bind())
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    signal.pause()
"""
)

LITSERVE = """
import os, litserve, model

KIND = os.environ["BENCH_KIND"]

class Plain(litserve.LitAPI):
    def setup(self, device):
        pass

    def decode_request(self, request):
        given = request["input"]
        return given.get("file") or given.get("n") or given.get("text")

    def predict(self, given):
        return getattr(model, KIND)(given)

    def encode_response(self, output):
        return {"output": output}

class Async(Plain):
    async def decode_request(self, request):
        return Plain.decode_request(self, request)

    async def predict(self, given):
        return await getattr(model, KIND)(given)

    async def encode_response(self, output):
        return {"output": output}

class Stream(Plain):
    def predict(self, given):
        yield from getattr(model, KIND)(given)

    def encode_response(self, output):
        yield from output

class AsyncStream(Async):
    async def predict(self, given):
        async for piece in getattr(model, KIND)(given):
            yield piece

    async def encode_response(self, output):
        async for piece in output:
            yield piece

if __name__ == "__main__":
    streams = KIND.endswith(("stream", "paced"))
    asynchronous = KIND.startswith("async") or KIND == "slots"
    kind = (AsyncStream if asynchronous else Stream) if streams else (Async if asynchronous else Plain)
    api = kind(api_path="/" + KIND, stream=streams, enable_async=asynchronous)
    server = litserve.LitServer(api, accelerator="cpu", workers_per_device=1, timeout=60)
    server.run(
        host="127.0.0.1", port=int(os.environ["PORT"]), num_api_servers=1, generate_client_file=False,
        log_level="warning", access_log=False,
    )
"""

BENTOML = """
import typing, bentoml, model

@bentoml.service(workers=1, traffic={"timeout": 60, "concurrency": 64}, logging={"access": {"enabled": False}})
class Bench:
    @bentoml.api(route="/echo")
    def echo(self, input: dict) -> dict:
        return {"output": model.echo(input["text"])}

    @bentoml.api(route="/slots")
    async def slots(self, input: dict) -> dict:
        return {"output": await model.slots(input["text"])}

    @bentoml.api(route="/files")
    def files(self, input: dict) -> dict:
        return {"output": model.files(input["file"])}

    @bentoml.api(route="/stream")
    def stream(self, input: dict) -> typing.Generator[str, None, None]:
        yield from model.stream(input["n"])

    @bentoml.api(route="/async_stream")
    async def async_stream(self, input: dict) -> typing.AsyncGenerator[str, None]:
        async for piece in model.async_stream(input["n"]):
            yield piece

    @bentoml.api(route="/paced")
    def paced(self, input: dict) -> typing.Generator[str, None, None]:
        yield from model.paced(input["n"])

    @bentoml.api(route="/async_paced")
    async def async_paced(self, input: dict) -> typing.AsyncGenerator[str, None]:
        async for piece in model.async_paced(input["n"]):
            yield piece
"""

MLSERVER = """
import sys
sys.path.insert(0, ".")
import model
from mlserver import MLModel
from mlserver.codecs import decode_args
from mlserver.types import InferenceResponse, RequestOutput, ResponseOutput
from mlserver.codecs import StringCodec

def given(payload):
    value = payload.inputs[0].data[0]
    return value.decode() if isinstance(value, bytes) else value

def answer(name, text):
    return InferenceResponse(model_name=name, outputs=[StringCodec.encode_output("output", [text])])

class Bench(MLModel):
    async def predict(self, payload):
        value = getattr(model, self.name)(given(payload))
        return answer(self.name, await value if self.name == "slots" else value)

class Stream(MLModel):
    async def predict_stream(self, payloads):
        async for payload in payloads:
            pieces = getattr(model, self.name)(int(given(payload)))
            if hasattr(pieces, "__aiter__"):
                async for piece in pieces:
                    yield answer(self.name, piece)
            else:
                for piece in pieces:
                    yield answer(self.name, piece)
"""

WEB = ("echo", "slots", "files", "stream", "async_stream", "paced", "async_paced")


def _mlserver_request(kind: str, given: dict[str, object]) -> bytes:
    """Write a request of the protocol that MLServer speaks."""
    value = str(next(iter(given.values())))
    one = {"name": "given", "shape": [1], "datatype": "BYTES", "data": [value]}
    verb = "infer" if kind in ("echo", "slots", "files") else "infer_stream"
    request: bytes = load.post(f"/v2/models/{kind}/{verb}", {"inputs": [one]})
    return request


def _mlserver_files() -> dict[str, str]:
    """Return the settings of the server and of a model for each kind."""
    settings = {
        "debug": False,
        "parallel_workers": 0,  # streaming needs it, and it is the fastest for models as small as ours
        "gzip_enabled": False,
        "metrics_endpoint": None,
        "host": "127.0.0.1",
        "logging_settings": None,
    }
    files = {"settings.json": json.dumps(settings), "bench_model.py": MLSERVER, "model.py": MODEL}
    for kind in WEB:
        streams = kind.endswith(("stream", "paced"))
        chosen = {"name": kind, "implementation": f"bench_model.{'Stream' if streams else 'Bench'}"}
        files[f"{kind}/model-settings.json"] = json.dumps(chosen)
    return files


def path_request(kind: str, given: dict[str, object]) -> bytes:
    """Write the request that the others take: Cog's body at a path of its own."""
    request: bytes = load.post(f"/{kind}", {"input": given})
    return request


OTHERS = (
    Peer(
        name="FastAPI",
        requirements=("fastapi", "uvicorn[standard]"),
        files=lambda _: {"model.py": MODEL, "app.py": FASTAPI},
        command=("-m", "uvicorn", "app:app", "--port", "{port}", "--log-level", "warning"),
        ready=("/health", "READY"),
        kinds=WEB,
        shared=True,
        request=path_request,
    ),
    Peer(
        name="LitServe",
        requirements=("litserve",),
        files=lambda _: {"model.py": MODEL, "app.py": LITSERVE},
        command=("app.py",),
        ready=("/health", "ok"),
        kinds=WEB,
        request=path_request,
    ),
    Peer(
        name="BentoML",
        requirements=("bentoml",),
        files=lambda _: {"model.py": MODEL, "app.py": BENTOML},
        command=("-m", "bentoml", "serve", "app:Bench", "--host", "127.0.0.1", "--port", "{port}"),
        ready=("/readyz", ""),
        kinds=WEB,
        shared=True,
        request=path_request,
        env={"BENTOML_DO_NOT_TRACK": "True"},
    ),
    Peer(
        name="MLServer",
        requirements=("mlserver", "uvloop<0.22"),
        files=lambda _: _mlserver_files(),
        command=("-m", "mlserver.cli.main", "start", "."),
        ready=("/v2/models/echo/ready", ""),
        kinds=WEB,
        shared=True,
        request=_mlserver_request,
        env={
            "MLSERVER_HTTP_PORT": "{port}",
            "MLSERVER_GRPC_PORT": "{other}",
            "MLSERVER_METRICS_PORT": "{third}",
        },
    ),
    Peer(
        name="Ray Serve",
        requirements=("ray[serve]",),
        files=lambda _: {"model.py": MODEL, "app.py": RAY},
        command=("app.py",),
        ready=("/health", "READY"),
        kinds=WEB,
        shared=True,
        request=path_request,
        env={"RAY_USAGE_STATS_ENABLED": "0"},
    ),
)
