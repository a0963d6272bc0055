"""Collections: everybody sees them, with the models that they may see; the operator makes them."""

from __future__ import annotations

from dataclasses import dataclass, field

from cogyard.domain.names import MODEL_NAME_LIMIT, model_name_problem
from cogyard.domain.paging import Slice, Window
from cogyard.domain.search import words_of
from cogyard.domain.values import Account, Model
from cogyard.features.collections.ports import Collection, Store
from cogyard.features.models import policy
from cogyard.features.models.service import Models
from cogyard.features.world import World
from cogyard.http.errors import ForbiddenError, InvalidError, NotFoundError

#: Of one collection; the hosted service answers with all of them at once.
MODELS_LIMIT = 500
TEXT_LIMITS = {"name": 100, "description": 500, "full_description": 200_000}
#: Collections that a search looks at; an operator keeps a few dozen.
SEARCHED = 1000


@dataclass(frozen=True, kw_only=True)
class Collections:
    """A private model in a collection is seen by whoever may see it, and by nobody else."""

    store: Store
    models: Models
    world: World = field(default_factory=World)

    async def list(self, window: Window) -> Slice[Collection]:
        """Return collections by slug."""
        return await self.store.list(window)

    async def get(self, caller: Account | None, slug: str) -> tuple[Collection, tuple[Model, ...]]:
        """Return a collection and those of its models that the caller may see. Raises NotFoundError."""
        found = await self._found(slug)
        models = await self.store.models(found.slug, MODELS_LIMIT)
        return found, tuple(model for model in models if policy.may_see(caller, model))

    async def search(
        self, caller: Account | None, query: str, *, limit: int
    ) -> tuple[tuple[Collection, tuple[Model, ...]], ...]:
        """Return collections that have every word in their name or description."""
        words = words_of(query)
        listed = (await self.store.list(Window(limit=SEARCHED))).items if words else ()
        fitting = [each for each in listed if _has(each, words)][:limit]
        return tuple([await self.get(caller, each.slug) for each in fitting])

    async def put(self, caller: Account, collection: Collection) -> Collection:
        """Make a collection, or change it. Raises ForbiddenError, InvalidError."""
        _require_operator(caller)
        slug = collection.slug
        problems = [("slug", problem)] if (problem := model_name_problem(slug)) is not None else []
        if not collection.name.strip():
            problems.append(("name", "A name is needed."))
        for name, most in TEXT_LIMITS.items():
            if len(getattr(collection, name) or "") > most:
                problems.append((name, f"At most {most} characters are allowed."))
        if problems:
            raise InvalidError("\n".join(f"- {where}: {what}" for where, what in problems), problems=problems)
        await self.store.put(collection, self.world.now())
        return collection

    async def delete(self, caller: Account, slug: str) -> None:
        """Delete a collection; its models stay. Raises ForbiddenError, NotFoundError."""
        _require_operator(caller)
        if not await self.store.delete((await self._found(slug)).slug):
            raise NotFoundError

    async def add_model(self, caller: Account, slug: str, owner: str, name: str) -> None:
        """Put a model into a collection. Raises ForbiddenError, NotFoundError, InvalidError."""
        _require_operator(caller)
        collection = await self._found(slug)
        model = await self.models.get(caller, owner, name)
        if len(await self.store.models(slug, MODELS_LIMIT)) >= MODELS_LIMIT:
            raise InvalidError(f"A collection holds at most {MODELS_LIMIT} models.")
        await self.store.add_model(collection.slug, model.id)

    async def remove_model(self, caller: Account, slug: str, owner: str, name: str) -> None:
        """Take a model out of a collection. Raises ForbiddenError, NotFoundError."""
        _require_operator(caller)
        collection = await self._found(slug)
        model = await self.models.get(caller, owner, name)
        if not await self.store.remove_model(collection.slug, model.id):
            raise NotFoundError

    async def _found(self, slug: str) -> Collection:
        found = await self.store.get(slug) if len(slug) <= MODEL_NAME_LIMIT else None
        if found is None:
            raise NotFoundError
        return found


def _require_operator(caller: Account) -> None:
    if not caller.is_admin:
        raise ForbiddenError("Only an administrator of this platform may change collections.")


def _has(collection: Collection, words: tuple[str, ...]) -> bool:
    text = f"{collection.slug} {collection.name} {collection.description}".lower()
    return all(word in text for word in words)
