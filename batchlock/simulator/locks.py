"""The locks of the simulated org, and the five lock calls.

The simulator cannot know which records a spreadsheet names, so every record is locked: the lock id
is derived from the record id (see `lock_id_of`), and the reason is `DEFAULT_REASON`. The first
change of a record's lock may name any well-formed lock id, which is the lock's id from then on.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from batchlock.simulator import answers
from batchlock.simulator.answers import CannedResponse, json_answer, success
from batchlock.simulator.magic import MAGIC_RECORDS, Start

DEFAULT_REASON = "Locked before"

_STARTS = {
    magic.record_id: magic.effect for magic in MAGIC_RECORDS if isinstance(magic.effect, Start)
}
_USER = {"id": "990000000000900001", "name": "Rehearsal User"}


def lock_id_of(record_id: str) -> str:
    """Return the lock id that a record has before any change.

    Each of the last six digits of the record id is subtracted from nine:
    5843104000000425565 has the lock 5843104000000574434.
    """
    return f"{record_id[:-6]}{999_999 - int(record_id[-6:]):06d}"


def is_id(id_: str) -> bool:
    """Return whether a text is an id: 10 to 20 digits."""
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
        # No list of all locks is possible: whatever record a call names is locked.
        self.by_record: dict[str, Lock] = {}
        """The locks that were changed or set, by `module/record id`; all others are the default."""
        self._created = 0

    def update(self, module: str, record_id: str, lock_id: str, body: bytes) -> CannedResponse:
        """Change the reason of a lock (PUT)."""
        reason = _reason(body)
        if isinstance(reason, CannedResponse):
            return reason
        lock = self._find(module, record_id, lock_id)
        if lock.lock_id is None:
            return answers.NO_RELATION
        if lock.lock_id != lock_id:
            return answers.WRONG_LOCK
        # Zoho documents `Manual`, `Automatic` and `Both`; that this makes `Both` is an assumption.
        if lock.source == "Automatic":
            lock.source = "Both"
        lock.reason = reason
        lock.updates += 1
        self.by_record[f"{module}/{record_id}"] = lock
        return success("relation updated", lock_id)

    def lock(self, module: str, record_id: str, body: bytes) -> CannedResponse:
        """Lock a record that is not locked (POST)."""
        reason = _reason(body)
        if isinstance(reason, CannedResponse):
            return reason
        if self._find(module, record_id).lock_id is not None:
            return answers.ALREADY_LOCKED
        self._created += 1
        # Beginning with 9900, as no id of a real org does.
        lock_id = f"9900000000001{self._created:05d}"
        self.by_record[f"{module}/{record_id}"] = Lock(lock_id, reason)
        return success("record added", lock_id, status=201)

    def unlock(self, module: str, record_id: str, lock_id: str) -> CannedResponse:
        """Unlock a record (DELETE)."""
        lock = self._find(module, record_id, lock_id)
        if lock.lock_id is None:
            return answers.NO_RELATION
        if lock.lock_id != lock_id:
            return answers.WRONG_LOCK
        self.by_record[f"{module}/{record_id}"] = Lock(None, None, updates=lock.updates)
        return success("relation removed", lock_id)

    def get(
        self, module: str, record_id: str, lock_id: str | None = None, *, fields: str = ""
    ) -> CannedResponse:
        """Return a record's lock (GET, with or without its id); `fields` is a list with commas."""
        lock = self._find(module, record_id, lock_id)
        if lock.lock_id is None or lock_id not in (None, lock.lock_id):
            return answers.NO_CONTENT
        item = _item(module, record_id, lock)
        if fields:
            names = {"id", *fields.split(",")}
            item = {name: value for name, value in item.items() if name in names}
        content: dict[str, object] = {"data": [item]}
        if lock_id is None:
            content["info"] = {"per_page": 200, "count": 1, "page": 1, "more_records": False}
        return json_answer(content)

    def state(self) -> Mapping[str, object]:
        """Return every lock that was changed or set, by `module/record id`."""
        return {
            key: {"lock_id": lock.lock_id, "reason": lock.reason, "updates": lock.updates}
            for key, lock in self.by_record.items()
        }

    def _find(self, module: str, record_id: str, lock_id: str | None = None) -> Lock:
        """Return a record's lock; before any change it is one with the requested lock id."""
        lock = self.by_record.get(f"{module}/{record_id}")
        if lock is not None:
            return lock
        start = _STARTS.get(record_id)
        if start is Start.NOT_LOCKED:
            return Lock(None, None)
        lock_id = lock_id or lock_id_of(record_id)
        if start is Start.AUTOMATIC:
            return Lock(lock_id, None, source="Automatic")
        return Lock(lock_id)


def _reason(body: bytes) -> str | CannedResponse:
    """Return the reason in a body, or the refusal of a body without one."""
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
    if len(reason) > answers.MAX_REASON:
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
        # Always the same, so that equal calls get equal answers.
        "Locked_Time__s": "2025-01-15T09:30:00+00:00",
        "Locked_By__s": _USER,
    }
