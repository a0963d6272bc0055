"""Signing in and out, and tokens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

from starlette.requests import Request

from cogyard.domain.scopes import Scope
from cogyard.domain.values import Account
from cogyard.features.accounts import passwords
from cogyard.features.accounts.routes import MAX_LIFE
from cogyard.features.page import Page, Redirect, local_path, read_form, reason_of, services_of
from cogyard.http import SESSION_KEY, caller_of, require_account
from cogyard.http.clients import client_of
from cogyard.http.concerns import concerns
from cogyard.http.errors import ApiError, BusyError, InvalidError

#: In days, what the form offers.
LIVES = ((1, "1 day"), (7, "7 days"), (30, "30 days"), (90, "90 days"), (365, "1 year"))
MAX_DAYS = MAX_LIFE // 86400


async def sign_in(request: Request) -> Page | Redirect:
    """Ask for a name and a password."""
    wanted = local_path(request.query_params.get("next"))
    if caller_of(request).account is not None:
        return Redirect(to=wanted)
    return _door(wanted)


async def try_password(request: Request) -> Page | Redirect:
    """Sign in by name and password."""
    form = await read_form(request)
    username, wanted = form.get("username", "").strip(), local_path(form.get("next"))
    try:
        account = await services_of(request).accounts.verify_password(
            username, form.get("password", ""), client=client_of(request)
        )
    except BusyError as error:
        page = _door(wanted, username=username, problem=error.message)
        return replace(page, status=error.http_status, headers=error.headers)
    concerns(request, username)
    if account is None:
        return _door(wanted, username=username, problem="The user name or the password is wrong.")
    await _begin_session(request, account)
    return Redirect(to=wanted)


async def open_link(request: Request) -> Page:
    """Ask for a password on the way in by a one-time link, of whoever can still use it.

    Only the form uses the link up: mail scanners and previews open links too.
    """
    account = await services_of(request).accounts.account_of_login_link(request.path_params["secret"])
    return replace(_used_up(), status=404) if account is None else _link_page(account)


async def use_link(request: Request) -> Page | Redirect:
    """Sign in by a one-time link, and set the password that was chosen."""
    form, secret = await read_form(request), request.path_params["secret"]
    accounts = services_of(request).accounts
    account = await accounts.account_of_login_link(secret)
    if account is None:
        return _used_up()
    password = "" if form.get("skip") else form.get("password", "")
    if not form.get("skip") and not passwords.MIN_LENGTH <= len(password) <= passwords.MAX_LENGTH:
        return _link_page(
            account,
            f"A password has {passwords.MIN_LENGTH} to {passwords.MAX_LENGTH} characters; this has {len(password)}.",
        )
    account = await accounts.use_login_link(secret)
    if account is None:  # somebody else was faster
        return _used_up()
    if password:
        await accounts.set_password(account, password)
    await _begin_session(request, account)
    return Redirect(to="/")


async def ask_to_sign_out(request: Request) -> Page | Redirect:
    """Offer to sign out, for whoever typed the address: only a form may do it."""
    if caller_of(request).account is None:
        return Redirect(to="/")
    return Page(template="signout.html", title="Sign out")


async def sign_out(request: Request) -> Redirect:
    """End the session, for every copy of its cookie."""
    await _end_session(request)
    return Redirect(to="/")


async def tokens(request: Request) -> Page:
    """List the caller's tokens."""
    return await _tokens_page(request, require_account(request))


async def create_token(request: Request) -> Page:
    """Make a token and show it this once."""
    account, form = require_account(request), await read_form(request)
    name, accounts = form.get("name", "").strip(), services_of(request).accounts
    concerns(request, name)
    try:
        scope, days = _scope(form.get("scope", "")), _days(form.get("expires", ""))
        expires_at = None if days is None else accounts.world.now() + timedelta(days=days)
        fresh = await accounts.create_token(account, name, scope=scope, expires_at=expires_at)
    except ApiError as error:
        page = await _tokens_page(request, account, problem=reason_of(error), values=form)
        return replace(page, status=error.http_status)
    return await _tokens_page(request, account, fresh=fresh)


async def revoke_token(request: Request) -> Redirect:
    """End a token of the caller's."""
    account = require_account(request)
    await services_of(request).accounts.revoke(account, request.path_params["id"])
    return Redirect(to="/account/api-tokens")


async def ask_for_login_token(request: Request) -> Page:
    """Offer a token for `cog login`; a GET makes none, since anyone can make a browser ask."""
    require_account(request)
    return Page(template="auth_token.html", title="Command line", values={"fresh": "", "name": ""})


async def login_token(request: Request) -> Page:
    """Make a token for `cog login` and show it this once."""
    account = require_account(request)
    name = f"cog login, {datetime.now(UTC):%Y-%m-%d %H:%M}"
    concerns(request, name)
    fresh = await services_of(request).accounts.create_token(account, name)
    return Page(template="auth_token.html", title="Command line", values={"fresh": fresh, "name": name})


async def _tokens_page(
    request: Request,
    account: Account,
    *,
    fresh: str = "",
    problem: str = "",
    values: Mapping[str, str] = MappingProxyType({}),
) -> Page:
    found = await services_of(request).accounts.tokens(account)
    shown = {
        "tokens": found,
        "fresh": fresh,
        "problem": problem,
        "suggested": values.get("name", request.query_params.get("new-token-name", ""))[:100],
        "scope": values.get("scope", Scope.WRITE.value),
        "expires": values.get("expires", ""),
        "lives": LIVES,
    }
    return Page(template="tokens.html", title="API tokens", values=shown)


def _scope(text: str) -> Scope:
    if not text:
        return Scope.WRITE
    if text not in set(Scope):
        what = f"There is no scope {text[:40]!r}; there is {', '.join(Scope)}."
        raise InvalidError(what, problems=[("scope", what)])
    return Scope(text)


def _days(text: str) -> int | None:
    if not text:
        return None
    days = int(text) if text.isascii() and text.isdigit() and len(text) <= 6 else 0
    if not 1 <= days <= MAX_DAYS:
        what = f"A token lives from 1 to {MAX_DAYS} days, or until it is revoked; not {text[:20]!r}."
        raise InvalidError(what, problems=[("expires", what)])
    return days


def _door(wanted: str, *, username: str = "", problem: str = "") -> Page:
    values = {"next": wanted, "username": username, "problem": problem}
    return Page(template="signin.html", title="Sign in", values=values, status=422 if problem else 200)


def _used_up() -> Page:
    return _door("/", problem="This link has been used or is older than an hour. Ask for a new one.")


def _link_page(account: Account, problem: str = "") -> Page:
    values = {"username": account.username, "problem": problem, "shortest": passwords.MIN_LENGTH}
    return Page(template="signin_link.html", title="Welcome", values=values, status=422 if problem else 200)


async def _begin_session(request: Request, account: Account) -> None:
    await _end_session(request)
    concerns(request, account.username, actor=account)
    request.session[SESSION_KEY] = await services_of(request).accounts.begin_session(account)


async def _end_session(request: Request) -> None:
    secret = request.session.get(SESSION_KEY)
    request.session.clear()
    if isinstance(secret, str):
        await services_of(request).accounts.end_session(secret)
