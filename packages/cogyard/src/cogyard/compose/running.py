"""`cogyard up` without its words: hold the folder, open the door, open the platform, serve, close."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime

import uvloop

from cogyard.compose.administration import sign_in_address
from cogyard.compose.datadir import DataDir, Hold
from cogyard.compose.listening import address_of, inside_address_of, listen
from cogyard.compose.platform import Platform
from cogyard.compose.serving import Signals, serve
from cogyard.compose.settings import Settings
from cogyard.compose.welcome import Welcome, admit

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
    #: Called once nothing stands in the way: the folder and the port are ours.
    taken: Callable[[], None] = lambda: None
    #: Called once requests are answered.
    ready: Callable[[Welcome], None] = lambda _welcome: None
    #: Called at the first signal, with how many predictions run.
    stopping: Callable[[int], None] = lambda _running: None


def run(settings: Settings, start: Start) -> bool:
    """Run a platform until a signal; return False when a second one cut its draining short.

    Raises DataDirError, PlatformRunningError, ListenError and the store's errors.
    """
    sys.setswitchinterval(_SWITCH)
    folder = DataDir(settings.data_dir).make()
    hold = Hold.take(folder)
    try:
        if orphans := hold.clean():
            _log.warning("orphans_ended", extra={"processes": orphans})
        with (
            closing(listen(settings.host, settings.port)) as door,
            asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
        ):
            start.taken()
            return runner.run(_main(settings, start, hold, door))
    finally:
        hold.release()


async def _main(settings: Settings, start: Start, hold: Hold, door: socket.socket) -> bool:
    signals = Signals()
    with signals.caught():
        platform = Platform.open(settings, hold.folder, base=inside_address_of(door))
        try:
            welcome = await _welcome(platform, settings, start, address_of(door, settings.host))
            hold.describe(_holder(welcome))
            return await serve(
                platform,
                door,
                signals,
                drain_timeout=settings.drain_timeout,
                access_log=settings.access_log,
                started=lambda: start.ready(welcome),
                stopping=lambda: start.stopping(platform.running),
            )
        finally:
            await platform.close()


async def _welcome(platform: Platform, settings: Settings, start: Start, address: str) -> Welcome:
    account, first_start, told = await admit(
        platform.services.accounts, named=start.administrator, print_token=start.print_token
    )
    public_address = settings.public_url or address
    return Welcome(
        address=address,
        public_address=public_address,
        administrator=account.username if account is not None else None,
        first_start=first_start,
        token=told[0] if told else None,
        link=sign_in_address(public_address, told[1]) if told else None,
        recovered=await platform.begin(),
    )


def _holder(welcome: Welcome) -> dict[str, object]:
    return {
        "pid": os.getpid(),
        "address": welcome.address,
        "public_address": welcome.public_address,
        "administrator": welcome.administrator,
        "started_at": datetime.now(UTC).isoformat(),
    }
