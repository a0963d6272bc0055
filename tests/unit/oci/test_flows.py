"""The protocol's conversations, without a socket: what is asked, and what each answer leads to."""

from __future__ import annotations

from typing import Any

import pytest
from cogyard.oci import flows, retry
from cogyard.oci.authorization import Credential
from cogyard.oci.descriptor import MANIFEST, Descriptor
from cogyard.oci.digest import of
from cogyard.oci.errors import (
    BlobsLackingError,
    DigestMismatchError,
    NotARegistryError,
    OciError,
    RegistryDeniedError,
    RegistryFailedError,
    RegistryNotFoundError,
    RegistryRefusedError,
)
from cogyard.oci.exchange import Answer, Call, Flow
from cogyard.oci.pending import PendingInMemory, Place
from cogyard.oci.refusals import refuse, said

BLOB = Descriptor(media_type="x", digest=of(b"hello"), size=5)
UPLOADS = "/v2/me/m/blobs/uploads/"


def answer(status: int, body: bytes = b"", **headers: str) -> Answer:
    """Return an answer of a registry."""
    return Answer(
        status=status,
        headers={name.replace("_", "-"): value for name, value in headers.items()},
        body=body,
        url="u",
    )


def talk(flow: Flow[Any], *answers: Answer) -> tuple[Any, list[Call]]:
    """Drive a flow to its end with these answers; return its result and what it asked."""
    calls = [next(flow)]
    for each in answers:
        try:
            calls.append(flow.send(each))
        except StopIteration as stop:
            return stop.value, calls
    raise AssertionError(f"the flow wants more: {calls[-1]}")


def test_a_blob_that_is_there_is_not_sent() -> None:
    """One HEAD settles it."""
    how, calls = talk(flows.push_blob("me/m", BLOB, b"hello"), answer(200))
    assert (how, [call.method for call in calls]) == (flows.PRESENT, ["HEAD"])


def test_a_blob_of_another_repository_is_mounted() -> None:
    """A 201 to the mount ends it, and the source is named in the address."""
    how, calls = talk(flows.push_blob("me/m", BLOB, b"hello", ["o/n"]), answer(404), answer(201))
    assert how == flows.MOUNTED
    assert calls[1].url == f"{UPLOADS}?mount=sha256%3A{BLOB.digest[7:]}&from=o%2Fn"


def test_a_registry_that_does_not_mount_gets_the_bytes() -> None:
    """A 202 to the mount is an upload that has begun; it is used, not left behind."""
    how, calls = talk(
        flows.push_blob("me/m", BLOB, b"hello", ["o/n", "p/q"]),
        answer(404),
        answer(202, location="/up/1?state=s"),
        answer(201),
    )
    assert how == flows.UPLOADED
    assert [call.method for call in calls] == ["HEAD", "POST", "PUT"]
    assert calls[2].url == f"/up/1?state=s&digest=sha256%3A{BLOB.digest[7:]}"
    assert calls[2].headers["Content-Length"] == "5"


def test_a_refused_mount_falls_back_on_the_next_source_and_then_on_sending() -> None:
    """A source we may not see is no reason to fail."""
    how, calls = talk(
        flows.push_blob("me/m", BLOB, b"hello", ["o/n"]),
        answer(404),
        answer(404),
        answer(202, location="/up/1"),
        answer(201),
    )
    assert how == flows.UPLOADED
    assert calls[2].url == UPLOADS
    assert calls[3].url == f"/up/1?digest=sha256%3A{BLOB.digest[7:]}"


def test_an_upload_that_broke_off_goes_on_where_it_was() -> None:
    """The registry says what it holds; only the rest is sent, and the place is forgotten when it is there."""
    pending = PendingInMemory()
    flow = flows.push_blob("me/m", BLOB, b"hello", pending=pending)
    next(flow)
    flow.send(answer(404))
    flow.send(answer(202, location="/up/1"))
    flow.close()  # the connection broke while the content was sent
    assert pending.find() == Place(location="/up/1")
    how, calls = talk(
        flows.push_blob("me/m", BLOB, b"hello", pending=pending),
        answer(404), answer(204, location="/up/1?state=2", range="0-1"), answer(201),
    )  # fmt: skip
    assert how == flows.UPLOADED
    assert [(call.method, call.url) for call in calls[1:]] == [
        ("GET", "/up/1"),
        ("PUT", f"/up/1?state=2&digest=sha256%3A{BLOB.digest[7:]}"),
    ]
    assert (calls[2].body, calls[2].headers["Content-Range"]) == (b"llo", "2-4")
    assert pending.find() is None


