"""Our model's own OpenAPI document against the model that serves it: requests drawn from it, good and bad.

A property-based client of the document, as schemathesis is one: inputs are drawn from the schema (and spoiled), methods
and headers from what the paths say (and from what they do not), and every answer has a documented status and shape.
"""

from __future__ import annotations

import json
import string
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.integration.model_server.live import Server, serving

MODEL = """
from typing import Literal, Optional, Union
import cog
from cog import BaseModel, Input, Secret

class Out(BaseModel):
    text: str
    numbers: list[float]

class Predictor:
    def predict(
        self,
        text: str = Input(description="Text", max_length=20),
        count: int = Input(default=1, ge=0, le=10),
        scale: float = Input(default=0.5, ge=0, le=1),
        style: str = Input(default="a", choices=["a", "b"]),
        level: Literal[1, 2, 3] = 1,
        flag: bool = False,
        seed: Optional[int] = None,
        tags: list[str] = [],
        extra: dict = {},
        key: Optional[Secret] = None,
        either: Union[int, str] = 1,
        file: Optional[cog.Path] = None,
        code: str = Input(default="x1", regex="^[a-z][0-9]$"),
    ) -> Out:
        assert isinstance(count, int) and 0 <= count <= 10
        assert style in ("a", "b") and isinstance(flag, bool)
        return Out(text=text, numbers=[scale] * count)
"""
TERMINAL = {"succeeded", "failed", "canceled"}
DOCUMENTED = {200, 202, 400, 404, 405, 409, 413, 415, 422, 429, 503}
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
quick = settings(
    max_examples=120,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Serve the model once for the whole file."""
    project = tmp_path_factory.mktemp("project")
    (project / "predict.py").write_text(MODEL)
    with serving(project) as found:
        yield found
        assert found.process.poll() is None
        assert "Traceback" not in found.log.read_text()


@pytest.fixture(scope="module")
def document(server: Server) -> dict[str, Any]:
    """Return the document."""
    found: dict[str, Any] = server.client.get("/openapi.json").json()
    return found


def values(schema: dict[str, Any], schemas: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Return values that a schema of the document says are good."""
    if "$ref" in schema:
        return values(schemas[schema["$ref"].rpartition("/")[2]], schemas)
    if "allOf" in schema:
        return values(schema["allOf"][0], schemas)
    if "anyOf" in schema:
        return st.one_of([values(member, schemas) for member in schema["anyOf"]])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    good: st.SearchStrategy[Any]
    kind = schema.get("type")
    if kind == "string" and schema.get("format") == "uri":
        good = st.just("data:text/plain;base64,eA==")
    elif kind == "string" and "pattern" in schema:
        good = st.from_regex(
            schema["pattern"].replace("$", r"\Z"), alphabet=string.ascii_letters + string.digits
        )
    elif kind == "string":
        good = st.text(max_size=schema.get("maxLength", 10))
    elif kind == "integer":
        good = st.integers(schema.get("minimum"), schema.get("maximum"))
    elif kind == "number":
        good = st.floats(schema.get("minimum"), schema.get("maximum"), allow_nan=False, allow_infinity=False)
    elif kind == "boolean":
        good = st.booleans()
    elif kind == "array":
        good = st.lists(values(schema["items"], schemas), max_size=3)
    else:
        good = st.dictionaries(st.text(max_size=4), st.integers(), max_size=2)
    return good | st.none() if schema.get("nullable") else good


def fits(answer: Any, schema: dict[str, Any], schemas: dict[str, Any]) -> bool:
    """Say whether an answer is of the shape the document says."""
    if "$ref" in schema:
        return fits(answer, schemas[schema["$ref"].rpartition("/")[2]], schemas)
    if answer is None:
        return True
    if "enum" in schema:
        return answer in schema["enum"]
    kinds: dict[str, Any] = {
        "object": dict,
        "array": list,
        "string": str,
        "number": (int, float),
        "integer": int,
        "boolean": bool,
    }
    if not isinstance(answer, kinds.get(schema.get("type", ""), object)):
        return False
    if isinstance(answer, dict):
        known = schema.get("properties", {})
        return all(name in answer for name in schema.get("required", [])) and all(
            fits(answer[name], known[name], schemas) for name in known if name in answer
        )
    return not isinstance(answer, list) or all(
        fits(item, schema.get("items", {}), schemas) for item in answer
    )


@quick
@given(data=st.data())
def test_what_the_document_allows_succeeds(
    server: Server, document: dict[str, Any], data: st.DataObject
) -> None:
    """Every input that fits the document is taken, and the answer fits it too."""
    schemas = document["components"]["schemas"]
    properties = schemas["Input"]["properties"]
    names = data.draw(st.sets(st.sampled_from(sorted(properties))))
    chosen = {
        name: data.draw(values(properties[name], schemas))
        for name in names | set(schemas["Input"]["required"])
    }
    answer = server.post(chosen)
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert found["status"] == "succeeded", (chosen, found["error"])
    assert fits(found, schemas["PredictionResponse"], schemas)
    assert found["output"]["text"] == chosen["text"]


@quick
@given(data=st.data(), spoiled=st.dictionaries(st.text(max_size=6), JSON, max_size=2))
def test_what_is_spoiled_is_answered(
    server: Server, document: dict[str, Any], data: st.DataObject, spoiled: dict[str, Any]
) -> None:
    """An input with any other values ends too: taken when they fit by chance, else 422 with each place named."""
    schemas = document["components"]["schemas"]
    names = sorted(schemas["Input"]["properties"])
    chosen = {**data.draw(st.dictionaries(st.sampled_from(names), JSON, max_size=4)), **spoiled}
    answer = server.post(chosen)
    assert answer.status_code in (200, 422), answer.text
    if answer.status_code == 422:
        assert fits(answer.json(), schemas["HTTPValidationError"], schemas)
        assert all(problem["loc"][:2] == ["body", "input"] for problem in answer.json()["detail"])
    else:
        assert answer.json()["status"] in TERMINAL


ENDPOINTS = st.sampled_from(
    [
        "/",
        "/health-check",
        "/openapi.json",
        "/predictions",
        "/predictions/{}",
        "/predictions/{}/cancel",
        "/metrics",
        "/docs",
        "/trainings",
        "/trainings/{}",
        "/trainings/{}/cancel",
        "/nothing",
        "/predictions/",
        "/predictions/{}/{}",
        "//",
        "/predictions//cancel",
    ]
)
SEGMENT = st.sampled_from(
    ["a", "..", "%2e%2e%2f", "%00", "a" * 200, "%ff", "a%20b", ";", "%F0%9F%98%80", "-", "_"]
)
HEADERS = st.dictionaries(
    st.sampled_from(
        [
            "prefer",
            "accept",
            "content-type",
            "last-event-id",
            "traceparent",
            "tracestate",
            "if-none-match",
            "range",
        ]
    ),
    st.sampled_from(
        [
            "respond-async",
            "wait=0",
            "text/event-stream",
            "application/json",
            "application/json; charset=utf-16",
            "multipart/form-data",
            "multipart/form-data; boundary=x",
            "*/*",
            "5",
            "bytes=0-1",
            "x" * 500,
            "\xff",
            "00-0-0-0",
        ]
    ),
    max_size=3,
)


@quick
@given(
    method=st.sampled_from(["GET", "POST", "PUT", "HEAD", "DELETE", "PATCH", "OPTIONS"]),
    endpoint=ENDPOINTS,
    segment=SEGMENT,
    headers=HEADERS,
    body=st.binary(max_size=30)
    | JSON.map(lambda value: json.dumps(value).encode())
    | st.dictionaries(
        st.sampled_from(["id", "input", "webhook", "context", "created_at"]), JSON, max_size=3
    ).map(lambda value: json.dumps(value).encode()),
)
def test_every_path_and_method_has_a_documented_answer(  # noqa: PLR0917 - one for each thing drawn
    server: Server, method: str, endpoint: str, segment: str, headers: dict[str, str], body: bytes
) -> None:
    """Whatever is asked where, the status is one the API page names, never 500, and errors are JSON with a detail."""
    path = endpoint.replace("{}", segment)
    raw = {name.encode(): value.encode("latin-1") for name, value in headers.items()}
    answer = server.client.request(method, path, headers=raw, content=body)
    assert answer.status_code in DOCUMENTED, (answer.status_code, answer.text)
    if answer.status_code >= 400 and method != "HEAD":
        assert answer.json()["detail"]
    if answer.status_code == 405:
        assert answer.headers["allow"]


def test_the_document_is_true_about_itself(document: dict[str, Any]) -> None:
    """Every reference in the document leads somewhere, and its paths are served."""
    text = json.dumps(document)
    names = {part.partition('"')[0] for part in text.split("#/components/schemas/")[1:]}
    assert names <= document["components"]["schemas"].keys()
    assert {"/", "/health-check", "/predictions"} <= document["paths"].keys()


def test_every_documented_path_is_there(server: Server, document: dict[str, Any], tmp_path: Path) -> None:
    """No operation that the document names is answered with 405, or 404 for anything but an unknown id."""
    for path, operations in document["paths"].items():
        for method in operations:
            if path == "/shutdown":
                continue
            answer = server.client.request(
                method.upper(), path.replace("{prediction_id}", "x"), json={"input": {"text": "a"}}
            )
            assert answer.status_code != 405, (method, path)
            assert answer.status_code != 404 or "{" in path, (method, path)
