"""Models: who may make, see, change and delete them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from cogyard.domain.names import model_name_problem
from cogyard.domain.paging import Slice, Window
from cogyard.domain.roles import Role
from cogyard.domain.search import words_of
from cogyard.domain.values import Account, Model, Visibility
from cogyard.features.accounts.ports import AccountStore
from cogyard.features.hardware.service import HardwareList
from cogyard.features.models import policy
from cogyard.features.models.ports import (
    DeploymentsLeftError,
    ModelExistsError,
    ModelStore,
    NewModel,
    Order,
    Repositories,
    VersionsLeftError,
)
from cogyard.features.world import World
from cogyard.http.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError

SEARCH_LIMIT = 25
TEXT_LIMITS: Mapping[str, int] = {"description": 500, "readme": 200_000}
URL_LIMIT = 2_000


class Kept:
    """What `update` leaves as it is."""


KEPT = Kept()


@dataclass(frozen=True, kw_only=True)
class Models:
    """Answers for a model that the caller may not see exactly as for one that does not exist."""

    store: ModelStore
    accounts: AccountStore
    hardware: HardwareList
    repositories: Repositories | None = None
    world: World = field(default_factory=World)

    async def create(
        self,
        caller: Account,
        owner: str,
        name: str,
        *,
        visibility: Visibility | str,
        hardware: str | None = None,
        **texts: str | None,
    ) -> Model:
        """Make a model. `texts` are its description and addresses; without `hardware` it gets the operator's first.

        Raises ForbiddenError, InvalidError, ConflictError.
        """
        if not policy.may_create(caller, owner):
            raise ForbiddenError(policy.why_not(caller, owner, Role.WRITER))
        own = owner.lower() == caller.username.lower()
        account = caller if own else await self.accounts.by_username(owner)
        if account is None:
            raise NotFoundError(f"There is no account {owner}.")
        hardware = self.hardware.default if hardware is None else hardware
        problems = [("name", problem)] if (problem := model_name_problem(name)) is not None else []
        problems += self._problems({"visibility": str(visibility), "hardware": hardware, **texts})
        _refuse(problems)
        new = NewModel(
            owner_id=account.id,
            name=name,
            visibility=Visibility(visibility),
            hardware=hardware,
            created_at=self.world.now(),
            **{key: value or None for key, value in texts.items()},
        )
        try:
            return await self.store.add(new)
        except ModelExistsError as error:
            raise ConflictError(f"A model named {account.username}/{name} already exists.") from error

    async def get(self, caller: Account | None, owner: str, name: str) -> Model:
        """Return a model. Raises NotFoundError, also for one that the caller may not see."""
        # Who may not see private ones does not have them read: how long that takes would tell that there is one.
        model = await self.store.get(owner, name, private_too=policy.sees_all_of(caller, owner))
        if model is None or not policy.may_see(caller, model):
            raise NotFoundError
        return model

    async def list(
        self,
        caller: Account | None,
        window: Window,
        *,
        order: Order = Order.LATEST_VERSION,
        ascending: bool = False,
    ) -> Slice[Model]:
        """Return public models that can be run; the same for every caller."""
        del caller
        return await self.store.public(window, order=order, ascending=ascending)

    async def by_owner(self, caller: Account | None, owner: str, window: Window) -> Slice[Model]:
        """Return those of an owner's models that the caller may see, newest first."""
        return await self.store.by_owner(owner, window, private_too=policy.sees_all_of(caller, owner))

    async def search(self, caller: Account | None, query: str, *, limit: int = SEARCH_LIMIT) -> Slice[Model]:
        """Return models that have every word of the query: public ones, the caller's own, and its organizations'."""
        words = words_of(query)
        if not words:
            return Slice(items=())
        viewers = () if caller is None else caller.reached
        return Slice(items=await self.store.search(words, viewers=viewers, limit=limit))

    async def update(
        self, caller: Account, owner: str, name: str, **changes: str | Visibility | Kept | None
    ) -> Model:
        """Change a model's texts, addresses, hardware or visibility; what is KEPT or not given stays.

        Raises NotFoundError, ForbiddenError, InvalidError.
        """
        model = await self._changeable(caller, owner, name)
        given = {key: value for key, value in changes.items() if not isinstance(value, Kept)}
        texts = {key: None if value is None else str(value) for key, value in given.items()}
        _refuse(self._problems(texts))
        if texts.get("visibility", model.visibility) != model.visibility:
            _require_governing(caller, model, "say who sees it")
        required = {"visibility", "hardware"}
        wanted = {key: value if key in required else value or None for key, value in texts.items()}
        updated = await self.store.update(model.id, wanted)
        if updated is None:
            raise NotFoundError
        return updated

    async def delete(self, caller: Account, owner: str, name: str, *, only_empty: bool = False) -> None:
        """Delete a model, its versions and its images. Its predictions stay with whoever made them.

        `only_empty` refuses one that still has versions. Raises NotFoundError, ForbiddenError, ConflictError.
        """
        model = await self._changeable(caller, owner, name)
        _require_governing(caller, model, "delete it")
        try:
            if not await self.store.delete(model.id, with_versions=not only_empty):
                raise NotFoundError
        except VersionsLeftError as error:
            raise ConflictError(f"{model.path} still has versions; delete them first.") from error
        except DeploymentsLeftError as error:
            raise ConflictError(f"Deployments still run {model.path}; delete them first.") from error
        if self.repositories is not None:
            await self.repositories.drop(model.path)

    async def ensure_for_push(self, caller: Account, owner: str, name: str) -> Model:
        """Return the model that is pushed to, making it (private) when there is none.

        Raises ForbiddenError for other people's namespaces, whether or not there is such a model; InvalidError.
        """
        if not policy.may_create(caller, owner):
            raise ForbiddenError(policy.why_not(caller, owner, Role.WRITER))
        if (model := await self.store.get(owner, name)) is not None:
            return model
        try:
            return await self.create(caller, owner, name, visibility=Visibility.PRIVATE)
        except ConflictError:
            # Two first pushes at once: the other made it.
            return await self.get(caller, owner, name)

    async def _changeable(self, caller: Account, owner: str, name: str) -> Model:
        model = await self.get(caller, owner, name)
        if not policy.may_change(caller, model):
            raise ForbiddenError(
                f"Only who owns {model.path}, or is a writer where it belongs, may change it."
            )
        return model

    def _problems(self, texts: Mapping[str, str | None]) -> Sequence[tuple[str, str]]:
        problems = []
        for key, text in texts.items():
            value = text or ""
            if key == "visibility" and value not in {"public", "private"}:
                problems.append((key, f"The visibility must be public or private, not {value[:40]!r}."))
            elif key == "hardware" and not self.hardware.knows(value):
                problems.append((key, f"There is no hardware {value[:40]!r}; there is {self.hardware.skus}."))
            elif key in TEXT_LIMITS and len(value) > TEXT_LIMITS[key]:
                problems.append(
                    (key, f"This has {len(value)} characters; at most {TEXT_LIMITS[key]} are allowed.")
                )
            elif key.endswith("_url") and value and not _is_address(value):
                problems.append((key, "This must be an http(s) address of at most 2,000 characters."))
        return problems


def _require_governing(caller: Account, model: Model, what: str) -> None:
    if not policy.may_govern(caller, model):
        raise ForbiddenError(
            f"As a {caller.role_in(model.owner)} of {model.owner} you may not {what}; an admin may."
        )


def _refuse(problems: Sequence[tuple[str, str]]) -> None:
    if problems:
        raise InvalidError("\n".join(f"- {field}: {what}" for field, what in problems), problems=problems)


def _is_address(text: str) -> bool:
    # An address is shown as a link: javascript: and data: would run in the reader's page.
    if len(text) > URL_LIMIT or any(ord(char) <= 0x20 for char in text):
        return False
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.netloc)
