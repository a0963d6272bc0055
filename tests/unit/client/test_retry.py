"""When a request is sent again, and what a bad answer says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx2
import pytest
from replicate import ReplicateError
from replicate._flow import Call
from replicate._retry import ATTEMPTS, LONGEST_PAUSE, PATIENT_ATTEMPTS, Contact, pause_before_retry

from tests.unit.client.test_client import VERSION, client_of

GET, POST, NONE = Call("GET", "/x"), Call("POST", "/x"), Contact()
PAGE = "<html>\n<h1>502 Bad Gateway</h1>\nnginx</html>"


def test_retry_after_is_kept_in_both_its_forms() -> None:
    """Seconds or a date, and a little more, so that not all come at once; bounded, and nonsense is not heeded."""
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=20), usegmt=True)
    assert 3 <= (pause_before_retry(GET, 429, {"retry-after": "3"}, 0, NONE) or 0) <= 3.75
    assert 15 < (pause_before_retry(GET, 503, {"retry-after": soon}, 0, NONE) or 0) <= 25
    assert (
        LONGEST_PAUSE
        <= (pause_before_retry(GET, 429, {"retry-after": "86400"}, 0, NONE) or 0)
        <= 1.25 * LONGEST_PAUSE
    )
    for nonsense in ("", "soon", "-1", "1.5", "²"):
        assert 0 < (pause_before_retry(GET, 429, {"retry-after": nonsense}, 0, NONE) or 0) <= 0.1


def test_only_what_does_no_harm_is_sent_again() -> None:
    """A change is not, unless it was refused for its rate or says that it may be; no answer counts as a bad one."""
    repeatable = Call("POST", "/x", repeatable=True)
    for status in (None, 502, 503, 504):
        assert pause_before_retry(GET, status, {}, 0, NONE) is not None
        assert pause_before_retry(repeatable, status, {}, 0, NONE) is not None
        assert pause_before_retry(POST, status, {}, 0, NONE) is None
    assert pause_before_retry(POST, 429, {}, 0, NONE) is not None
    assert all(pause_before_retry(GET, status, {}, 0, NONE) is None for status in (200, 404, 422, 500))


@pytest.mark.parametrize(
    ("address", "times"), [("https://models.example/v1", ATTEMPTS), ("https://api.replicate.com", 1)]
)
def test_a_create_is_sent_again_only_where_its_key_is_kept(address: str, times: int) -> None:
    """The hosted service would run it twice."""
    asked: list[str] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(request.headers["idempotency-key"])
        raise httpx2.ReadTimeout("no answer", request=request)

    client = client_of(answer, base_url=address)
    with pytest.raises(ReplicateError):
        client.predictions.create(version=VERSION, input={})
    assert (len(asked), len(set(asked))) == (times, 1)
    asked.clear()
    with pytest.raises(ReplicateError):
        client.trainings.create(version=f"a/b:{VERSION}", destination="a/c", input={})
    assert (len(asked), len(set(asked))) == (times, 1)


def test_patience_has_an_end() -> None:
    """A platform that has answered before is waited for longer, and not for ever; so is one that says when to come."""
    made = Contact(made=True)
    assert pause_before_retry(GET, 503, {}, ATTEMPTS - 1, NONE) is None
    assert pause_before_retry(GET, 503, {}, ATTEMPTS - 1, made) is not None
    assert pause_before_retry(GET, 503, {}, PATIENT_ATTEMPTS - 1, made) is None
    assert pause_before_retry(POST, 429, {}, ATTEMPTS - 1, NONE) is not None
    assert pause_before_retry(POST, 429, {}, PATIENT_ATTEMPTS - 1, NONE) is None


def test_whoever_was_answered_once_waits_longer() -> None:
    """A wrong address is an error soon; an address that was right is asked again until the platform is back."""
    asked: list[str] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(request.method)
        if len(asked) > 1:
            raise httpx2.ConnectError("refused", request=request)
        return httpx2.Response(200, json={"type": "user", "username": "me"})

    client = client_of(answer)
    client.accounts.current()
    with pytest.raises(ReplicateError):
        client.predictions.create(version=VERSION, input={})
    assert len(asked) == 1 + PATIENT_ATTEMPTS
    with pytest.raises(ReplicateError):
        client_of(answer).predictions.create(version=VERSION, input={})
    assert len(asked) == 1 + PATIENT_ATTEMPTS + ATTEMPTS


@pytest.mark.parametrize("status", [200, 404])
def test_a_proxys_page_is_told_as_one(status: int) -> None:
    """HTML where JSON should be, with a bad status or a good one, is an error that shows how it begins."""
    answer = httpx2.Response(status, html=PAGE)
    with pytest.raises(
        ReplicateError, match="is text/html; charset=utf-8 and begins: <html> <h1>502"
    ) as caught:
        client_of(lambda _: answer).predictions.get("p1")
    assert caught.value.status == status


def test_the_headers_of_a_refusal_are_kept() -> None:
    """Whoever was refused for good can read why in what came with it."""
    refused = httpx2.Response(422, json={"detail": "no"}, headers={"ratelimit-remaining": "0"})
    with pytest.raises(ReplicateError, match="status: 422; detail: no") as caught:
        client_of(lambda _: refused).predictions.create(version=VERSION, input={})
    assert caught.value.headers["ratelimit-remaining"] == "0"
    assert caught.value.to_dict() == {"status": 422, "detail": "no"}
