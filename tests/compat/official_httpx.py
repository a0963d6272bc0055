"""What code for the official client does with httpx itself; run with our client, where httpx is there too.

Prints one JSON object of what came out; `test_httpx.py` checks it.
"""

import asyncio
import io
import json
import sys

import httpx
import replicate
from replicate.exceptions import ReplicateError

owner, versions = sys.argv[1], json.loads(sys.argv[2])
hello, copy = f"{owner}/hello:{versions['hello']}", f"{owner}/copy:{versions['copy']}"
out = {}
asked = []
client = replicate.Client(
    transport=httpx.HTTPTransport(retries=1),
    timeout=httpx.Timeout(5.0, read=30.0, write=30.0, connect=5.0, pool=10.0),
    limits=httpx.Limits(max_connections=5),
    event_hooks={"request": [lambda request: asked.append(request.headers["x-mine"])]},
    headers=httpx.Headers({"X-Mine": "here"}),
)
out["transport"] = client.run(hello, input={"text": "a"})
out["hooks"] = [*{*asked}]
file = client.run(copy, input={"file": io.BytesIO(bytes(200_000))})
out["file"] = [len(file.read()), sum(map(len, file))]
out["stream"] = "".join(map(str, client.stream(f"{owner}/count", input={"to": 3})))
client.close()


async def asynchronously():
    client = replicate.Client(transport=httpx.AsyncHTTPTransport())
    pieces = await client.async_run(f"{owner}/count:{versions['count']}", input={"to": 2})
    found = [await client.async_run(hello, input={"text": "b"}), [piece async for piece in pieces]]
    events = await client.async_stream(f"{owner}/count", input={"to": 2})
    found.append("".join([str(event) async for event in events]))
    await client.aclose()
    return found


out["async transport"] = asyncio.run(asynchronously())


def answer(request):
    out["mocked"] = [request.method, request.url.path, request.headers["authorization"], json.loads(request.content)["input"]]
    return httpx.Response(201, json={"id": "p", "model": "a/b", "version": "v", "status": "succeeded", "output": "mock"})


mocked = replicate.Client("r8_x", base_url="http://mock.test", transport=httpx.MockTransport(answer))
out["mock"] = mocked.run("a/b", input={"a": 1})
basic = replicate.Client(
    base_url="http://mock.test", transport=httpx.MockTransport(answer), auth=httpx.BasicAuth("u", "p")
)
basic.run("a/b", input={})
out["auth"] = out.pop("mocked")[2]
mounted = replicate.Client("r8_x", base_url="http://mock.test", mounts={"http://": httpx.MockTransport(answer)})
out["mounts"] = mounted.run("a/b", input={})


def broken(request):
    raise httpx.ReadTimeout("too slow", request=request)


slow = replicate.Client("r8_x", base_url="http://mock.test", transport=httpx.MockTransport(broken))
caught = []
for kind in (httpx.ReadTimeout, httpx.TimeoutException, httpx.HTTPError, ReplicateError):
    try:
        slow.models.create(owner="a", name="b", visibility="private", hardware="cpu")
    except kind as error:
        caught.append(isinstance(error, ReplicateError) and isinstance(error, httpx.ReadTimeout))
out["errors"] = caught
gone = replicate.Client("r8_x", base_url="http://127.0.0.1:9")
try:
    gone.models.create(owner="a", name="b", visibility="private", hardware="cpu")
except httpx.ConnectError as error:
    out["refused"] = "http://127.0.0.1:9/v1/models" in str(error)
print(json.dumps(out))
