"""Inventories of the stand-in."""

from typing import Any

import orjson

from batchlock.simulator import Inventory, parse_inventory_json

FREE = "990000000100000011"
LOCKED = "990000000100000022"
AUTOMATIC = "990000000100000033"
OTHERS = "990000000100000044"
LOCKED_ID, AUTOMATIC_ID, OTHERS_ID = (f"9900000002000000{number}" for number in ("22", "33", "44"))
ASHA = {"id": "990000000000900002", "name": "Asha Rao"}
RULE = {"id": "990000000000710001", "name": "Closed"}
TIME = "2025-03-01T08:00:00+05:30"


def lock_of(number: str, **more: Any) -> dict[str, Any]:
    return {"id": f"9900000002000000{number}", "reason": "why", "time": TIME, "by": ASHA, **more}


RECORDS: list[dict[str, Any]] = [
    {"id": FREE, "name": "Ada Free"},
    {"id": LOCKED, "name": "Bo Locked", "lock": lock_of("22")},
    {
        "id": AUTOMATIC,
        "name": "Cy Automatic",
        "lock": lock_of("33", source="Automatic", reason=None, rule=RULE),
    },
    {
        "id": OTHERS,
        "name": "Di Others",
        "lock": lock_of("44"),
        "unlock_refusal": "no_permission",
    },
]


def leads(*records: dict[str, Any], complete: object = ()) -> Inventory:
    """Return an inventory with these leads, or with RECORDS."""
    content = {"records": {"Leads": records or RECORDS}, "complete": complete}
    return parse_inventory_json(orjson.dumps(content)).inventory()
