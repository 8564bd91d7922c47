"""The locks of the simulated org, and the five lock calls.

The simulator cannot know which records a spreadsheet names, so every record is locked that the
inventory does not name: the lock id is derived from the record id (see `lock_id_of`), and the
reason is `DEFAULT_REASON`. The first change of such a record's lock may name any well-formed lock
id, which is the lock's id from then on.
"""

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from batchlock.simulator import answers
from batchlock.simulator.answers import CannedResponse, json_answer, success
from batchlock.simulator.behaviour import Unlisted
from batchlock.simulator.identity import Identity
from batchlock.simulator.magic import MAGIC_RECORDS, Start
from batchlock.simulator.records import (
    SIGNED_IN_USER,
    Inventory,
    Lock,
    LockRefusal,
    Origin,
    Record,
    Source,
    id_and_name,
)

_STARTS = {
    magic.record_id: magic.effect for magic in MAGIC_RECORDS if isinstance(magic.effect, Start)
}
_FIRST_NEW_LOCK = 100_000
_LOCK_REFUSALS = {
    LockRefusal.ONLY_AUTOMATIC: answers.CANNOT_LOCK,
    LockRefusal.NOT_CONFIGURED: answers.NOT_CONFIGURED,
    LockRefusal.NO_PERMISSION: answers.MAY_NOT_LOCK,
}


def lock_id_of(record_id: str) -> str:
    """Return the lock id that a record has before any change.

    Each of the last six digits of the record id is subtracted from nine:
    5843104000000425565 has the lock 5843104000000574434.
    """
    return f"{record_id[:-6]}{999_999 - int(record_id[-6:]):06d}"


def is_id(id_: str) -> bool:
    """Return whether a text is an id: 10 to 20 digits."""
    return 10 <= len(id_) <= 20 and id_.isascii() and id_.isdecimal()


def implied_name(module: str, record_id: str) -> str:
    """Return the name of a record that the inventory does not name."""
    return f"{module} {record_id[-4:]}"


@dataclass(frozen=True, slots=True)
class SavedLock:
    """The state of a record's lock at some moment."""

    module: str
    record_id: str
    lock: Lock | None
    """A copy; None: there is no such record."""
    is_changed: bool


