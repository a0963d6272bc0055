"""What an operator does at the data folder itself, with the platform running or stopped."""

from __future__ import annotations

import asyncio
import getpass
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from cogyard.compose.datadir import DataDir, DataDirError, read_holder
from cogyard.compose.upgrade import open_beside
from cogyard.domain.names import username_problem
from cogyard.domain.values import Account
from cogyard.errors import CogyardError
from cogyard.features.accounts.service import Accounts
from cogyard.features.audit.service import Audit
from cogyard.features.organizations.service import Organizations
from cogyard.store.accounts import SqlAccounts
from cogyard.store.audit import SqlAudit
from cogyard.store.organizations import SqlOrganizations

#: Where a platform is that has never said its address.
_DEFAULT_ADDRESS = "http://127.0.0.1:8000"


class NeverStartedError(DataDirError):
    """There is no platform in this folder yet."""

    code = "never_started"

    def __init__(self, folder: DataDir) -> None:
        """Name the folder that was looked at."""
        super().__init__(
            f"There is no platform in {folder.root}.",
            hint="Start one with `cogyard up`, or name its folder with --data-dir.",
        )


@contextmanager
def accounts_in(folder: DataDir) -> Iterator[Accounts]:
    """Open the accounts of a data folder. Raises NeverStartedError and the store's errors."""
    if not folder.exists():
        raise NeverStartedError(folder)
    with open_beside(folder) as database:
        yield Accounts(store=SqlAccounts(database))


@contextmanager
def organizations_in(folder: DataDir) -> Iterator[Organizations]:
    """Open the organizations of a data folder. Raises NeverStartedError and the store's errors."""
    if not folder.exists():
        raise NeverStartedError(folder)
    with open_beside(folder) as database:
        accounts = SqlAccounts(database)
        yield Organizations(store=SqlOrganizations(database), accounts=accounts, closing=accounts)


def operator() -> Account:
    """Return whoever sits at the data folder, who may do all: no account of the platform."""
    return Account(id=0, username="", name="", is_admin=True, created_at=datetime.now(UTC))


@contextmanager
def audit_in(folder: DataDir) -> Iterator[Audit]:
    """Open the audit log of a data folder. Raises NeverStartedError and the store's errors."""
    if not folder.exists():
        raise NeverStartedError(folder)
    with open_beside(folder) as database:
        yield Audit(store=SqlAudit(database), keep=timedelta(days=36500))


def record(folder: DataDir, action: str, subject: str = "") -> None:
    """Note what a command did, under the name of the system's user."""
    with audit_in(folder) as audit:
        asyncio.run(audit.note(actor=system_user(), via="command", action=action, subject=subject))


@contextmanager
def noting(
    folder: DataDir, action: str, subject: str, *, refusal: type[CogyardError], warn: Callable[[str], None]
) -> Iterator[None]:
    """Note what a command does once it has done it, or that it broke off; a `refusal` has done nothing.

    What only reads the database also works beside a platform of an older release, or on one that is full or damaged,
    where nothing can be noted: that is a warning, for what was done is done.
    """
    outcome = f"{action}.broken_off"
    try:
        yield
        outcome = action
    except refusal:
        outcome = ""
        raise
    finally:
        if outcome:
            try:
                record(folder, outcome, subject)
            except CogyardError as error:
                warn(f"this is not in the audit log: {error.message}")


def address_of(folder: DataDir) -> str:
    """Return where people reach the platform of a folder: as it last said, whether or not it runs now."""
    said = read_holder(folder).get("public_address")
    return said if isinstance(said, str) else _DEFAULT_ADDRESS


def administrator_of(folder: DataDir) -> str:
    """Return the administrator who started the platform of a folder last."""
    said = read_holder(folder).get("administrator")
    return said if isinstance(said, str) else default_administrator()


def sign_in_address(base: str, secret: str) -> str:
    """Return the one-time link of a secret."""
    return f"{base}/signin/link/{secret}"


def system_user() -> str:
    """Return the name of the user of this system that the process belongs to."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # A process whose user has no name.
        return str(os.getuid())


def default_administrator() -> str:
    """Return the system user's name as an account's name, or `owner` where that can't be one."""
    user = system_user()
    cleaned = re.sub(r"[^a-z0-9]+", "-", user.lower()).strip("-")
    return "owner" if username_problem(cleaned) else cleaned
