"""The open connections of the page: how many there may be, and which one gives way to a new one.

A connection that only waits for its browser costs a file descriptor and helps nobody, so it is
closed when a new one needs its place. A new one is refused only where all others are at work.
"""

import logging
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Protocol

from batchlock.config.settings import WebSettings
from batchlock.web.auth.throttle import network_of

_log = logging.getLogger(__name__)

# One in so many descriptors may be a connection. The rest is for the store, the files of uploads,
# and the pipes of child processes.
_DESCRIPTORS_PER_CONNECTION = 2
# A flood of connections must not fill the log.
_LOG_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionLimits:
    """What the clients of the page may use."""

    header_seconds: float
    """How long a request may take until its header is complete."""
    transfer_seconds: float
    """How long a body or an answer may stand still."""
    idle_seconds: float
    """How long a connection may stay open between two requests."""
    max_connections: int
    max_per_address: int
    """The most connections of one address; those of a proxy have no such limit."""
    proxies: Collection[str]

    @classmethod
    def of(cls, web: WebSettings) -> "ConnectionLimits":
        """Return the limits of the settings, with no more connections than there is room for."""
        available = _max_descriptors() // _DESCRIPTORS_PER_CONNECTION
        return cls(
            header_seconds=web.header_timeout,
            transfer_seconds=web.transfer_timeout,
            idle_seconds=web.idle_timeout,
            max_connections=max(1, min(web.max_connections, available)),
            max_per_address=web.max_connections_per_address,
            proxies=web.trusted_proxy,
        )


class Connection(Protocol):
    """A connection of a browser."""

    @property
    def waits_since(self) -> float | None:
        """When bytes were last transferred, in seconds of a monotonic clock.

        None while the client waits for the server.
        """

    def abort(self) -> None:
        """Close it at once."""


class OpenConnections:
    """The connections of one server. `clock` is monotonic."""

    def __init__(
        self, limits: ConnectionLimits, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.limits = limits
        self._clock = clock
        self._networks: dict[Connection, str] = {}
        self._of_network: defaultdict[str, set[Connection]] = defaultdict(set)
        self._logged_at = -_LOG_SECONDS

    def admit(self, connection: Connection, address: str) -> bool:
        """Add a connection of an address; return whether there is room for it.

        Where there is none, the connection is closed that has waited longest for its client: among
        those of the address, or among all.
        """
        network = network_of(address)
        if address not in self.limits.proxies:
            own = self._of_network[network]
            if len(own) >= self.limits.max_per_address and not self._make_room(own, address):
                return False
        if len(self._networks) >= self.limits.max_connections and not self._make_room(
            self._networks, address
        ):
            return False
        self._networks[connection] = network
        self._of_network[network].add(connection)
        return True

    def remove(self, connection: Connection) -> None:
        """Forget a connection that is closed; nothing happens if it was not admitted."""
        network = self._networks.pop(connection, None)
        if network is not None:
            self._of_network[network].discard(connection)
            if not self._of_network[network]:
                del self._of_network[network]

    def _make_room(self, connections: Iterable[Connection], address: str) -> bool:
        """Close one of some connections; return whether one could be closed."""
        waiting = [(since, one) for one in connections if (since := one.waits_since) is not None]
        if waiting:
            _, longest = min(waiting, key=lambda pair: pair[0])
            self.remove(longest)
            longest.abort()
        if (now := self._clock()) - self._logged_at >= _LOG_SECONDS:
            self._logged_at = now
            what = "one that waited is closed" if waiting else "a new one is refused"
            _log.warning("%d connections are open; %s (%s)", len(self._networks), what, address)
        return bool(waiting)


def _max_descriptors() -> int:
    """Return how many files and connections this process may have open."""
    if sys.platform == "win32":
        return sys.maxsize  # memory bounds them there
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return sys.maxsize if soft == resource.RLIM_INFINITY else soft