@pytest.mark.parametrize(
    ("status", "sent"),
    [
        (answer(204, range="0-0"), b"hello"),
        (answer(204, range="bytes=0-3"), b"o"),
        (answer(204, range="0-4"), b""),
    ],
)
def test_what_an_upload_holds_is_not_sent_again(status: Answer, sent: bytes) -> None:
    """Nothing, some of it, all of it."""
    pending = PendingInMemory(Place(location="/up/1"))
    how, calls = talk(
        flows.push_blob("me/m", BLOB, b"hello", pending=pending), answer(404), status, answer(201)
    )
    assert (how, calls[2].body) == (flows.UPLOADED, sent)
    assert ("Content-Range" in calls[2].headers) == (sent == b"o")


@pytest.mark.parametrize(
    "refusal",
    [
        [answer(404)],
        [answer(500)],
        [answer(204)],
        [answer(204, range="1-2")],
        [answer(204, range="0-77")],
        [answer(204, range="0-1"), answer(400), answer(404)],
        [answer(204, range="0-1"), answer(416), answer(204, range="0-1")],
        [
            answer(204, range="0-1"),
            answer(416),
            answer(204, range="0-2"),
            answer(416),
            answer(204, range="0-0"),
        ],
    ],
)
def test_an_upload_that_cannot_go_on_is_begun_anew(refusal: list[Answer]) -> None:
    """It has expired, holds something else, or the registry cannot say: then the whole blob is sent, once."""
    pending = PendingInMemory(Place(location="/up/1"))
    how, calls = talk(
        flows.push_blob("me/m", BLOB, b"hello", pending=pending),
        answer(404), *refusal, answer(202, location="/up/2"), answer(201),
    )  # fmt: skip
    assert how == flows.UPLOADED
    assert (calls[-1].body, calls[-1].url.partition("?")[0]) == (b"hello", "/up/2")
    assert pending.find() is None


def test_what_was_still_being_written_is_not_sent_again() -> None:
    """The registry takes in what a broken connection had brought after it said how far it was: it is asked again."""
    pending = PendingInMemory(Place(location="/up/1"))
    how, calls = talk(
        flows.push_blob("me/m", BLOB, b"hello", pending=pending),
        answer(404), answer(204, range="0-1"), answer(416), answer(204, range="0-3"), answer(201),
    )  # fmt: skip
    assert how == flows.UPLOADED
    assert [(call.method, call.body) for call in calls[-3:]] == [("PUT", b"llo"), ("GET", b""), ("PUT", b"o")]
    assert pending.find() is None


def test_a_registry_that_takes_small_pieces_gets_small_pieces() -> None:
    """As large as it announces, each where the last answer says; the place of a break is remembered."""
    pending = PendingInMemory()
    begun = answer(202, location="/up/1", oci_chunk_max_length="2")
    how, calls = talk(
        flows.push_blob("me/m", BLOB, b"hello", pending=pending),
        answer(404), begun, answer(202, location="/up/2"), answer(202, location="/up/3"), answer(201),
    )  # fmt: skip
    assert how == flows.UPLOADED
    assert [(call.method, call.url, call.body, call.headers["Content-Range"]) for call in calls[2:]] == [
        ("PATCH", "/up/1", b"he", "0-1"),
        ("PATCH", "/up/2", b"ll", "2-3"),
        ("PUT", f"/up/3?digest=sha256%3A{BLOB.digest[7:]}", b"o", "4-4"),
    ]
    flow = flows.push_blob("me/m", BLOB, b"hello", pending=pending)
    next(flow)
    for each in (answer(404), begun, answer(202, location="/up/2")):
        flow.send(each)
    assert pending.find() == Place(location="/up/2", largest=2)


@pytest.mark.parametrize(
    "answers",
    [
        [answer(404), answer(200)],
        [answer(404), answer(202)],
        [answer(404), answer(202, location="/x"), answer(200)],
    ],
)
def test_an_answer_out_of_the_protocol_is_no_registry(answers: list[Answer]) -> None:
    """A web server that answers 200 to everything is recognized."""
    with pytest.raises(NotARegistryError):
        talk(flows.push_blob("me/m", BLOB, b"hello"), *answers)


def test_whether_we_may_push_is_asked_by_beginning_to() -> None:
    """An upload is begun and taken back, also where the registry does not let us; a refusal comes with its words."""
    place, calls = talk(flows.probe("me/m"), answer(202, location="/up/1"))
    assert [(call.method, call.url, call.refusals) for call in calls] == [("POST", UPLOADS, False)]
    for taken_back in (204, 404, 405):
        _, calls = talk(flows.take_back("me/m", place), answer(taken_back))
        assert [(call.method, call.url) for call in calls] == [("DELETE", "/up/1")]
    with pytest.raises(NotARegistryError):
        talk(flows.probe("me/m"), answer(200))


