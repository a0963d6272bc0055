"""The organizations API. Whoever asks does so as a person: whom a request acts for changes nothing here."""

from __future__ import annotations

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from cogyard.domain.roles import Role
from cogyard.features.organizations.wire import belonging_json, member_json, organization_json
from cogyard.features.page import services_of
from cogyard.http.bodies import read_json
from cogyard.http.caller import require_person
from cogyard.http.concerns import concerns
from cogyard.http.endpoints import Access, Endpoint, Handler, reply

BODY_LIMIT = 10_000


class NewOrganization(msgspec.Struct):
    """The body of organizations.create; without a name to show it is the username."""

    username: str
    name: str = ""


class OrganizationChanges(msgspec.Struct):
    """The body of organizations.update."""

    name: str


class AskedRole(msgspec.Struct):
    """The body of organizations.members.put."""

    role: Role


async def listing(request: Request) -> Response:
    """List where the caller is a member or invited, by name."""
    found = await services_of(request).organizations.mine(require_person(request))
    return reply({"next": None, "previous": None, "results": [belonging_json(each) for each in found]})


async def create(request: Request) -> Response:
    """Make an organization that the caller owns."""
    body = await read_json(request, NewOrganization, limit=BODY_LIMIT)
    concerns(request, body.username)
    made = await services_of(request).organizations.create(
        require_person(request), body.username, name=body.name
    )
    return reply(organization_json(made, made.role), 201)


async def get(request: Request) -> Response:
    """Return an organization of the caller's."""
    found = await services_of(request).organizations.get(require_person(request), _name(request))
    return reply(organization_json(found, found.role))


async def update(request: Request) -> Response:
    """Change the name that is shown."""
    body = await read_json(request, OrganizationChanges, limit=BODY_LIMIT)
    found = await services_of(request).organizations.rename(
        require_person(request), _name(request), body.name
    )
    return reply(organization_json(found, found.role))


async def delete(request: Request) -> Response:
    """Delete an organization that owns no models or deployments, with its predictions and files."""
    await services_of(request).organizations.delete(require_person(request), _name(request))
    return Response(status_code=204)


async def join(request: Request) -> Response:
    """Accept an invitation."""
    found = await services_of(request).organizations.join(require_person(request), _name(request))
    return reply(organization_json(found, found.role))


async def members(request: Request) -> Response:
    """List members and who is invited, by name."""
    found = await services_of(request).organizations.members(require_person(request), _name(request))
    return reply({"next": None, "previous": None, "results": [member_json(each) for each in found]})


async def put_member(request: Request) -> Response:
    """Invite somebody, or change what a member may do."""
    body, username = await read_json(request, AskedRole, limit=BODY_LIMIT), request.path_params["username"]
    concerns(request, f"{_name(request)}/{username}: {body.role}")
    found = await services_of(request).organizations.put_member(
        require_person(request), _name(request), username, body.role
    )
    return reply(member_json(found))


async def remove_member(request: Request) -> Response:
    """Remove a member at once, leave, or end an invitation."""
    await services_of(request).organizations.remove_member(
        require_person(request), _name(request), request.path_params["username"]
    )
    return Response(status_code=204)


def _name(request: Request) -> str:
    name: str = request.path_params["organization"]
    return name


_ONE = "/organizations/{organization}"


def _endpoint(method: str, path: str, handler: Handler, operation: str) -> Endpoint:
    # The role is the service's matter: it is about the organization in the address, not the one one acts for.
    return Endpoint(
        method=method,
        path=path,
        handler=handler,
        access=Access.ACCOUNT,
        operation=f"organizations.{operation}",
        role=Role.READER,
    )


ENDPOINTS = (
    _endpoint("GET", "/organizations", listing, "list"),
    _endpoint("POST", "/organizations", create, "create"),
    _endpoint("GET", _ONE, get, "get"),
    _endpoint("PATCH", _ONE, update, "update"),
    _endpoint("DELETE", _ONE, delete, "delete"),
    _endpoint("POST", f"{_ONE}/join", join, "join"),
    _endpoint("GET", f"{_ONE}/members", members, "members.list"),
    _endpoint("PUT", f"{_ONE}/members/{{username}}", put_member, "members.put"),
    _endpoint("DELETE", f"{_ONE}/members/{{username}}", remove_member, "members.remove"),
)
