"""Services over memory: rules of names, secrets, passwords and visibility."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest
from cogyard.domain.guesses import OF_CLIENT, OF_NAME, SECONDS, Attempt, Guesses, SignIns
from cogyard.domain.names import RESERVED, model_name_problem, split_model, username_problem
from cogyard.domain.paging import Window
from cogyard.domain.values import Account, Hardware, Model, Visibility
from cogyard.features.accounts.service import Accounts
from cogyard.features.accounts.turns import Turns
from cogyard.features.hardware.service import HardwareList
from cogyard.features.models import policy
from cogyard.features.models.service import Models
from cogyard.features.versions.service import NoVersionError, Versions
from cogyard.features.world import World
from cogyard.http.errors import BusyError, ConflictError, ForbiddenError, InvalidError, NotFoundError
from cogyard.testing.accounts import MemoryAccounts
from cogyard.testing.models import MemoryModels

pytestmark = pytest.mark.anyio


@dataclass
class Clock:
    """A clock that a test moves."""

    moment: datetime = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        """Return the moment."""
        return self.moment


@dataclass
class Elapsed:
    """Seconds that a test lets pass."""

    seconds: float = 1000.0

    def __call__(self) -> float:
        """Return them."""
        return self.seconds


@dataclass(kw_only=True)
class Scene:
    """Services over memory, and three people."""

    accounts: Accounts
    models: Models
    versions: Versions
    clock: Clock
    elapsed: Elapsed = field(default_factory=Elapsed)
    ann: Account
    bob: Account
    root: Account


@pytest.fixture
async def scene() -> Scene:
    """Return services with an owner, another and an administrator."""
    clock = Clock()
    elapsed = Elapsed()
    world = World(now=clock, elapsed=elapsed)
    accounts = Accounts(store=MemoryAccounts(), world=world)
    assert isinstance(accounts.store, MemoryAccounts)
    store = MemoryModels(accounts.store)
    models = Models(store=store, accounts=accounts.store, hardware=HardwareList(), world=world)
    return Scene(
        accounts=accounts,
        models=models,
        versions=Versions(store=store, models=models, world=world),
        clock=clock,
        elapsed=elapsed,
        ann=await accounts.create("ann", name="Ann"),
        bob=await accounts.create("bob", name=""),
        root=await accounts.create("root", name="Root", is_admin=True),
    )


async def _owner_of(scene: Scene, token: str) -> Account | None:
    held = await scene.accounts.holder(token)
    return None if held is None else held.account


@pytest.mark.parametrize("name", ["ann", "a", "a-b", "a.b", "a_b", "a__b", "a1", "x" * 39])
def test_good_names(name: str) -> None:
    """What fits an address, a repository and a page."""
    assert username_problem(name) is None
    assert model_name_problem(name) is None


@pytest.mark.parametrize(
    "name", ["", "Ann", "-a", "a-", "a..b", "a b", "a/b", "é", "a\n", "..", "x" * 65, "a._b"]
)
def test_bad_names(name: str) -> None:
    """Each is refused with a sentence."""
    assert username_problem(name)
    assert model_name_problem(name)
    assert split_model(f"{name}/x") is None


@pytest.mark.parametrize("name", sorted(RESERVED))
def test_our_own_addresses_are_nobodys_name(name: str) -> None:
    """An account of that name would have no page."""
    assert "own addresses" in str(username_problem(name))


async def test_a_token_is_shown_once_and_kept_as_a_hash(scene: Scene) -> None:
    """What is kept cannot be used."""
    token = await scene.accounts.create_token(scene.ann, " laptop ")
    assert await _owner_of(scene, token) == scene.ann
    kept = await scene.accounts.tokens(scene.ann)
    assert [(each.name, each.tail) for each in kept] == [("laptop", token[-4:])]
    assert token not in repr(scene.accounts.store)
    for wrong in ("", "cyd_", token[:-1], token + "x", token.upper(), "x" * 10_000):
        assert await _owner_of(scene, wrong) is None
    assert not await scene.accounts.revoke(scene.bob, kept[0].id)
    assert not await scene.accounts.revoke(scene.ann, "x")
    assert await scene.accounts.revoke(scene.ann, str(kept[0].id))
    assert await _owner_of(scene, token) is None


async def test_the_use_of_a_token_is_noted_once_an_hour(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Looking writes seldom; and where nothing can be written, whoever looks comes in all the same."""
    accounts, ann = scene.accounts, scene.ann
    token = await accounts.create_token(ann, "laptop")
    noted: list[datetime] = []
    keep = accounts.store.note_use

    async def counted(token_id: int, now: datetime) -> None:
        noted.append(now)
        await keep(token_id, now)

    # Patched, since what is counted are writes that the port does not tell of.
    monkeypatch.setattr(accounts.store, "note_use", counted)
    for minutes in (0, 1, 58, 2, 59, 1):
        scene.clock.moment += timedelta(minutes=minutes)
        assert await accounts.holder(token) is not None
    assert [moment - noted[0] for moment in noted] == [
        timedelta(0),
        timedelta(minutes=61),
        timedelta(minutes=121),
    ]

    async def full(token_id: int, now: datetime) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(accounts.store, "note_use", full)
    scene.clock.moment += timedelta(hours=2)
    assert await accounts.holder(token) is not None


