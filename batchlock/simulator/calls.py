"""One API call, as the parts of the simulator see it."""

from collections.abc import Mapping
from dataclasses import dataclass

from batchlock.simulator.call_log import Kind

_LOCKING = "Locking_Information__s"
_KINDS = {"coql": Kind.COQL, "__composite_requests": Kind.COMPOSITE}
# Names of modules begin with a capital; everything else at that place of the path does not.
_NO_MODULES = ("org", "users", "settings")
MOST_HEAVY_CALLS = 10
"""Heavy calls in flight at once, in every edition, from Zoho's page on API limits."""
COMPOSITE_PLACES = 5
"""Calls in flight that a composite call counts as, from Zoho's page."""


@dataclass(frozen=True, slots=True)
class Call:
    """A call to the API, or a sub-request of a composite call."""

    kind: Kind
    method: str
    path: tuple[str, ...]
    """The raw segments of the path: a decoded one would hide a `%2F` in an id."""
    query: Mapping[str, str]
    body: bytes = b""
    scopes: frozenset[str] = frozenset()
    """What the token of the call may do."""
    token: str = ""
    """The access token; empty: none."""

    @property
    def is_lock_call(self) -> bool:
        """Whether the path is one of a record's lock."""
        return is_lock_path(self.path)

    @property
    def is_heavy(self) -> bool:
        """Whether the call has the lower limit of calls in flight."""
        is_view = self.kind is Kind.LIST and "cvid" in self.query
        return is_view or self.kind in (Kind.COQL, Kind.COMPOSITE)

    @property
    def record(self) -> tuple[str, str]:
        """The module and the record id of a call on a lock."""
        return self.path[2], self.path[3]

    @property
    def subject(self) -> tuple[str, str]:
        """The module and the record id that the path names; empty where it names none."""
        if self.is_lock_call:
            return self.record
        return (self.path[2], "") if self.kind is Kind.LIST else ("", "")


def is_lock_path(path: tuple[str, ...]) -> bool:
    """Return whether a path is one of a record's lock."""
    return len(path) in (5, 6) and path[4] == _LOCKING


def kind_of(method: str, path: tuple[str, ...]) -> Kind:
    """Return the kind of a call."""
    if is_lock_path(path) and method in ("PUT", "GET", "POST", "DELETE"):
        return Kind(method.lower())
    match path:
        case [_, _, name]:
            is_list = method == "GET" and name not in _NO_MODULES
            return _KINDS.get(name, Kind.LIST if is_list else Kind.OTHER)
        case _:
            return Kind.OTHER
