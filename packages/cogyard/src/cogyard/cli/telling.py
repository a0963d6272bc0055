"""What `cogyard up` tells on stderr: prose for a person, or, where logs are JSON, events like all others."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from cogyard.cli.console import BOLD, Console
from cogyard.errors import CogyardError

if TYPE_CHECKING:
    from cogyard.compose.settings import Settings
    from cogyard.compose.welcome import Welcome
    from cogyard.domain.retry import Recovery

_log = logging.getLogger("cogyard.platform")


class Telling(Protocol):
    """Says how a platform's life goes."""

    def doubt(self, line: str) -> None:
        """Tell of something that was probably meant otherwise."""
        ...

    def ready(self, welcome: Welcome) -> None:
        """Tell where it is, and at the first start how to get in."""
        ...

    def stopping(self, running: int) -> None:
        """Tell what is waited for."""
        ...

    def stopped(self) -> None:
        """Tell that it is over."""
        ...


def telling(settings: Settings) -> Telling:
    """Return what fits the settings' logs."""
    return Events(settings) if settings.log_format == "json" else Prose(settings, Console())


@dataclass(frozen=True, slots=True)
class Prose:
    """For a person at a terminal."""

    settings: Settings
    console: Console

    def doubt(self, line: str) -> None:
        """Warn."""
        self.console.warn(line)

    def ready(self, welcome: Welcome) -> None:
        """Greet."""
        say = self.console.say
        self.console.done(f"Cogyard is running at {self.console.paint(welcome.public_address, BOLD)}")
        if welcome.first_start:
            say(f"\nThe administrator {welcome.administrator} was made.")
        if welcome.link:
            say(f"  Sign in, once, within an hour:  {welcome.link}")
        if welcome.token:
            say(f"  API token, shown only now:      {welcome.token}")
        if welcome.first_start:
            say(f"  Everything is kept in:          {self.settings.data_dir.resolve()}")
        say(f"\n{_how_models_run(welcome)}")
        for line in _of_the_last_time(welcome.recovered):
            say(line)
        say("\nCtrl-C stops it.\n")

    def stopping(self, running: int) -> None:
        """Say how many predictions are waited for."""
        self.console.say()
        if running:
            self.console.say(
                f"Waiting for {running} running prediction{'s' * (running > 1)}; Ctrl-C again stops at once."
            )

    def stopped(self) -> None:
        """Say so."""
        self.console.say("Stopped.")


@dataclass(frozen=True, slots=True)
class Events:
    """For what collects logs: nothing but JSON may be on stderr then, and no token, unless it was asked for."""

    settings: Settings

    def doubt(self, line: str) -> None:
        """Log it."""
        _log.warning("setting_doubtful", extra={"reason": line})

    def ready(self, welcome: Welcome) -> None:
        """Log where it is; at the first start a link that is good once, within an hour."""
        if welcome.first_start or welcome.link:
            way_in = {
                "administrator": welcome.administrator,
                "link": welcome.link,
                "api_token": welcome.token,
                "first_start": welcome.first_start,
            }
            _log.info("way_in", extra=way_in)
        fields = {
            "address": welcome.public_address,
            "data_dir": str(self.settings.data_dir),
            "runtime": welcome.runtime,
            "isolated": welcome.isolated,
            "recovered": welcome.recovered.again,
            "interrupted": welcome.recovered.failed,
        }
        _log.info("platform_started", extra=fields)
        if not welcome.isolated:
            _log.warning("models_not_isolated", extra={"reason": _how_models_run(welcome)})

    def stopping(self, running: int) -> None:
        """Log it."""
        _log.info("platform_stopping", extra={"running": running})

    def stopped(self) -> None:
        """Log it."""
        _log.info("platform_stopped")

    def failed(self, error: CogyardError) -> None:
        """Log what ended it."""
        _log.critical(
            "platform_failed", extra={"code": error.code, "reason": error.message, "hint": error.hint}
        )


def _of_the_last_time(recovered: Recovery) -> Iterator[str]:
    """Say what became of what the platform held when it last ended; nothing when it held nothing."""
    if recovered.again:
        yield f"Predictions of the last time that will run: {recovered.again}."
    if recovered.failed:
        yield (
            f"Predictions that failed because they were interrupted: {recovered.failed}"
            " (a model runs one again only where its author has declared that harmless: @cog.idempotent)."
        )


def _how_models_run(welcome: Welcome) -> str:
    if welcome.isolated:
        return f"Models run isolated ({welcome.runtime})."
    better = [f"{name}: {reason}" for name, reason in welcome.passed_over.items()]
    why = f" An isolated runtime is not to be had here ({'; '.join(better)})." if better else ""
    return f"Models run as your own user, not isolated: host only models that you trust.{why}"
