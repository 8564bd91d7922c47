"""One API call, as the parts of the simulator see it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from batchlock.simulator.ledger import Kind

_LOCKING = "Locking_Information__s"
_KINDS = {"coql": Kind.COQL, "__composite_requests": Kind.COMPOSITE}
# Names of modules begin with a capital; everything else at that place of the path does not.
_NO_MODULES = ("org", "users", "settings")
COMPOSITE_PLACES = 5
"""Calls in flight that a composite call counts as, from Zoho's page."""


@dataclass(frozen=True, slots=True)
class Call:
    """A call to the API, or a sub-request of a composite call."""

    method: str
    path: tuple[str, ...]
    """The raw segments of the path: a decoded one would hide a `%2F` in an id."""
    query: Mapping[str, str]
    body: bytes = b""
    scopes: Collection[str] = ()
    """What the token of the call may do."""

    @property
    def kind(self) -> Kind:
        """The kind of the call."""
        if self.is_lock_call and self.method in ("PUT", "GET", "POST", "DELETE"):
            return Kind(self.method.lower())
        match self.path:
            case [_, _, name]:
                is_list = self.method == "GET" and name not in _NO_MODULES
                return _KINDS.get(name, Kind.LIST if is_list else Kind.OTHER)
            case _:
                return Kind.OTHER

    @property
    def is_lock_call(self) -> bool:
        """Whether the path is one of a record's lock."""
        return len(self.path) in (5, 6) and self.path[4] == _LOCKING

    @property
    def record(self) -> tuple[str, str]:
        """The module and the record id of a call on a lock."""
        return self.path[2], self.path[3]
