"""The records of the simulated org, with their locks.

The *inventory* names records one by one. A record that it does not name exists all the same, and is
locked (see `locks`), unless the inventory is declared complete for its module.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

DEFAULT_REASON = "Locked before"


class Source(StrEnum):
    """How a record was locked, as Zoho documents it."""

    MANUAL = "Manual"
    AUTOMATIC = "Automatic"
    BOTH = "Both"


class LockRefusal(StrEnum):
    """Why a record cannot be locked."""

    ONLY_AUTOMATIC = "only_automatic"
    NOT_CONFIGURED = "not_configured"
    NO_PERMISSION = "no_permission"


class UnlockRefusal(StrEnum):
    """Why the lock of a record cannot be removed. Automatic locks never can."""

    NO_PERMISSION = "no_permission"


@dataclass(frozen=True, slots=True)
class Reference:
    """A person or a rule: what Zoho shows as id and name."""

    id: str
    name: str


def id_and_name(reference: Reference) -> dict[str, str]:
    """Return a person or a rule as Zoho writes it in JSON."""
    return {"id": reference.id, "name": reference.name}


SIGNED_IN_USER = Reference("990000000000900001", "Rehearsal User")
"""The person whose token the client has."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Who locked a record, when, and by which rule."""

    person: Reference = SIGNED_IN_USER
    # Always the same, so that equal calls get equal answers.
    time: str = "2025-01-15T09:30:00+00:00"
    """ISO 8601 with an offset, as Zoho writes times."""
    rule: Reference | None = None
    """The rule of an automatic lock."""


DEFAULT_ORIGIN = Origin()


@dataclass(slots=True)
class Lock:
    """A record's lock, and how often each kind of call changed it."""

    lock_id: str | None
    """None: the record is not locked."""
    reason: str | None = DEFAULT_REASON
    """None for an automatic lock."""
    source: Source = Source.MANUAL
    origin: Origin = DEFAULT_ORIGIN
    updates: int = 0
    """How often its reason was changed."""
    locks: int = 0
    """How often the record was locked."""
    unlocks: int = 0
    """How often the record was unlocked."""

    @property
    def is_automatic(self) -> bool:
        """Whether a rule holds the lock, alone or together with a person."""
        return self.lock_id is not None and self.source is not Source.MANUAL

    def add_counts(self, earlier: "Lock") -> None:
        """Continue the counts of an earlier state of the same lock."""
        self.updates += earlier.updates
        self.locks += earlier.locks
        self.unlocks += earlier.unlocks


@dataclass(slots=True)
class Record:
    """A record of the inventory."""

    record_id: str
    name: str
    lock: Lock = field(default_factory=lambda: Lock(None, None))
    lock_refusal: LockRefusal | None = None
    unlock_refusal: UnlockRefusal | None = None


class Inventory:
    """Records by module and id. Each module's records are in the order of their ids.

    `complete` names the modules that have no other records; None: every module.
    """

    def __init__(
        self,
        records: Mapping[str, Iterable[Record]] | None = None,
        *,
        complete: Collection[str] | None = (),
    ) -> None:
        self.complete = complete if complete is None else frozenset(complete)
        self._by_module: dict[str, dict[str, Record]] = {}
        for module, added in (records or {}).items():
            self.put(module, added)

    def put(self, module: str, records: Iterable[Record]) -> None:
        """Add records to a module, in place of those with the same ids."""
        merged = self._by_module.get(module, {}) | {one.record_id: one for one in records}
        self._by_module[module] = {id_: merged[id_] for id_ in sorted(merged, key=int)}

    def find(self, module: str, record_id: str) -> Record | None:
        """Return a record that the inventory names, else None."""
        return self._by_module.get(module, {}).get(record_id)

    def is_complete(self, module: str) -> bool:
        """Return whether the module has no records but those of the inventory."""
        return self.complete is None or module in self.complete

    def records_of(self, module: str) -> list[Record]:
        """Return the records of a module in the order of their ids."""
        return list(self._by_module.get(module, {}).values())

    @property
    def modules(self) -> list[str]:
        """The modules that it names records of."""
        return list(self._by_module)

    def __len__(self) -> int:
        return sum(map(len, self._by_module.values()))
