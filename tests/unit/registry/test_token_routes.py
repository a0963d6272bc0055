"""How clients get tokens, and what tokens open."""

from __future__ import annotations

import httpx2
import pytest
from cogyard.http.errors import BusyError
from cogyard.testing.pushing import push_image, small_image

from tests.unit.registry.conftest import Surroundings

pytestmark = pytest.mark.anyio
ALICE = httpx2.BasicAuth("alice", "cyd_alice")
BOB = httpx2.BasicAuth("bob", "bobbob")


async def token(
    client: httpx2.AsyncClient, *scopes: str, auth: httpx2.BasicAuth | None = None
) -> dict[str, str]:
    """Ask for a token as docker does; return the header that shows it."""
    params = {"service": "registry.test", "scope": scopes}
    answer = await client.get("/registry/token", params=params, auth=auth)
    assert answer.status_code == 200
    body = answer.json()
    assert body["token"] == body["access_token"]
    assert body["expires_in"] >= 60
    assert answer.headers["cache-control"] == "no-store"
    return {"Authorization": f"Bearer {body['token']}"}


async def test_a_token_opens_what_it_was_made_for(client: httpx2.AsyncClient) -> None:
    """A push with a token of the right scope, and the base with any."""
    headers = await token(client, "repository:alice/model:pull,push", auth=ALICE)
    assert (await client.get("/v2/", headers=headers)).status_code == 200
    client.headers.update(headers)
    assert (await push_image(client, "alice/model", small_image(), "latest", auth=None)).status_code == 201


async def test_a_token_for_less_asks_for_more(client: httpx2.AsyncClient) -> None:
    """401 with the scope to ask for, since another token would open the door."""
    headers = await token(client, "repository:alice/model:pull", auth=ALICE)
    answer = await client.post("/v2/alice/model/blobs/uploads/", headers=headers)
    assert answer.status_code == 401
    challenge = answer.headers["www-authenticate"]
    assert 'scope="repository:alice/model:pull,push"' in challenge
    assert 'error="insufficient_scope"' in challenge


async def test_a_token_never_opens_more_than_its_account_may(client: httpx2.AsyncClient) -> None:
    """Bob's token for alice's repository is made, and opens nothing."""
    headers = await token(client, "repository:alice/private:pull,push", auth=BOB)
    assert (await client.get("/v2/alice/private/tags/list", headers=headers)).status_code == 404
    assert (await client.post("/v2/alice/private/blobs/uploads/", headers=headers)).status_code == 403


async def test_a_token_ends_with_its_account(client: httpx2.AsyncClient, behind: Surroundings) -> None:
    """And with the visibility that it was made for."""
    headers = await token(client, "repository:alice/private:pull", auth=ALICE)
    public = await token(client, "repository:alice/public:pull")
    await push_image(client, "alice/private", small_image(), auth=ALICE)
    await push_image(client, "alice/public", small_image(), auth=ALICE)
    assert (await client.get("/v2/alice/private/tags/list", headers=headers)).status_code == 200
    assert (await client.get("/v2/alice/public/tags/list", headers=public)).status_code == 200
    behind.people.models["alice/public"] = False
    del behind.people.accounts["alice"]
    assert (await client.get("/v2/alice/private/tags/list", headers=headers)).status_code == 401
    assert (await client.get("/v2/alice/public/tags/list", headers=public)).status_code == 401


async def test_wrong_credentials_get_no_token(client: httpx2.AsyncClient) -> None:
    """401 with words for a person, whether or not there is such an account."""
    texts = set()
    for name in ("alice", "nobody"):
        answer = await client.get("/registry/token", auth=httpx2.BasicAuth(name, "wrong"))
        assert answer.status_code == 401
        texts.add(answer.text)
    assert len(texts) == 1
    for header in ("Basic !!!", "Basic YWxpY2U=", "Digest x", "Bearer x", "Bearer cyd_nobody", "Basic /w=="):
        answer = await client.get("/v2/", headers={"Authorization": header})
        assert answer.status_code == 401
        assert "www-authenticate" in answer.headers


async def test_guessing_is_told_to_come_back_later(
    client: httpx2.AsyncClient, behind: Surroundings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """429 in the protocol's words wherever a password is taken, with the time; and the guard says who guesses."""
    seen = []

    async def braked(username: str, password: str, *, client: str) -> None:
        seen.append((username, password, client))
        raise BusyError("Later.", retry_after=7)

    # The fake has no brake of its own: what is tested is how the registry says it.
    monkeypatch.setattr(behind.people, "authenticate", braked)
    form = {"username": "alice", "password": "guess"}
    answers = [
        await client.get("/registry/token", auth=("alice", "guess")),
        await client.get("/v2/alice/private/tags/list", auth=("alice", "guess")),
        await client.post("/registry/token", data=form),
    ]
    for answer in answers:
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "7")
        assert answer.json()["errors"][0]["code"] == "TOOMANYREQUESTS"
    assert seen == [("alice", "guess", "127.0.0.1")] * 3


async def test_an_api_token_is_a_bearer_token_too(client: httpx2.AsyncClient) -> None:
    """For scripts that have one already."""
    answer = await client.get("/v2/", headers={"Authorization": "Bearer cyd_alice"})
    assert answer.status_code == 200


async def test_tokens_by_post(client: httpx2.AsyncClient) -> None:
    """OAuth 2's form, as containerd sends it."""
    form = {
        "grant_type": "password",
        "service": "registry.test",
        "client_id": "test",
        "scope": "repository:alice/model:push",
        "username": "alice",
        "password": "alicealice",
    }
    answer = await client.post("/registry/token", data=form)
    assert answer.status_code == 200
    headers = {"Authorization": f"Bearer {answer.json()['access_token']}"}
    assert (await client.post("/v2/alice/model/blobs/uploads/", headers=headers)).status_code == 202
    wrong = await client.post("/registry/token", data={**form, "password": "wrong"})
    assert wrong.status_code == 401
    refresh = await client.post("/registry/token", data={"grant_type": "refresh_token"})
    assert (refresh.status_code, refresh.json()) == (400, {"error": "unsupported_grant_type"})


async def test_cogs_own_login(client: httpx2.AsyncClient) -> None:
    """Where to find a token, and whose it is."""
    answer = await client.get("/cog/v1/display-token-url")
    assert answer.json() == {"url": "http://registry.test/auth/token"}
    answer = await client.post("/cog/v1/verify-token", data={"token": "cyd_alice"})
    assert answer.json() == {"username": "alice"}
    for form in ({"token": "cyd_nobody"}, {"token": ""}, {}):
        assert (await client.post("/cog/v1/verify-token", data=form)).status_code == 404


async def test_an_expired_token_says_what_to_ask_for(client: httpx2.AsyncClient) -> None:
    """So that a long push can get a new one and go on."""
    answer = await client.get("/v2/alice/private/tags/list", headers={"Authorization": "Bearer old.token.x"})
    assert answer.status_code == 401
    assert 'scope="repository:alice/private:pull"' in answer.headers["www-authenticate"]
