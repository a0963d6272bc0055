"""What accounts and models may be called: names that fit an address, a repository and a page's path alike."""

from __future__ import annotations

import re

# The registry's rule for one part of a repository's name: lower case, and separators only inside.
_PART = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*")
USERNAME_LIMIT = 39
MODEL_NAME_LIMIT = 64

# First parts of our own addresses; an account of that name would have no page.
RESERVED = frozenset(
    {
        *(
            "about",
            "account",
            "accounts",
            "admin",
            "api",
            "apps",
            "assets",
            "auth",
            "blog",
            "changelog",
            "cog",
        ),
        *("collections", "create", "dashboard", "delivery", "deployments", "docs", "enterprise", "explore"),
        *(
            "favicon.ico",
            "files",
            "hardware",
            "healthz",
            "help",
            "home",
            "internal",
            "invites",
            "library",
            "login",
        ),
        *(
            "logout",
            "metrics",
            "models",
            "new",
            "openapi.json",
            "organizations",
            "p",
            "playground",
            "predictions",
        ),
        *(
            "pricing",
            "privacy",
            "registry",
            "robots.txt",
            "search",
            "settings",
            "signin",
            "signout",
            "signup",
        ),
        *("static", "status", "support", "terms", "trainings", "v1", "v2", "webhooks"),
    }
)


def username_problem(name: str) -> str | None:
    """Say what is wrong with a name for an account; None when it is good."""
    if name in RESERVED:
        return f"The name {name!r} is one of the platform's own addresses."
    return _problem(name, USERNAME_LIMIT)


def model_name_problem(name: str) -> str | None:
    """Say what is wrong with a name for a model; None when it is good."""
    return _problem(name, MODEL_NAME_LIMIT)


def _problem(name: str, limit: int) -> str | None:
    if not name:
        return "A name is needed."
    if len(name) > limit:
        return f"The name has {len(name)} characters; at most {limit} are allowed."
    if _PART.fullmatch(name) is None:
        return (
            f"The name {name!r} does not fit: use lower-case letters and digits, "
            "with single dots, underscores or hyphens between them."
        )
    return None


def split_model(path: str) -> tuple[str, str] | None:
    """Return (owner, name) of `owner/name`, or None when it is not that."""
    owner, slash, name = path.partition("/")
    if not slash or _problem(owner, USERNAME_LIMIT) or _problem(name, MODEL_NAME_LIMIT):
        return None
    return owner, name
