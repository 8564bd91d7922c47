"""The control calls: what the calls so far did, and how the org behaves from now on.

They need no token and are not counted. Tests in other processes use them.
"""

from aiohttp import web

from batchlock.simulator import behaviour_json, inventory_json
from batchlock.simulator.answers import CannedResponse, json_answer
from batchlock.simulator.ledger import Kind
from batchlock.simulator.records import Inventory
from batchlock.simulator.simulator import Simulator


async def answer(request: web.BaseRequest, path: list[str], simulator: Simulator) -> CannedResponse:
    """Answer a control call; `path` holds the segments after `simulator`."""
    body = await request.read()
    try:
        match request.method, path:
            case "GET", ["state"]:
                return json_answer(simulator.state())
            case "GET", ["locks"]:
                return json_answer(simulator.locks.state())
            case "GET", ["calls"]:
                kind = request.query.get("kind", Kind.PUT)
                if kind not in list(Kind):
                    return _error(f"kind is one of {', '.join(Kind)}")
                return json_answer(simulator.ledger.calls(Kind(kind)))
            case "GET", ["inventory"]:
                module = request.query.get("module")
                return json_answer(inventory_json.content_of(simulator.locks.inventory, module))
            case "POST", ["inventory"]:
                content = inventory_json.parse(body)
                simulator.locks.replace_inventory(content.inventory())
                return _counts(simulator.locks.inventory)
            case "PATCH", ["inventory"]:
                simulator.locks.add_records(inventory_json.parse(body).records)
                return _counts(simulator.locks.inventory)
            case "GET", ["behaviour"]:
                return json_answer(behaviour_json.content_of(simulator.behaviour))
            case "POST", ["behaviour"]:
                simulator.change_behaviour(behaviour_json.changed(simulator.behaviour, body))
                return json_answer(behaviour_json.content_of(simulator.behaviour))
            case _, ["state" | "locks" | "calls" | "inventory" | "behaviour"]:
                return _error(f"{request.method} is not possible here", status=405)
            case _:
                return _error("state, locks, calls, inventory or behaviour", status=404)
    except inventory_json.ContentError as error:
        return _error(str(error))


def _error(text: str, *, status: int = 400) -> CannedResponse:
    return json_answer({"error": text}, status=status)


def _counts(inventory: Inventory) -> CannedResponse:
    records = [record for name in inventory.modules for record in inventory.records_of(name)]
    locked = sum(record.lock.lock_id is not None for record in records)
    return json_answer({"records": len(records), "locked": locked})
