"""The delay for whoever enters wrong passwords.

It holds for an address, and for a name from one address. It never holds for a name alone: whoever
knows a name could keep its owner out, from anywhere and for as long as they like.
"""

import ipaddress
import math
from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple

# A person mistypes a few times; only then does a wrong password cost time.
_FREE_OF_A_NAME = 5
# The people of one office often share an address.
_FREE_OF_AN_ADDRESS = 20
# 15 minutes: a guesser gets about 100 attempts a day, and a person is not locked out for long.
_MAX_WAIT_SECONDS = 900.0
# Half of the wrong passwords are forgotten after this time. With much less, whoever waits a little
# after each attempt would never reach the longest wait.
_HALF_LIFE_SECONDS = 6 * 3600.0
# Bounds the memory, whatever names and addresses are tried.
_MAX_KEYS = 10_000
# The usual size of a network that one customer of a provider has in IPv6.
_IPV6_NETWORK_BITS = 64


class _Key(NamedTuple):
    network: str
    name: str
    """Folded; empty for all names of the network."""

    @property
    def free_attempts(self) -> int:
        return _FREE_OF_A_NAME if self.name else _FREE_OF_AN_ADDRESS


class _Failures(NamedTuple):
    attempts: float
    """As of `at`; less with each moment since then."""
    at: float
    """On the throttle's clock."""
    locked_until: float
    """On the throttle's clock."""


_NO_FAILURES = _Failures(0.0, 0.0, 0.0)


class LoginThrottle:
    """Delays sign-in attempts, twice as long after each wrong password.

    `clock` returns seconds and is monotonic.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._failures: OrderedDict[_Key, _Failures] = OrderedDict()

    def wait_seconds(self, name: str, address: str) -> float:
        """Return how long this name may not try again from this address; 0 or less means now."""
        now = self._clock()
        return max(
            self._failures.get(key, _NO_FAILURES).locked_until - now for key in _keys(name, address)
        )

    def record_failure(self, name: str, address: str) -> None:
        """Count a wrong password."""
        now = self._clock()
        for key in _keys(name, address):
            attempts = _remaining(self._failures.pop(key, _NO_FAILURES), now) + 1
            wait = 2.0 ** (attempts - key.free_attempts) if attempts >= key.free_attempts else 0.0
            self._failures[key] = _Failures(attempts, now, now + min(wait, _MAX_WAIT_SECONDS))
            while len(self._failures) > _MAX_KEYS:
                self._failures.popitem(last=False)

    def record_success(self, name: str, address: str) -> None:
        """Forget the wrong passwords of a name from an address, and count one less of the address.

        The others of the address stay: one of them may belong to somebody with an own password.
        """
        now = self._clock()
        of_name, of_address = _keys(name, address)
        self._failures.pop(of_name, None)
        attempts = _remaining(self._failures.pop(of_address, _NO_FAILURES), now) - 1
        if attempts > 0:
            self._failures[of_address] = _Failures(attempts, now, now)


def network_of(address: str) -> str:
    """Return what counts as one address: with IPv6, the network of a customer of a provider."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:  # the peer of a socket that has no address
        return address
    if ip.version == 4:
        return str(ip)
    if (ipv4 := ip.ipv4_mapped) is not None:
        return str(ipv4)
    network = ipaddress.ip_network((ip.packed, _IPV6_NETWORK_BITS), strict=False)
    return str(network)


def _keys(name: str, address: str) -> tuple[_Key, _Key]:
    network = network_of(address)
    return _Key(network, f"name {name}"), _Key(network, "")


def _remaining(failures: _Failures, now: float) -> float:
    return failures.attempts * math.exp2((failures.at - now) / _HALF_LIFE_SECONDS)
