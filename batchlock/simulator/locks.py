"""The locks of the stand-in's org, and what the five lock calls do to them.

Nobody can tell the stand-in beforehand which records a spreadsheet names, so every record is
locked: the lock id is made from the record id (see `lock_id_of`), the reason is
`DEFAULT_REASON`. The first change of a record's lock may name any well-formed lock id, which is
the record's from then on.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from batchlock.simulator import answers
from batchlock.simulator.answers import Answer, done, said
from batchlock.simulator.magic import MAGIC_RECORDS, Start

DEFAULT_REASON = "Locked before"
LONGEST_REASON = 3000

_STARTS = {magic.record_id: magic.does for magic in MAGIC_RECORDS if isinstance(magic.does, Start)}
_USER = {"id": "990000000000900001", "name": "Rehearsal User"}


def lock_id_of(record_id: str) -> str:
    """Return the lock id that a record has until told otherwise.

    It is the record id with each of its last six digits taken from nine:
    5843104000000425565 has the lock 5843104000000574434.
    """
    return f"{record_id[:-6]}{999_999 - int(record_id[-6:]):06d}"


def well_formed(id_: str) -> bool:
    """Tell whether this is an id: 10 to 20 digits."""
    return 10 <= len(id_) <= 20 and id_.isascii() and id_.isdecimal()


@dataclass(slots=True)
class Lock:
    """A record's lock."""

    lock_id: str | None
    """None: the record is not locked."""
    reason: str | None = DEFAULT_REASON
    """None for an automatic lock."""
    source: str = "Manual"
    updates: int = 0
    """How often its reason was changed."""


class Locks:
    """The locks of the org."""

    def __init__(self) -> None:
        self.known: dict[str, Lock] = {}
        """The locks somebody changed or told of, by `module/record id`."""
        self._made = 0

    def tell(
        self, module: str, record_id: str, *, lock_id: str | None, reason: str | None = None
    ) -> None:
        """Make this the record's lock; `lock_id` None: the record is not locked."""
        self.known[f"{module}/{record_id}"] = Lock(lock_id, reason)

    def update(self, module: str, record_id: str, lock_id: str, body: bytes) -> Answer:
        """Change the reason of a lock, as the PUT does."""
        reason = _reason(body)
        if isinstance(reason, Answer):
            return reason
        lock = self._find(module, record_id, lock_id)
        if lock.lock_id is None:
            return answers.NO_RELATION
        if lock.lock_id != lock_id:
            return answers.WRONG_LOCK
        if lock.source == "Automatic":
            lock.source = "Both"
        lock.reason = reason
        lock.updates += 1
        self.known[f"{module}/{record_id}"] = lock
        return done("relation updated", lock_id)

    def lock(self, module: str, record_id: str, body: bytes) -> Answer:
        """Lock a record that is not locked, as the POST does."""
        reason = _reason(body)
        if isinstance(reason, Answer):
            return reason
        if self._find(module, record_id).lock_id is not None:
            return answers.ALREADY_LOCKED
        self._made += 1
        lock_id = f"9900000000001{self._made:05d}"
        self.known[f"{module}/{record_id}"] = Lock(lock_id, reason)
        return done("record added", lock_id, status=201)

    def unlock(self, module: str, record_id: str, lock_id: str) -> Answer:
        """Unlock a record, as the DELETE does."""
        lock = self._find(module, record_id, lock_id)
        if lock.lock_id is None:
            return answers.NO_RELATION
        if lock.lock_id != lock_id:
            return answers.WRONG_LOCK
        self.known[f"{module}/{record_id}"] = Lock(None, None, updates=lock.updates)
        return done("relation removed", lock_id)

    def look(
        self, module: str, record_id: str, lock_id: str | None = None, *, fields: str = ""
    ) -> Answer:
        """Show a record's lock, as the two GETs do; `fields` are their names with commas."""
        lock = self._find(module, record_id, lock_id)
        if lock.lock_id is None or lock_id not in (None, lock.lock_id):
            return answers.NOTHING
        item = _item(module, record_id, lock)
        if fields:
            wanted = {"id", *fields.split(",")}
            item = {name: value for name, value in item.items() if name in wanted}
        shown: dict[str, object] = {"data": [item]}
        if lock_id is None:
            shown["info"] = {"per_page": 200, "count": 1, "page": 1, "more_records": False}
        return said(shown)

    def state(self) -> Mapping[str, object]:
        """Return every lock that was changed or told of, by `module/record id`."""
        return {
            key: {"lock_id": lock.lock_id, "reason": lock.reason, "updates": lock.updates}
            for key, lock in self.known.items()
        }

    def _find(self, module: str, record_id: str, lock_id: str | None = None) -> Lock:
        """Return the record's lock; nobody told of it: one with the lock id that was asked for."""
        known = self.known.get(f"{module}/{record_id}")
        if known is not None:
            return known
        start = _STARTS.get(record_id)
        if start is Start.NOT_LOCKED:
            return Lock(None, None)
        lock_id = lock_id or lock_id_of(record_id)
        if start is Start.AUTOMATIC:
            return Lock(lock_id, None, source="Automatic")
        return Lock(lock_id)


def _reason(body: bytes) -> str | Answer:
    """Return the reason that the body holds, or what Zoho says when it holds none."""
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError:
        return answers.BAD_BODY
    if not isinstance(content, dict):
        return answers.BAD_BODY
    items = content.get("data")
    if not isinstance(items, list):
        return answers.NO_DATA
    if len(items) != 1 or not isinstance(items[0], dict):
        return answers.NOT_ONE_ITEM
    reason = items[0].get("Locked_Reason__s")
    if not isinstance(reason, str) or not reason.strip():
        return answers.NO_REASON
    if len(reason) > LONGEST_REASON:
        return answers.REASON_TOO_LONG
    return reason


def _item(module: str, record_id: str, lock: Lock) -> dict[str, Any]:
    return {
        "id": lock.lock_id,
        "Locked_For__s": {
            "id": record_id,
            "name": f"{module} {record_id[-4:]}",
            "module": {"api_name": module, "id": "990000000000800001"},
        },
        "Locked_Reason__s": lock.reason,
        "Lock_Source__s": lock.source,
        "Locked_Time__s": "2025-01-15T09:30:00+00:00",
        "Locked_By__s": _USER,
    }
