"""The door: a listening socket, taken before anything else so that a port in use is known at once."""

from __future__ import annotations

import errno
import ipaddress
import socket

from cogyard.errors import CogyardError

_BACKLOG = 2048


class ListenError(CogyardError):
    """The address can't be listened on."""

    code = "cannot_listen"


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens there. Raises ListenError saying what stands in the way."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (socket.gaierror, UnicodeError) as error:
        raise ListenError(
            f"{host!r} is not an address of this machine.",
            hint="--host 127.0.0.1 is reachable from here alone.",
        ) from error
    family, kind, protocol, _, address = found[0]
    door = socket.socket(family, kind, protocol)
    try:
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        door.bind(address)
        door.listen(_BACKLOG)
    except OSError as error:
        door.close()
        raise _refusal(error, host, port) from error
    door.setblocking(False)
    return door


def address_of(door: socket.socket, host: str, *, scheme: str = "http") -> str:
    """Return the address that people on this machine open, such as `http://localhost:8000`."""
    if _is_address(host):
        return scheme + inside_address_of(door).removeprefix("http")
    return f"{scheme}://{host}:{door.getsockname()[1]}"


def inside_address_of(door: socket.socket) -> str:
    """Return the numeric address at which processes of this machine reach the socket."""
    bound, port = door.getsockname()[:2]
    if ipaddress.ip_address(bound).is_unspecified:
        bound = "127.0.0.1" if door.family == socket.AF_INET else "::1"
    return f"http://[{bound}]:{port}" if ":" in bound else f"http://{bound}:{port}"


def _refusal(error: OSError, host: str, port: int) -> ListenError:
    if error.errno == errno.EADDRINUSE:
        return ListenError(
            f"Port {port} of {host} is in use.",
            hint=f"Take another one: --port {port + 1 if port < 65535 else 0}",
        )
    if error.errno == errno.EACCES:
        return ListenError(
            f"Port {port} may be used by the system's administrator only.", hint="Take one from 1024 on."
        )
    if error.errno == errno.EADDRNOTAVAIL:
        return ListenError(f"{host} is not an address of this machine.")
    return ListenError(f"{host}:{port} cannot be listened on: {error.strerror}.")


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