class Locks:
    """The locks of the org.

    `identity` tells which record ids are those of another org of the stand-in, and no records here;
    `unlisted` returns the first state of the records that the inventory does not name, `now` the
    time of the locks that a call adds.
    """

    def __init__(
        self,
        inventory: Inventory | None,
        *,
        identity: Identity,
        unlisted: Callable[[], Unlisted],
        now: Callable[[], datetime],
    ) -> None:
        self.inventory = inventory or Inventory()
        # No list of all locks is possible: whatever record a call names is locked.
        self.by_record: dict[str, Lock] = {}
        """The locks that were changed or set, by `module/record id`."""
        self._identity = identity
        self._unlisted = unlisted
        self._now = now
        self._created = 0

    def replace_inventory(self, inventory: Inventory) -> None:
        """Start again with other records: no lock counts as changed."""
        self.inventory = inventory
        self.by_record.clear()

    def add_records(self, records: Mapping[str, list[Record]]) -> None:
        """Add records to the inventory or replace them. The counts of their locks continue."""
        for module, added in records.items():
            for record in added:
                key = f"{module}/{record.record_id}"
                if (earlier := self.by_record.get(key)) is not None:
                    record.lock.add_counts(earlier)
                    self.by_record[key] = record.lock
            self.inventory.put(module, added)

    def update(self, module: str, record_id: str, lock_id: str, body: bytes) -> CannedResponse:
        """Change the reason of a lock (PUT)."""
        reason = _reason(body)
        if isinstance(reason, CannedResponse):
            return reason
        lock = self.find(module, record_id, lock_id)
        if lock is None:
            return answers.WRONG_RECORD
        if lock.lock_id is None:
            return answers.NO_RELATION
        if lock.lock_id != lock_id:
            return answers.WRONG_LOCK
        # Zoho documents `Manual`, `Automatic` and `Both`; that this makes `Both` is an assumption.
        if lock.source is Source.AUTOMATIC:
            lock.source = Source.BOTH
        lock.reason = reason
        lock.updates += 1
        self.by_record[f"{module}/{record_id}"] = lock
        return success("relation updated", {"id": lock_id})

    def lock(self, module: str, record_id: str, body: bytes) -> CannedResponse:
        """Lock a record that is not locked (POST)."""
        reason = _reason(body)
        if isinstance(reason, CannedResponse):
            return reason
        lock = self.find(module, record_id)
        if lock is None:
            return answers.WRONG_RECORD
        record = self.inventory.find(module, record_id)
        if record is not None and record.lock_refusal is not None:
            return _LOCK_REFUSALS[record.lock_refusal]
        if lock.lock_id is not None and not self._is_either(module, record_id):
            return answers.ALREADY_LOCKED
        self._created += 1
        lock.lock_id = self._identity.make_id(_FIRST_NEW_LOCK + self._created)
        lock.reason, lock.source = reason, Source.MANUAL
        lock.origin = Origin(time=self._now().isoformat(timespec="seconds"))
        lock.locks += 1
        self.by_record[f"{module}/{record_id}"] = lock
        details = {
            "Created_Time": lock.origin.time,
            "id": lock.lock_id,
            "Created_By": id_and_name(SIGNED_IN_USER),
        }
        return success("record added", details, status=201)

    def unlock(self, module: str, record_id: str, lock_id: str) -> CannedResponse:
        """Unlock a record (DELETE)."""
        lock = self.find(module, record_id, lock_id)
        if lock is None:
            return answers.WRONG_RECORD
        if lock.lock_id is None or lock.lock_id != lock_id:
            return answers.NO_LOCK_TO_REMOVE
        # That a lock of both sources cannot be removed either is an assumption.
        if lock.is_automatic:
            return answers.AUTOMATICALLY_LOCKED
        record = self.inventory.find(module, record_id)
        if record is not None and record.unlock_refusal is not None:
            return answers.MAY_NOT_UNLOCK
        lock.lock_id = lock.reason = None
        lock.unlocks += 1
        self.by_record[f"{module}/{record_id}"] = lock
        return success("relation removed", {"id": lock_id})

    def get(
        self, module: str, record_id: str, lock_id: str | None = None, *, fields: str = ""
    ) -> CannedResponse:
        """Return a record's lock (GET, with or without its id); `fields` is a list with commas."""
        lock = self.find(module, record_id, lock_id)
        if lock is None:
            return answers.WRONG_RECORD
        if lock.lock_id is None or lock_id not in (None, lock.lock_id):
            return answers.NO_CONTENT
        item = self._item(module, record_id, lock)
        if fields:
            names = {"id", *fields.split(",")}
            rule = lock.origin.rule
            item["Record_Locking_Rule_Id__s"] = None if rule is None else rule.id
            item = {name: value for name, value in item.items() if name in names}
        content: dict[str, object] = {"data": [item]}
        if lock_id is None:
            content["info"] = {"per_page": 200, "count": 1, "page": 1, "more_records": False}
        return json_answer(content)

    def state(self) -> Mapping[str, object]:
        """Return every lock that was changed or set, by `module/record id`."""
        return {
            key: {
                "lock_id": lock.lock_id,
                "reason": lock.reason,
                "updates": lock.updates,
                "locks": lock.locks,
                "unlocks": lock.unlocks,
            }
            for key, lock in self.by_record.items()
        }

    def save(self, module: str, record_id: str) -> SavedLock:
        """Return the state of a record's lock, for `restore`."""
        key = f"{module}/{record_id}"
        lock = copy.copy(self.find(module, record_id))
        return SavedLock(module, record_id, lock, is_changed=key in self.by_record)

    def restore(self, saved: SavedLock) -> None:
        """Undo every change of a record's lock since its state was saved."""
        if saved.lock is None:
            return
        key = f"{saved.module}/{saved.record_id}"
        record = self.inventory.find(saved.module, saved.record_id)
        if record is not None:
            record.lock = saved.lock
        if saved.is_changed:
            self.by_record[key] = saved.lock
        else:
            self.by_record.pop(key, None)

    def find(self, module: str, record_id: str, lock_id: str | None = None) -> Lock | None:
        """Return a record's lock; None if there is no such record.

        Before any change, the lock of a record that the inventory does not name has `lock_id`.
        """
        record = self.inventory.find(module, record_id)
        if record is not None:
            return record.lock
        lock = self.by_record.get(f"{module}/{record_id}")
        if lock is not None:
            return lock
        if not self._identity.knows(record_id):
            return None
        start = _STARTS.get(record_id)
        if start is None and self.inventory.is_complete(module):
            return None
        if start is Start.NOT_LOCKED or (start is None and self._unlisted() is Unlisted.UNLOCKED):
            return Lock(None, None)
        lock_id = lock_id or lock_id_of(record_id)
        if start is Start.AUTOMATIC:
            return Lock(lock_id, None, Source.AUTOMATIC)
        return Lock(lock_id)

    def _is_either(self, module: str, record_id: str) -> bool:
        """Return whether a record has no state yet, and may be locked or not."""
        is_new = f"{module}/{record_id}" not in self.by_record
        is_listed = self.inventory.find(module, record_id) is not None
        return (
            is_new
            and not is_listed
            and record_id not in _STARTS
            and self._unlisted() is Unlisted.EITHER
        )

    def record_of(self, module: str, record_id: str) -> Record | None:
        """Return a record with its lock, whether the inventory names it or not; None: no record."""
        record = self.inventory.find(module, record_id)
        if record is None and (lock := self.find(module, record_id)) is not None:
            return Record(record_id, implied_name(module, record_id), lock)
        return record

    def _item(self, module: str, record_id: str, lock: Lock) -> dict[str, Any]:
        record = self.inventory.find(module, record_id)
        return {
            "id": lock.lock_id,
            "Locked_For__s": {
                "id": record_id,
                "name": implied_name(module, record_id) if record is None else record.name,
                "module": {"api_name": module, "id": "990000000000800001"},
            },
            "Locked_Reason__s": lock.reason,
            "Lock_Source__s": lock.source,
            "Locked_Time__s": lock.origin.time,
            "Locked_By__s": id_and_name(lock.origin.person),
        }


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
