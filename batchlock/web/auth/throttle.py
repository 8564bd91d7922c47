"""The delay for whoever enters wrong passwords."""

from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import NamedTuple

# A person mistypes a few times; only then does a wrong password cost time.
_FREE_ATTEMPTS = 5
# 15 minutes: a guesser gets about 100 attempts a day, and a person is not locked out for long.
_MAX_WAIT_SECONDS = 900.0
# Bounds the memory, whatever names and addresses are tried.
_MAX_KEYS = 10_000


class _Failures(NamedTuple):
    attempts: int
    locked_until: float
    """On the throttle's clock."""


_NO_FAILURES = _Failures(0, 0.0)


class LoginThrottle:
    """Delays sign-in attempts per key, twice as long after each wrong password.

    A key is a name or an address. `clock` returns seconds and is monotonic.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._failures: OrderedDict[str, _Failures] = OrderedDict()

    def wait_seconds(self, keys: Iterable[str]) -> float:
        """Return how long none of these keys may try again; 0 or less means now."""
        now = self._clock()
        return max(
            (self._failures.get(key, _NO_FAILURES).locked_until - now for key in keys), default=0.0
        )

    def record_failure(self, keys: Iterable[str]) -> None:
        """Count a wrong password for each key."""
        now = self._clock()
        for key in keys:
            attempts = self._failures.pop(key, _NO_FAILURES).attempts + 1
            wait = 2.0 ** (attempts - _FREE_ATTEMPTS) if attempts >= _FREE_ATTEMPTS else 0.0
            self._failures[key] = _Failures(attempts, now + min(wait, _MAX_WAIT_SECONDS))
            while len(self._failures) > _MAX_KEYS:
                self._failures.popitem(last=False)

    def record_success(self, keys: Iterable[str]) -> None:
        """Forget the wrong passwords of each key."""
        for key in keys:
            self._failures.pop(key, None)
