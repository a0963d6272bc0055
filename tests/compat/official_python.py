"""What a user of the official Python client does, run in an environment where only that client is installed.

Prints one JSON object of what came out; `test_official_python.py` checks it.
"""

import asyncio
import io
import json
import sys

import replicate
from replicate.exceptions import ModelError, ReplicateError

owner, versions = sys.argv[1], json.loads(sys.argv[2])
out = {"client": replicate.__version__ if hasattr(replicate, "__version__") else None}

out["run by name"] = replicate.run(f"{owner}/hello", input={"text": "a"})
out["run by version"] = replicate.run(f"{owner}/hello:{versions['hello']}", input={"text": "b"})
out["run by polling"] = replicate.run(f"{owner}/hello:{versions['hello']}", input={"text": "c"}, wait=False)
out["run async"] = asyncio.run(replicate.async_run(f"{owner}/hello:{versions['hello']}", input={"text": "d"}))

file = replicate.run(f"{owner}/copy:{versions['copy']}", input={"file": io.BytesIO(b"abc")})
out["file"] = [type(file).__name__, file.read().decode()]
file = replicate.run(
    f"{owner}/copy:{versions['copy']}", input={"file": io.BytesIO(b"xyz")}, file_encoding_strategy="base64"
)
out["file as data"] = file.read().decode()

out["stream"] = [
    [event.event.value, event.data] for event in replicate.stream(f"{owner}/count", input={"to": 3})
]
out["iterator"] = list(replicate.run(f"{owner}/count:{versions['count']}", input={"to": 4}))
out["iterator polling"] = list(
    replicate.run(f"{owner}/count:{versions['count']}", input={"to": 2}, wait=False)
)

prediction = replicate.predictions.create(version=versions["count"], input={"to": 600, "pause": 1})
prediction.reload()
prediction.cancel()
prediction.wait()
out["cancel"] = prediction.status
out["get"] = replicate.predictions.get(prediction.id).status
page = replicate.predictions.list()
out["list"] = [len(page.results) > 0, page.results[0].id == prediction.id]

try:
    list(replicate.run(f"{owner}/count:{versions['count']}", input={"to": 1, "fail": True}))
except ModelError as error:
    out["model error"] = error.prediction.error
try:
    replicate.run(f"{owner}/hello:{versions['hello']}", input={"text": 5})
except ReplicateError as error:
    out["bad input"] = error.status
try:
    replicate.run("nobody/nothing", input={})
except ReplicateError as error:
    out["missing model"] = error.status
try:
    replicate.Client(api_token="wrong").predictions.list()
except ReplicateError as error:
    out["wrong token"] = error.status

model = replicate.models.get(f"{owner}/hello")
out["model"] = [model.owner, model.name, model.latest_version.id == versions["hello"], model.visibility]
out["versions"] = [version.id == versions["hello"] for version in model.versions.list().results]
out["version schema"] = list(
    model.versions.get(versions["hello"]).openapi_schema["components"]["schemas"]["Input"]["properties"]
)
made = replicate.models.create(owner=owner, name="made-by-official", visibility="private", hardware="cpu")
out["created"] = [made.name, made.visibility, made.latest_version]
out["hardware"] = [item.sku for item in replicate.hardware.list()]
out["account"] = replicate.Client().accounts.current().username

stored = replicate.files.create(io.BytesIO(b"kept"), filename="kept.txt", metadata={"a": "b"})
out["stored"] = [
    stored.name,
    stored.size,
    stored.metadata,
    replicate.files.get(stored.id).checksums["sha256"][:8],
]
out["files"] = stored.id in [item.id for item in replicate.files.list()]
out["deleted"] = replicate.files.delete(stored.id)
out["secret"] = replicate.webhooks.default.secret().key[:6]

print(json.dumps(out))