def test_being_turned_away_is_asked_about_with_words() -> None:
    """An answer to HEAD has no body, so a refusal is asked for again by POST."""
    _, calls = talk(
        flows.push_blob("me/m", BLOB, b"hello"), answer(400), answer(202, location="/u"), answer(201)
    )
    assert not calls[1].refusals


def test_a_manifest_is_taken_under_its_digest() -> None:
    """The digest returned is that of the bytes, and a registry that says otherwise is not believed."""
    digest, calls = talk(
        flows.push_manifest("me/m", "v1", b"{}", MANIFEST), answer(201, docker_content_digest=of(b"{}"))
    )
    assert digest == of(b"{}")
    assert (calls[0].url, calls[0].headers["Content-Type"]) == ("/v2/me/m/manifests/v1", MANIFEST)
    with pytest.raises(RegistryFailedError):
        talk(flows.push_manifest("me/m", "v1", b"{}", MANIFEST), answer(201, docker_content_digest=of(b"[]")))


def test_a_manifest_by_digest_is_checked() -> None:
    """Other bytes than those asked for are refused."""
    data, media_type = talk(
        flows.pull_manifest("me/m", of(b"{}")), answer(200, b"{}", content_type=f"{MANIFEST}; x")
    )[0]
    assert (data, media_type) == (b"{}", MANIFEST)
    with pytest.raises(DigestMismatchError):
        talk(flows.pull_manifest("me/m", of(b"{}")), answer(200, b"[]"))


ME = Credential(username="me", password="secret")
DENIED = b'{"errors":[{"code":"DENIED","message":"namespace o is not yours\\u0007"}]}'


@pytest.mark.parametrize(
    ("given", "credential", "error", "words"),
    [
        (answer(401), None, RegistryRefusedError, "cog login a.b"),
        (answer(401), ME, RegistryRefusedError, "credentials of me"),
        (answer(403, DENIED), ME, RegistryDeniedError, "namespace o is not yours"),
        (answer(404, DENIED), ME, RegistryNotFoundError, "has no"),
        (answer(413, DENIED), ME, RegistryFailedError, "so much"),
        (answer(507, DENIED), ME, RegistryFailedError, "no room"),
        (answer(400, DENIED), ME, RegistryFailedError, "400"),
        (answer(405, b"<html>"), None, NotARegistryError, "not a registry"),
    ],
)
def test_refusals_say_what_and_what_next(
    given: Answer, credential: Credential | None, error: type[OciError], words: str
) -> None:
    """Each status becomes its own error with the registry's words, cleaned, and never a secret."""
    with pytest.raises(error) as caught:
        refuse(given, "me/m", "a.b", credential)
    text = f"{caught.value.message} {caught.value.hint}"
    assert words in text
    assert "secret" not in text
    assert "\x07" not in text


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b'{"errors":{}}', b'{"errors":[{"message":7}]}', b"[" * 100_000]
)
def test_a_registrys_words_may_be_missing(body: bytes) -> None:
    """Bodies of any other shape are silence, not a crash."""
    assert said(answer(500, body)) == ""


def test_long_words_are_cut() -> None:
    """A registry cannot fill the screen."""
    body = b'{"errors":[{"code":"X","message":"' + b"a" * 10_000 + b'"}]}'
    assert len(said(answer(500, body))) < 400


def test_waits_grow_and_end() -> None:
    """Pauses double up to a limit, the registry's own wish counts, and there is an end."""
    waits = [retry.pause(attempt, jitter=0.5) for attempt in range(1, 7)]
    assert waits == [0.5, 1.0, 2.0, 4.0, None, None]
    assert retry.pause(1, jitter=0.0, retry_after="7") == 7.0
    assert retry.pause(1, jitter=0.0, retry_after="7000") is None
    assert retry.pause(1, jitter=0.0, retry_after="Wed, 21 Oct 2026 07:28:00 GMT") == 0.25


def test_a_small_blob_is_sent_without_a_question() -> None:
    """Where the caller says so; a question takes as long as sending it."""
    how, calls = talk(
        flows.push_blob("me/m", BLOB, b"hello", ask=False), answer(202, location="/up/1"), answer(201)
    )
    assert (how, [call.method for call in calls]) == (flows.UPLOADED, ["POST", "PUT"])


@pytest.mark.parametrize("status", [400, 404])
def test_a_manifest_of_blobs_that_are_not_there_is_an_error_of_its_own(status: int) -> None:
    """Whatever the status: the protocol's code says it."""
    body = b'{"errors":[{"code":"X"},{"code":"MANIFEST_BLOB_UNKNOWN","message":"blob unknown"}]}'
    with pytest.raises(BlobsLackingError) as caught:
        refuse(answer(status, body), "me/m:v1", "a.b", None)
    assert caught.value.status == status
    assert caught.value.hint
