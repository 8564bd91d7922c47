"""The names under which the page answers, by the address on which it listens."""

import ipaddress
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

# All addresses of a machine.
_WILDCARDS = ("0.0.0.0", "::", "")  # noqa: S104  compared, and not listened on


@dataclass(frozen=True, slots=True)
class KnownHosts:
    """The names in a Host header that are this server's.

    Another name may be one that an attacker's name server leads to this machine. An address cannot
    be, so every address is accepted where the page listens on all of them.
    """

    names: frozenset[str]
    """In lower case."""
    accepts_addresses: bool

    def knows(self, host: str) -> bool:
        """Return whether a Host header, or the host of an Origin, names this server."""
        name = _host_name(host)
        return name in self.names or (self.accepts_addresses and _is_address(name))


def known_hosts(host: str, more: tuple[str, ...] = ()) -> KnownHosts:
    """Return the names of a server that listens on `host`; `more` are those of the settings."""
    names = {"localhost", "127.0.0.1", "::1", host, *more}
    if host in _WILDCARDS:
        names |= {socket.gethostname(), socket.getfqdn()}
    return KnownHosts(frozenset(map(str.lower, names)) - {""}, host in _WILDCARDS)


def url_of(host: str, port: int) -> str:
    """Return the address that people can open; a wildcard is none."""
    name = socket.gethostname() if host in _WILDCARDS else host
    return f"http://[{name}]:{port}" if ":" in name else f"http://{name}:{port}"


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _host_name(host: str) -> str:
    """Return the name in a Host header, without its port; empty if it is malformed."""
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""
