"""Examples on a platform: pushed with `cog push`, asked over the HTTP API."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable
from io import BytesIO
from typing import Any

import pytest
from PIL import Image

from tests.e2e.examples_more.project import Example
from tests.live import LivePlatform

pytestmark = [pytest.mark.slow, pytest.mark.network, pytest.mark.xdist_group("platform")]
COLD = 240


def asked(platform: LivePlatform, version: str, given: dict[str, Any]) -> dict[str, Any]:
    """Create a prediction and return it when it has ended."""
    with platform.http() as http:
        created = http.post("/v1/predictions", json={"version": version, "input": given})
        found: dict[str, Any] = created.raise_for_status().json()
        end = time.monotonic() + COLD
        while found["status"] in {"starting", "processing"}:
            assert time.monotonic() < end, found
            time.sleep(0.5)
            found = http.get(f"/v1/predictions/{found['id']}").raise_for_status().json()
    return found


def data_url(example: Example, name: str, media_type: str) -> str:
    """Return a sample as a client sends it."""
    return f"data:{media_type};base64,{base64.b64encode((example.folder / name).read_bytes()).decode()}"


def test_files_deep_in_an_answer_have_addresses(
    example: Callable[[str], Example], live_platform: LivePlatform
) -> None:
    """A file, a list of files and a dict: each file is at an address of the platform, the dict is as it was."""
    palette = example("palette")
    version = live_platform.push(palette.folder, "palette")
    found = asked(
        live_platform, version, {"image": data_url(palette, "input.jpg", "image/jpeg"), "colors": 3}
    )
    assert found["status"] == "succeeded", found["error"]
    output = found["output"]
    assert len(output["shares"]) == len(output["layers"]) == 3
    with live_platform.http() as http:
        for address in (output["poster"], *output["layers"]):
            assert address.startswith(f"{live_platform.address}/delivery/")
            with Image.open(BytesIO(http.get(address).raise_for_status().content)) as picture:
                assert picture.size == (480, 320)
        document = http.get(f"/v1/models/{live_platform.owner}/palette").json()["latest_version"][
            "openapi_schema"
        ]
    described = document["components"]["schemas"]["Output"]["properties"]
    assert described["poster"]["format"] == described["layers"]["items"]["format"] == "uri"
    assert described["shares"]["additionalProperties"] == {"type": "number"}


def test_metrics_of_the_model_arrive(example: Callable[[str], Example], live_platform: LivePlatform) -> None:
    """What a model records stands among the prediction's metrics; weights of the project travel in the image."""
    detect = example("detect-voice")
    version = live_platform.push(detect.folder, "detect-voice")
    found = asked(live_platform, version, {"audio": data_url(detect, "input.ogg", "audio/ogg")})
    assert found["status"] == "succeeded", found["error"]
    assert [round(speech["start"]) for speech in found["output"]] == [2, 5]
    assert found["metrics"]["seconds_of_audio"] == pytest.approx(7.558, abs=0.01)
