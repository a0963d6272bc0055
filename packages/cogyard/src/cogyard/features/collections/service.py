"""Collections: the platform's own, which the operator makes and everybody sees, and those of accounts."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from cogyard.domain.names import MODEL_NAME_LIMIT, model_name_problem
from cogyard.domain.paging import Slice, Window
from cogyard.domain.roles import Role
from cogyard.domain.search import words_of
from cogyard.domain.values import Account, Model
from cogyard.features.collections.ports import Collection, Store
from cogyard.features.models import policy
from cogyard.features.models.service import Models
from cogyard.features.world import World
from cogyard.http.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError

#: Of one collection; the hosted service answers with all of them at once.
MODELS_LIMIT = 500
TEXT_LIMITS = {"name": 100, "description": 500, "full_description": 200_000}
#: Collections that a search looks at; an operator keeps a few dozen.
SEARCHED = 1000


@dataclass(frozen=True, kw_only=True)
class Collections:
    """A private model in a collection is seen by whoever may see it, and by nobody else.

    An account's collection is seen by its people, and by whoever may see a model in it: names alone tell nothing.
    """

    store: Store
    models: Models
    world: World = field(default_factory=World)

    async def list(
        self, caller: Account | None, window: Window, *, owner: str | None = None
    ) -> Slice[Collection]:
        """Return the platform's collections, or those of an account that the caller may see, by slug."""
        found = await self.store.list(window, owner=owner)
        if owner is None or policy.sees_all_of(caller, owner):
            return found
        seen = [each for each in found.items if await self._visible(caller, each)]
        return replace(found, items=tuple(seen))

    async def get(self, caller: Account | None, slug: str) -> tuple[Collection, tuple[Model, ...]]:
        """Return a collection and those of its models that the caller may see. Raises NotFoundError."""
        found = await self._found(slug)
        visible = await self._visible(caller, found)
        if not visible and found.owner is not None and not policy.sees_all_of(caller, found.owner):
            raise NotFoundError
        return found, visible

    def may_edit(self, caller: Account | None, owner: str | None) -> bool:
        """Whether the caller may make and change collections of an account, or the platform's own."""
        if caller is None or owner is None:
            return caller is not None and caller.is_admin
        return policy.reaches(caller, owner, Role.WRITER)

    async def search(
        self, caller: Account | None, query: str, *, limit: int
    ) -> tuple[tuple[Collection, tuple[Model, ...]], ...]:
        """Return collections that have every word in their name or description."""
        words = words_of(query)
        listed = (await self.store.list(Window(limit=SEARCHED))).items if words else ()
        fitting = [each for each in listed if _has(each, words)][:limit]
        return tuple([await self.get(caller, each.slug) for each in fitting])

    async def put(self, caller: Account, collection: Collection) -> Collection:
        """Make a collection, or change it. Without an owner it is the platform's, or the acting organization's.

        Raises ForbiddenError, InvalidError, ConflictError.
        """
        slug = collection.slug
        before = await self.store.get(slug) if len(slug) <= MODEL_NAME_LIMIT else None
        if before is not None and before.owner is None and not self.may_edit(caller, None):
            raise ForbiddenError(_OPERATORS)
        owner = collection.owner
        if owner is None and before is not None and self.may_edit(caller, before.owner):
            owner = before.owner
        elif owner is None and caller.type == "organization":
            owner = caller.username
        if not self.may_edit(caller, owner):
            raise ForbiddenError(_OPERATORS if owner is None else policy.why_not(caller, owner, Role.WRITER))
        account = await self.models.accounts.by_username(owner) if owner is not None else None
        if owner is not None and account is None:
            raise InvalidError(f"There is no account {owner[:40]}.", problems=[("owner", "no such account")])
        collection = replace(collection, owner=None if account is None else account.username)
        _refuse(collection, fresh=before is None or before.owner != collection.owner)
        if not await self.store.put(collection, self.world.now()):
            raise ConflictError(f"There is a collection {slug} already, of another owner.")
        return collection

    async def delete(self, caller: Account, slug: str) -> None:
        """Delete a collection; its models stay. Raises ForbiddenError, NotFoundError."""
        if not await self.store.delete((await self._changeable(caller, slug)).slug):
            raise NotFoundError

    async def add_model(self, caller: Account, slug: str, owner: str, name: str) -> None:
        """Put a model into a collection. Raises ForbiddenError, NotFoundError, InvalidError."""
        collection = await self._changeable(caller, slug)
        model = await self.models.get(caller, owner, name)
        if len(await self.store.models(slug, MODELS_LIMIT)) >= MODELS_LIMIT:
            raise InvalidError(f"A collection holds at most {MODELS_LIMIT} models.")
        await self.store.add_model(collection.slug, model.id)

    async def remove_model(self, caller: Account, slug: str, owner: str, name: str) -> None:
        """Take a model out of a collection. Raises ForbiddenError, NotFoundError."""
        collection = await self._changeable(caller, slug)
        model = await self.models.get(caller, owner, name)
        if not await self.store.remove_model(collection.slug, model.id):
            raise NotFoundError

    async def _visible(self, caller: Account | None, collection: Collection) -> tuple[Model, ...]:
        models = await self.store.models(collection.slug, MODELS_LIMIT)
        return tuple(model for model in models if policy.may_see(caller, model))

    async def _changeable(self, caller: Account, slug: str) -> Collection:
        """Return a collection that the caller may change; others hear the same whether or not it is there."""
        found = await self.store.get(slug) if len(slug) <= MODEL_NAME_LIMIT else None
        if not self.may_edit(caller, None if found is None else found.owner):
            raise ForbiddenError(_OPERATORS)
        if found is None:
            raise NotFoundError
        return found

    async def _found(self, slug: str) -> Collection:
        found = await self.store.get(slug) if len(slug) <= MODEL_NAME_LIMIT else None
        if found is None:
            raise NotFoundError
        return found


_OPERATORS = (
    "Only an administrator changes the platform's collections, and only its writers an account's;"
    " name yourself or your organization as the owner of a new one."
)


def _refuse(collection: Collection, *, fresh: bool) -> None:
    slug, owner = collection.slug, collection.owner
    problems = [("slug", problem)] if (problem := model_name_problem(slug)) is not None else []
    if owner is not None and not slug.lower().startswith(f"{owner.lower()}."):
        problems.append(("slug", f"A collection of {owner} begins with {owner}., such as {owner}.favorites."))
    elif owner is not None and fresh and "." in slug[len(owner) + 1 :]:
        # Names have dots: of `ann.b.x` the owner must be `ann.b` alone, or one would learn what the other has hidden.
        # One that was made before this rule is still changed by its owner.
        what = f"After {owner}. there is no further dot: what stands before the last one is the owner's name."
        problems.append(("slug", what))
    if not collection.name.strip():
        problems.append(("name", "A name is needed."))
    for name, most in TEXT_LIMITS.items():
        if len(getattr(collection, name) or "") > most:
            problems.append((name, f"At most {most} characters are allowed."))
    if problems:
        raise InvalidError("\n".join(f"- {where}: {what}" for where, what in problems), problems=problems)


def _has(collection: Collection, words: tuple[str, ...]) -> bool:
    text = f"{collection.slug} {collection.name} {collection.description}".lower()
    return all(word in text for word in words)
