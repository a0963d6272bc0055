"""`cogyard up` without its words: hold the folder, open the door, open the platform, serve, close."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

import uvloop

from cogyard.compose.administration import sign_in_address, system_user
from cogyard.compose.background import Background, every
from cogyard.compose.datadir import DataDir, Hold
from cogyard.compose.listening import address_of, inside_address_of, listen
from cogyard.compose.platform import Platform
from cogyard.compose.serving import Door, Signals, serve
from cogyard.compose.settings import Settings
from cogyard.compose.tls import LOOK, Certificate
from cogyard.compose.welcome import Welcome, admit, noted

#: A database thread that has an answer waits this long, in seconds, for a busy event loop to let it speak; Python's
#: own 5 ms, several times for each prediction, would be most of its latency under load.
_SWITCH = 0.0005

_log = logging.getLogger("cogyard.platform")


@dataclass(frozen=True, kw_only=True, slots=True)
class Start:
    """What is wished of a start, and who is told how it goes."""

    #: The administrator's name; made at the first start.
    administrator: str | None = None
    #: Make a new token and link although it is not the first start.
    print_token: bool = False
    #: Make a token at the first start, which is told; without it a link alone.
    first_token: bool = True
    #: Called once nothing stands in the way: the folder and the port are ours.
    taken: Callable[[], None] = lambda: None
    #: Called once requests are answered.
    ready: Callable[[Welcome], None] = lambda _welcome: None
    #: Called at the first signal, with how many predictions run.
    stopping: Callable[[int], None] = lambda _running: None


@dataclass(frozen=True, kw_only=True, slots=True)
class _Open:
    """The doors of a start. `inner` is where model servers reach the platform; without TLS it is the door itself."""

    door: Door
    inner: Door
    certificate: Certificate | None = None

    @property
    def all(self) -> tuple[Door, ...]:
        return (self.door,) if self.certificate is None else (self.door, self.inner)


def run(settings: Settings, start: Start) -> bool:
    """Run a platform until a signal; return False when a second one cut its draining short.

    Raises DataDirError, PlatformRunningError, ListenError, CertificateError and the store's errors.
    """
    sys.setswitchinterval(_SWITCH)
    folder = DataDir(settings.data_dir).make()
    hold = Hold.take(folder)
    try:
        if orphans := hold.clean():
            _log.warning("orphans_ended", extra={"processes": orphans})
        with (
            ExitStack() as stack,
            asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
        ):
            doors = _doors(settings, stack)
            start.taken()
            return runner.run(_main(settings, start, hold, doors))
    finally:
        hold.release()


def _doors(settings: Settings, stack: ExitStack) -> _Open:
    certificate = None
    if settings.tls_cert is not None and settings.tls_key is not None:
        certificate = Certificate.read(settings.tls_cert, settings.tls_key)
    outer = stack.enter_context(closing(listen(settings.host, settings.port)))
    if certificate is None:
        return _Open(door=Door(outer), inner=Door(outer))
    # The certificate names the platform as people know it: processes of this machine come in by a door of their own.
    inner = stack.enter_context(closing(listen("127.0.0.1", 0)))
    return _Open(door=Door(outer, certificate.context), inner=Door(inner), certificate=certificate)


async def _main(settings: Settings, start: Start, hold: Hold, doors: _Open) -> bool:
    signals, background = Signals(), Background()
    scheme = "https" if doors.certificate is not None else "http"
    with signals.caught():
        platform = Platform.open(settings, hold.folder, base=inside_address_of(doors.inner.socket))
        try:
            address = address_of(doors.door.socket, settings.host, scheme=scheme)
            welcome = await _welcome(platform, settings, start, address)
            hold.describe(_holder(welcome))
            if doors.certificate is not None:
                renewing = partial(asyncio.to_thread, doors.certificate.refresh)
                background.begin("certificate", partial(every, LOOK, renewing))
            return await serve(
                platform,
                doors.all,
                signals,
                drain_timeout=settings.drain_timeout,
                access_log=settings.access_log,
                started=lambda: start.ready(welcome),
                stopping=lambda: start.stopping(platform.running),
            )
        finally:
            await background.stop()
            await platform.close()


async def _welcome(platform: Platform, settings: Settings, start: Start, address: str) -> Welcome:
    account, first_start, told = await admit(
        platform.services.accounts,
        named=start.administrator,
        print_token=start.print_token,
        first_token=start.first_token,
    )
    if account is not None and told is not None and (audit := platform.services.audit) is not None:
        for action, subject in noted(account, first_start=first_start, token=told[0] is not None).items():
            await audit.note(actor=system_user(), via="command", action=action, subject=subject)
    public_address = settings.public_url or address
    return Welcome(
        address=address,
        public_address=public_address,
        administrator=account.username if account is not None else None,
        first_start=first_start,
        token=told[0] if told else None,
        link=sign_in_address(public_address, told[1]) if told else None,
        recovered=await platform.begin(),
        runtime=platform.runtime.name,
        isolated=platform.runtime.runtime.isolated,
        passed_over=platform.runtime.passed_over,
    )


def _holder(welcome: Welcome) -> dict[str, object]:
    return {
        "runtime": welcome.runtime,
        "pid": os.getpid(),
        "address": welcome.address,
        "public_address": welcome.public_address,
        "administrator": welcome.administrator,
        "started_at": datetime.now(UTC).isoformat(),
    }
