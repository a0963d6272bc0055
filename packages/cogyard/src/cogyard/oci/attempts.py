"""Try again what failed in passing, say why we wait, and put the last failure into words."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from cogyard.oci import retry
from cogyard.oci.authorization import is_loopback
from cogyard.oci.errors import OciError, RegistryFailedError, RegistryUnreachableError
from cogyard.oci.reference import DEFAULT_HOST

T = TypeVar("T")

#: Commands show its warnings on stderr, above a moving line; a platform writes them to its log.
_log = logging.getLogger("cogyard.network")


class PassingError(Exception):
    """This attempt failed in a way the next may not."""

    def __init__(self, reason: str, retry_after: str | None = None) -> None:
        """`retry_after` is what the registry asked for, in seconds."""
        super().__init__(reason)
        self.retry_after = retry_after


class UnreachableError(PassingError):
    """No connection was made at all."""

    def __init__(self, reason: str, *, untrusted: bool) -> None:
        """`untrusted` says that it is the certificate."""
        super().__init__(reason)
        self.untrusted = untrusted


class UnauthorizedError(PassingError):
    """The registry asked who we are: nothing failed."""


class Attempts:
    """The attempts at one registry, by all who talk to it at the same time."""

    def __init__(self, host: str, sleep: Callable[[float], Awaitable[None]]) -> None:
        """`host` is HOST[:PORT], as the user wrote it."""
        self._host = host
        self._sleep = sleep
        self._pausing = 0
        #: Whether the registry has answered anything; the client says so.
        self.answered = False

    async def run(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """Run until an attempt does not fail in passing. Raises RegistryUnreachableError, RegistryFailedError."""
        count = 0
        while True:
            count += 1
            try:
                return await attempt()
            except PassingError as error:
                wait = self._pause(error, count)
                if wait is None:
                    raise self._final(error) from None
                self._tell(error, wait)
                self._pausing += 1
                try:
                    await self._sleep(wait)
                finally:
                    self._pausing -= 1

    def _pause(self, error: PassingError, count: int) -> float | None:
        import random

        if isinstance(error, UnreachableError) and (error.untrusted or (count >= 2 and not self.answered)):
            # A certificate stays what it is, and a host that cannot be connected to twice is not there; but one that
            # has answered is being started again.
            return None
        jitter = random.random()  # noqa: S311 - spreads clients, protects nothing
        return retry.pause(count, jitter=jitter, retry_after=error.retry_after)

    def _tell(self, error: PassingError, wait: float) -> None:
        """Say that we wait, and why; once for all that wait at the same time."""
        if self._pausing or isinstance(error, UnauthorizedError):
            return
        what = "cannot be reached" if isinstance(error, UnreachableError) else "failed"
        _log.warning("The registry %s %s: %s. Trying again in %.1f s.", self._host, what, error, wait)

    def _final(self, error: PassingError) -> OciError:
        if not isinstance(error, UnreachableError):
            message = f"the registry {self._host} failed {retry.ATTEMPTS} times: {error}"
            return RegistryFailedError(message, hint="Try again later.")
        if error.untrusted:
            hint = "A CA of your own is trusted when SSL_CERT_FILE names a file with its certificate."
            return RegistryUnreachableError(f"the registry {self._host} is not trusted: {error}", hint=hint)
        if self.answered:
            hint = "It answered before. Run the same again later: what it has by then is not sent again."
            message = f"the registry {self._host} can no longer be reached: {error}"
            return RegistryUnreachableError(message, hint=hint)
        hint = "Is the name right, and is the registry running?"
        if self._host == DEFAULT_HOST:
            hint += (
                " A name without a host is one of docker.io's; for another registry write HOST/OWNER/NAME."
            )
        elif not is_loopback(self._host):
            hint += f" One that speaks http needs COGYARD_INSECURE_REGISTRIES={self._host}"
        return RegistryUnreachableError(f"the registry {self._host} cannot be reached: {error}", hint=hint)