async def test_passwords(scene: Scene) -> None:
    """Set, checked, replaced; an account without one cannot sign in by one."""
    assert await scene.accounts.verify_password("ann", "") is None
    await scene.accounts.set_password(scene.ann, "correct horse")
    assert await scene.accounts.verify_password("ANN", "correct horse") == scene.ann
    assert await scene.accounts.verify_password("ann", "correct hors") is None
    assert await scene.accounts.verify_password("nobody", "correct horse") is None
    for bad in ("short", "x" * 1025):
        with pytest.raises(InvalidError):
            await scene.accounts.set_password(scene.ann, bad)


async def test_guessing_is_braked_and_tells_nothing(scene: Scene) -> None:
    """Ten failures with a name refuse it, also with the right password, and whether or not there is such an account."""
    await scene.accounts.set_password(scene.ann, "correct horse")
    token = await scene.accounts.create_token(scene.ann, "t")
    said = set()
    for name in ("ann", "nobody"):
        for _ in range(OF_NAME - 1):
            scene.accounts.sign_ins.begin(Attempt(name, "", scene.elapsed.seconds))
        assert await scene.accounts.verify_password(name, "wrong") is None
        with pytest.raises(BusyError) as refused:
            await scene.accounts.verify_password(name.upper(), "correct horse", client="192.0.2.7")
        said.add((refused.value.message, refused.value.retry_after))
    assert said == {(refused.value.message, SECONDS)}
    assert "15 minutes" in refused.value.message
    assert await _owner_of(scene, token) == scene.ann
    scene.elapsed.seconds += SECONDS
    assert await scene.accounts.verify_password("ann", "correct horse") == scene.ann


async def test_an_address_is_braked_too(scene: Scene) -> None:
    """Passwords tried with many names from one address; another address is let in."""
    await scene.accounts.set_password(scene.ann, "correct horse")
    for number in range(OF_CLIENT):
        scene.accounts.sign_ins.begin(Attempt(f"n{number}", "192.0.2.7", scene.elapsed.seconds))
    with pytest.raises(BusyError):
        await scene.accounts.verify_password("ann", "correct horse", client="192.0.2.7")
    assert await scene.accounts.verify_password("ann", "correct horse", client="192.0.2.8") == scene.ann


async def test_right_passwords_are_not_counted(scene: Scene) -> None:
    """However many at once: a client that asks for several things at a time is no guesser."""
    await scene.accounts.set_password(scene.ann, "correct horse")
    accounts = replace(scene.accounts, sign_ins=SignIns(names=Guesses(limit=2)))
    found = await asyncio.gather(*(accounts.verify_password("ann", "correct horse") for _ in range(4)))
    assert found == [scene.ann] * 4


async def test_guesses_at_once_are_no_more_than_guesses_in_a_row(scene: Scene) -> None:
    """Those that wait in the line are refused when their turn comes."""
    accounts = replace(scene.accounts, sign_ins=SignIns(names=Guesses(limit=2)))
    tries = (accounts.verify_password("ann", "wrong") for _ in range(9))
    found = await asyncio.gather(*tries, return_exceptions=True)
    assert [type(each) for each in found] == [type(None)] * 2 + [BusyError] * 7


async def test_the_line_for_passwords_is_short(scene: Scene) -> None:
    """Whoever finds it full is told to come back, and that is no failure of theirs."""
    accounts = replace(scene.accounts, turns=Turns(line=1))
    first, second = await asyncio.gather(
        accounts.verify_password("ann", "wrong"),
        accounts.verify_password("bob", "wrong", client="192.0.2.7"),
        return_exceptions=True,
    )
    assert first is None
    assert isinstance(second, BusyError)
    assert second.retry_after == 2
    assert len(accounts.sign_ins.clients) == 0


async def test_whoever_hangs_up_has_guessed_all_the_same(scene: Scene) -> None:
    """A try counts from its beginning."""
    accounts = replace(scene.accounts, sign_ins=SignIns(names=Guesses(limit=1)))
    gone = asyncio.create_task(accounts.verify_password("ann", "wrong"))
    while not len(accounts.sign_ins.names):  # noqa: ASYNC110 - a few turns of the loop, no time
        await asyncio.sleep(0)
    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)
    with pytest.raises(BusyError):
        await accounts.verify_password("ann", "wrong")


