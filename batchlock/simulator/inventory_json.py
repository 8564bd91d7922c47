"""An inventory as JSON: what files and the control calls contain. See docs/simulator.md."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeVar

import orjson

from batchlock.simulator.locks import is_id, lock_id_of
from batchlock.simulator.modules import is_api_name
from batchlock.simulator.records import (
    DEFAULT_ORIGIN,
    DEFAULT_REASON,
    Inventory,
    Lock,
    LockRefusal,
    Origin,
    Record,
    Reference,
    Source,
    UnlockRefusal,
    id_and_name,
)


class ContentError(ValueError):
    """JSON that is not what is expected. Its text names the place and what is expected there."""


E = TypeVar("E", bound=StrEnum)
_RECORD_KEYS = ("id", "name", "lock", "lock_refusal", "unlock_refusal")
_LOCK_KEYS = ("id", "reason", "source", "time", "by", "rule")


@dataclass(frozen=True, slots=True)
class InventoryContent:
    """The content of a file or of a control call."""

    records: Mapping[str, list[Record]]
    """Records by module."""
    complete: Collection[str] | None
    """The modules that have no other records; None: every module."""

    def inventory(self) -> Inventory:
        """Return it as an inventory."""
        return Inventory(self.records, complete=self.complete)


def parse(text: bytes) -> InventoryContent:
    """Read an inventory. Raises ContentError, which names the place and what is expected there."""
    try:
        content = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise ContentError(f"this is no JSON: {error}") from None
    _check_keys(content, ("records", "complete"), "the inventory")
    by_module = content.get("records", {})
    if not isinstance(by_module, dict):
        raise ContentError("records: an object is expected, with a list of records for each module")
    records: dict[str, list[Record]] = {}
    for module, items in by_module.items():
        if not is_api_name(module):
            raise ContentError(f"records: {module!r} is no API name of a module")
        if not isinstance(items, list):
            raise ContentError(f"records.{module}: a list of records is expected")
        records[module] = [
            _record(item, f"records.{module}[{number}]") for number, item in enumerate(items)
        ]
    return InventoryContent(records, _complete(content.get("complete", [])))


def content_of(inventory: Inventory, module: str | None = None) -> dict[str, object]:
    """Return an inventory, or one module of it, as JSON that `parse` reads."""
    modules = inventory.modules if module is None else [module]
    return {
        "complete": True if inventory.complete is None else sorted(inventory.complete),
        "records": {
            name: [_item(record) for record in inventory.records_of(name)] for name in modules
        },
    }


def _complete(value: object) -> Collection[str] | None:
    if value is True:
        return None
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise ContentError("complete: true is expected, or a list of modules")
    return value


def _record(item: object, place: str) -> Record:
    values = _check_keys(item, _RECORD_KEYS, place)
    record_id = _id(values.get("id"), f"{place}.id")
    name = values.get("name") or f"Record {record_id[-4:]}"
    if not isinstance(name, str):
        raise ContentError(f"{place}.name: a text is expected")
    lock = values.get("lock")
    return Record(
        record_id,
        name,
        Lock(None, None) if lock is None else _lock(lock, record_id, f"{place}.lock"),
        _choice(LockRefusal, values.get("lock_refusal"), f"{place}.lock_refusal"),
        _choice(UnlockRefusal, values.get("unlock_refusal"), f"{place}.unlock_refusal"),
    )


def _lock(item: object, record_id: str, place: str) -> Lock:
    values = _check_keys(item, _LOCK_KEYS, place)
    source = _choice(Source, values.get("source"), f"{place}.source") or Source.MANUAL
    automatic = source is Source.AUTOMATIC
    reason = values.get("reason", None if automatic else DEFAULT_REASON)
    if not isinstance(reason, str | None):
        raise ContentError(f"{place}.reason: a text is expected, or null")
    time = values.get("time", DEFAULT_ORIGIN.time)
    if not _is_time(time):
        raise ContentError(f"{place}.time: a time such as {DEFAULT_ORIGIN.time} is expected")
    person = _reference(values.get("by"), f"{place}.by") or DEFAULT_ORIGIN.person
    origin = Origin(person, time, _reference(values.get("rule"), f"{place}.rule"))
    lock_id = _id(values.get("id") or lock_id_of(record_id), f"{place}.id")
    return Lock(lock_id, reason, source, origin)


def _is_time(text: object) -> bool:
    try:
        return isinstance(text, str) and datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


def _id(value: object, place: str) -> str:
    if not isinstance(value, str) or not is_id(value):
        raise ContentError(f"{place}: a text of 10 to 20 digits is expected, not {value!r}")
    return value


def _reference(value: object, place: str) -> Reference | None:
    if value is None:
        return None
    values = _check_keys(value, ("id", "name"), place)
    name = values.get("name")
    if not isinstance(name, str):
        raise ContentError(f"{place}.name: a text is expected")
    return Reference(_id(values.get("id"), f"{place}.id"), name)


def _choice(kind: type[E], value: object, place: str) -> E | None:
    if value is None:
        return None
    if not isinstance(value, str) or value not in list(kind):
        raise ContentError(f"{place}: {', '.join(kind)} or null is expected, not {value!r}")
    return kind(value)


def _check_keys(value: object, keys: tuple[str, ...], place: str) -> Mapping[str, Any]:
    """Return an object whose keys are all known. Raises ContentError for anything else."""
    if not isinstance(value, dict):
        raise ContentError(f"{place}: an object is expected, with {', '.join(keys)}")
    if unknown := [key for key in value if key not in keys]:
        raise ContentError(f"{place}: {unknown[0]!r} is unknown; the keys are {', '.join(keys)}")
    return value


def _item(record: Record) -> dict[str, object]:
    lock = record.lock
    rule = lock.origin.rule
    return {
        "id": record.record_id,
        "name": record.name,
        "lock": None
        if lock.lock_id is None
        else {
            "id": lock.lock_id,
            "reason": lock.reason,
            "source": lock.source,
            "time": lock.origin.time,
            "by": id_and_name(lock.origin.person),
            "rule": None if rule is None else id_and_name(rule),
        },
        "lock_refusal": record.lock_refusal,
        "unlock_refusal": record.unlock_refusal,
    }
