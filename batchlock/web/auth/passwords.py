"""Who someone is: passwords, sessions, and patience with whoever guesses."""

import base64
import hashlib
import hmac
import secrets
from collections import OrderedDict
from collections.abc import Callable, Iterable

SHORTEST = 10
"""Characters of a password."""
_COST = {"n": 2**15, "r": 8, "p": 1}
_MEMORY = 128 * _COST["n"] * _COST["r"] * 2
_FREE = 5
"""Wrong passwords that cost nothing."""
_LONGEST_WAIT = 900.0
_REMEMBERED = 10_000


def hashed(password: str) -> str:
    """Return what is kept of a password: `scrypt$n$r$p$salt$hash`, the last two in Base64."""
    salt = secrets.token_bytes(16)
    parts = (_COST["n"], _COST["r"], _COST["p"], _text(salt), _text(_scrypt(password, salt, _COST)))
    return "$".join(map(str, ("scrypt", *parts)))


def matches(password: str, kept: str | None) -> bool:
    """Tell whether a password is the one that was kept; for nobody (None) it takes as long."""
    _, n, r, p, salt, wanted = (kept or _NOBODY).split("$")
    cost = {"n": int(n), "r": int(r), "p": int(p)}
    found = _scrypt(password, base64.b64decode(salt), cost)
    return hmac.compare_digest(found, base64.b64decode(wanted)) and kept is not None


def new_cookie() -> str:
    """Return what a browser shows to be known again."""
    return secrets.token_urlsafe(32)


def key_of(cookie: str) -> str:
    """Return what is kept of a cookie, from which it cannot be had back."""
    return hashlib.sha256(_bytes(cookie)).hexdigest()


def csrf_of(cookie: str) -> str:
    """Return what a page of ours shows with every change, and another's page cannot know."""
    return hmac.new(_bytes(cookie), b"csrf", hashlib.sha256).hexdigest()


class LoginThrottle:
    """Makes whoever guesses wait: per address and per name, twice as long each time.

    `clock` gives seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._wrong: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def wait(self, whom: Iterable[str]) -> float:
        """Return for how many seconds none of these may try again."""
        now = self._clock()
        return max((self._wrong.get(one, (0, 0.0))[1] - now for one in whom), default=0.0)

    def wrong(self, whom: Iterable[str]) -> None:
        """Take in a wrong password."""
        now = self._clock()
        for one in whom:
            count = self._wrong.pop(one, (0, 0.0))[0] + 1
            pause = 0.0 if count < _FREE else min(2.0 ** (count - _FREE), _LONGEST_WAIT)
            self._wrong[one] = (count, now + pause)
            while len(self._wrong) > _REMEMBERED:
                self._wrong.popitem(last=False)

    def right(self, whom: Iterable[str]) -> None:
        """Take in the right password."""
        for one in whom:
            self._wrong.pop(one, None)


def _scrypt(password: str, salt: bytes, cost: dict[str, int]) -> bytes:
    return hashlib.scrypt(
        _bytes(password), salt=salt, n=cost["n"], r=cost["r"], p=cost["p"], maxmem=_MEMORY
    )


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode()


_NOBODY = f"scrypt${_COST['n']}${_COST['r']}${_COST['p']}${_text(bytes(16))}${_text(bytes(64))}"
