"""What is noted, and what is said not to be."""

from __future__ import annotations

from typing import Any

import pytest
from cogyard.http.endpoints import Endpoint
from cogyard.web.api import API, CAPABILITIES
from cogyard.web.auditing import PAGES, QUIET, Done, done
from cogyard.web.origin import SAFE_METHODS
from cogyard.web.pages import TABLE


def test_every_form_of_a_page_is_noted_or_says_that_it_is_not() -> None:
    """A new form without a decision fails here; so does a decision about a form that is gone."""
    forms = {path for path, method, _ in TABLE if method not in SAFE_METHODS}
    assert forms == set(PAGES)


def test_what_is_quiet_is_there() -> None:
    """Operations that are not noted are operations, and change something; everything else is noted by itself."""
    changing: dict[str, Endpoint] = {
        one.operation: one for one in (*API, *CAPABILITIES) if one.method not in SAFE_METHODS | {"QUERY"}
    }
    assert set(changing) >= QUIET
    assert {"models.create", "models.update", "models.delete", "deployments.update"} <= set(changing) - QUIET


def _scope(part: str, method: str, path: str, **state: Any) -> dict[str, Any]:
    return {"type": "http", "method": method, "path": path, "state": {"part": part, **state}}


@pytest.mark.parametrize(
    ("scope", "status", "expected"),
    [
        (
            _scope("registry", "PUT", "/v2/ada/x/manifests/v1"),
            201,
            Done(action="registry.push", subject="ada/x:v1", via="registry"),
        ),
        (_scope("registry", "PUT", "/v2/ada/x/manifests/v1"), 400, None),
        (_scope("registry", "PUT", "/v2/ada/x/manifests/v1"), 401, None),
        (
            _scope("registry", "DELETE", "/v2/ada/x/manifests/sha256:a"),
            405,
            Done(action="registry.delete", subject="ada/x:sha256:a", via="registry", refused=405),
        ),
        (
            _scope("registry", "POST", "/v2/ada/x/blobs/uploads/"),
            403,
            Done(action="registry.push", subject="ada/x", via="registry", refused=403),
        ),
        (_scope("registry", "POST", "/v2/ada/x/blobs/uploads/"), 202, None),
        (_scope("registry", "PUT", "/v2/ada/x/blobs/uploads/1"), 201, None),
        (
            _scope("registry", "DELETE", "/v2/ada/x/blobs/sha256:a"),
            202,
            Done(action="registry.blobs.delete", subject="ada/x:sha256:a", via="registry"),
        ),
        (
            _scope(
                "api", "DELETE", "/v1/v1/x", operation="models.delete", params={"owner": "a", "name": "x"}
            ),
            204,
            Done(action="models.delete", subject="a/x"),
        ),
        (
            _scope("api", "DELETE", "/v1/x", operation="models.delete", params={"owner": "a", "name": "x"}),
            409,
            Done(action="models.delete", subject="a/x", refused=409),
        ),
        (_scope("api", "DELETE", "/v1/x", operation="models.delete", params={"owner": "a"}), 404, None),
        (_scope("api", "POST", "/v1/predictions", operation="predictions.create"), 403, None),
        (
            _scope("api", "POST", "/v1/models", operation="models.create", subject="ada/x"),
            201,
            Done(action="models.create", subject="ada/x"),
        ),
        (_scope("api", "POST", "/v1/models", operation="models.create"), 422, None),
        (_scope("api", "POST", "/v1/predictions", operation="predictions.create"), 201, None),
        (_scope("files", "PUT", "/internal/x"), 200, None),
        (_scope("api", "POST", "/nowhere"), 200, None),
    ],
)
def test_what_a_request_did(scope: dict[str, Any], status: int, expected: Done | None) -> None:
    """Pushes, changes and deletions, refused ones too; not what is wrong or not there, nor the bytes on their way."""
    assert done(scope, status) == expected
