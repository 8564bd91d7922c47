"""The fields of records, as lists and queries return them."""

from collections.abc import Collection

from batchlock.simulator.modules import name_field_of
from batchlock.simulator.records import SIGNED_IN_USER, Record, id_and_name

# The same for all records: nothing of the simulator depends on them.
_CREATED = "2024-11-05T08:00:00+00:00"
_MODIFIED = "2025-01-15T09:30:00+00:00"


def item_of(module: str, record: Record, fields: Collection[str]) -> dict[str, object]:
    """Return the id of a record and those of the fields that its module has."""
    values = _values(module, record)
    return {name: values[name] for name in dict.fromkeys(("id", *fields)) if name in values}


def is_field(module: str, name: str) -> bool:
    """Return whether the records of a module have a field."""
    return name in _values(module, Record("", ""))


def _values(module: str, record: Record) -> dict[str, object]:
    return {
        "id": record.record_id,
        name_field_of(module): record.name,
        "Locked__s": record.lock.lock_id is not None,
        "Owner": id_and_name(SIGNED_IN_USER),
        "Created_Time": _CREATED,
        "Modified_Time": _MODIFIED,
    }
