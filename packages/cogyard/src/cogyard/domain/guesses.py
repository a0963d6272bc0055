"""How often a password may be guessed: a pure policy. Moments are seconds of any clock that nobody sets.

Theory of operation: an attempt is counted when it begins and taken back when the password was right, so that one whose
sender hangs up in the middle counts too. What is refused is not counted: a brake ends by itself, also when somebody
goes on trying. Names count whether or not there is such an account, so that a refusal tells nothing. A right password
does not clear the count, or an account that signs in often would lend its name to guessers.
"""

from __future__ import annotations

from dataclasses import dataclass, field

SECONDS = 15 * 60.0
#: Failures within that time: with one name from anywhere, and from one address with any name. Many may share one.
OF_NAME, OF_CLIENT = 10, 30
#: Names, and addresses, that are remembered. To push one out somebody must fail this often, which takes minutes.
REMEMBERED = 10_000


@dataclass(kw_only=True)
class Guesses:
    """Counts attempts by key, at most `limit` in any `seconds`; forgets the key that was tried the longest ago."""

    limit: int
    seconds: float = SECONDS
    remembered: int = REMEMBERED
    _made: dict[str, tuple[float, ...]] = field(default_factory=dict)

    def __len__(self) -> int:
        """Return how many keys are remembered."""
        return len(self._made)

    def wait(self, key: str, now: float) -> float:
        """Return in how many seconds the key may be tried again; 0 when it may be tried now."""
        recent = self._recent(key, now)
        return 0.0 if len(recent) < self.limit else recent[-self.limit] + self.seconds - now

    def count(self, key: str, now: float) -> None:
        """Count an attempt."""
        recent = self._recent(key, now)
        self._made.pop(key, None)
        if len(self._made) >= self.remembered:
            self._made.pop(next(iter(self._made)))
        # Put at the end: the first is the one that was not tried the longest.
        self._made[key] = (*recent, now)[-self.limit :]

    def take_back(self, key: str, moment: float) -> None:
        """Count the attempt of that moment no more."""
        made = list(self._made.get(key, ()))
        if moment in made:
            made.remove(moment)
        if made:
            self._made[key] = tuple(made)
        else:
            self._made.pop(key, None)

    def _recent(self, key: str, now: float) -> tuple[float, ...]:
        return tuple(moment for moment in self._made.get(key, ()) if moment > now - self.seconds)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try of a password. An unknown address is empty, and is not counted."""

    name: str
    client: str
    moment: float


@dataclass(frozen=True, kw_only=True, slots=True)
class SignIns:
    """Counts tries of passwords by account name and by client address."""

    names: Guesses = field(default_factory=lambda: Guesses(limit=OF_NAME))
    clients: Guesses = field(default_factory=lambda: Guesses(limit=OF_CLIENT))

    def wait(self, attempt: Attempt) -> float:
        """Return in how many seconds this may be tried; 0 when now."""
        return max(counts.wait(key, attempt.moment) for counts, key in self._counted(attempt))

    def begin(self, attempt: Attempt) -> None:
        """Count a try as failed."""
        for counts, key in self._counted(attempt):
            counts.count(key, attempt.moment)

    def take_back(self, attempt: Attempt) -> None:
        """Say that the try did not fail."""
        for counts, key in self._counted(attempt):
            counts.take_back(key, attempt.moment)

    def _counted(self, attempt: Attempt) -> tuple[tuple[Guesses, str], ...]:
        name = (self.names, attempt.name.lower())
        return (name, (self.clients, attempt.client)) if attempt.client else (name,)