async def test_a_login_link_is_used_once_within_an_hour(scene: Scene) -> None:
    """Then it is nobody's."""
    secret = await scene.accounts.create_login_link(scene.ann)
    late = await scene.accounts.create_login_link(scene.ann)
    assert await scene.accounts.use_login_link(secret) == scene.ann
    assert await scene.accounts.use_login_link(secret) is None
    scene.clock.moment += timedelta(hours=1)
    assert await scene.accounts.use_login_link(late) is None


async def test_names_are_taken_once(scene: Scene) -> None:
    """A second account or model of a name is a conflict."""
    with pytest.raises(ConflictError):
        await scene.accounts.create("ann", name="Ann again")
    await scene.models.create(scene.ann, "ann", "m", visibility="public")
    with pytest.raises(ConflictError):
        await scene.models.create(scene.ann, "ann", "m", visibility="public")
    assert scene.bob.name == "bob"


@pytest.mark.parametrize("visibility", list(Visibility))
@pytest.mark.parametrize("who", ["nobody", "other", "owner", "admin"])
def test_who_sees_and_who_changes(visibility: Visibility, who: str) -> None:
    """The whole table."""
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    model = Model(id=1, owner="ann", name="m", visibility=visibility, created_at=moment)
    callers = {
        "nobody": None,
        "other": Account(id=2, username="bob", name="", created_at=moment),
        "owner": Account(id=1, username="ANN", name="", created_at=moment),
        "admin": Account(id=3, username="root", name="", is_admin=True, created_at=moment),
    }
    trusted = who in {"owner", "admin"}
    assert policy.may_see(callers[who], model) is (trusted or visibility is Visibility.PUBLIC)
    assert policy.may_change(callers[who], model) is trusted
    assert policy.sees_all_of(callers[who], "ann") is trusted


async def test_a_push_makes_a_private_model_of_ones_own(scene: Scene) -> None:
    """Once; in another's namespace the refusal is the same whether the model is there or not."""
    made = await scene.models.ensure_for_push(scene.ann, "ann", "m")
    assert made.visibility is Visibility.PRIVATE
    assert await scene.models.ensure_for_push(scene.ann, "ann", "m") == made
    refusals = []
    for name in ("m", "absent"):
        with pytest.raises(ForbiddenError) as caught:
            await scene.models.ensure_for_push(scene.bob, "ann", name)
        refusals.append(caught.value.message)
    assert refusals[0] == refusals[1]
    with pytest.raises(InvalidError):
        await scene.models.ensure_for_push(scene.ann, "ann", "No Good")


async def test_a_push_makes_a_model_of_the_first_kind_of_machine(scene: Scene) -> None:
    """Where the operator's list has no `cpu`, a model that says nothing gets the list's first."""
    offered = (Hardware(sku="gpu-l4", name="L4"), Hardware(sku="small", name="Small"))
    models = replace(scene.models, hardware=HardwareList(offered=offered))
    assert (await models.ensure_for_push(scene.ann, "ann", "pushed")).hardware == "gpu-l4"
    made = await models.create(scene.ann, "ann", "made", visibility="private")
    assert made.hardware == "gpu-l4"


async def test_what_a_version_may_be_called_by(scene: Scene) -> None:
    """Its id, owner/name:id, or owner/name; to those who may see the model."""
    model = await scene.models.ensure_for_push(scene.ann, "ann", "m")
    made = await scene.versions.add(
        model, digest="sha256:" + "a" * 64, labels={}, openapi_schema={}, cog_version="", size=0
    )
    for reference in (made.id, f"ann/m:{made.id}", "ann/m"):
        assert await scene.versions.resolve(scene.ann, reference) == made
        with pytest.raises(NoVersionError):
            await scene.versions.resolve(scene.bob, reference)
    for wrong in (
        "",
        "x",
        "ann/m:",
        "ann/m:latest",
        "ann",
        "ann/none",
        "a" * 63,
        "../../x",
        "ann/m:" + "b" * 64,
    ):
        with pytest.raises(NoVersionError):
            await scene.versions.resolve(scene.ann, wrong)


async def test_a_deleted_model_is_gone_with_its_versions(scene: Scene) -> None:
    """Or stays, when only an empty one was to go."""
    model = await scene.models.ensure_for_push(scene.ann, "ann", "m")
    await scene.versions.add(
        model, digest="sha256:" + "a" * 64, labels={}, openapi_schema={}, cog_version="", size=0
    )
    with pytest.raises(ConflictError):
        await scene.models.delete(scene.ann, "ann", "m", only_empty=True)
    with pytest.raises(NotFoundError):
        await scene.models.delete(scene.bob, "ann", "m")
    await scene.models.delete(scene.ann, "ann", "m")
    with pytest.raises(NotFoundError):
        await scene.models.get(scene.ann, "ann", "m")
    assert (await scene.models.by_owner(scene.ann, "ann", Window(limit=9))).items == ()
