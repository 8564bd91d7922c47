"""The control calls about one org: what its calls did, and how it behaves from now on."""

from aiohttp import web

from batchlock.simulator import behaviour_json, call_report, inventory_json
from batchlock.simulator.answers import CannedResponse, json_answer
from batchlock.simulator.call_log import Kind
from batchlock.simulator.records import Inventory
from batchlock.simulator.simulator import Simulator

_NAMES = "state, locks, puts, calls, log, inventory or behaviour"


async def answer(request: web.BaseRequest, path: list[str], simulator: Simulator) -> CannedResponse:
    """Answer a control call; `path` holds the segments after those that name the org.

    Raises ContentError, with a sentence, if the body or the query is wrong.
    """
    body = await request.read()
    match request.method, path:
        case "GET", ["state"]:
            return json_answer(simulator.state())
        case "GET", ["locks"]:
            return json_answer(simulator.locks.state())
        case "GET", ["puts"]:
            return json_answer(simulator.ledger.log.puts())
        case "GET", ["log"]:
            return json_answer(call_report.page([simulator], request.query))
        case "GET", ["calls"]:
            kind = request.query.get("kind", Kind.PUT)
            if kind not in list(Kind):
                return error_answer(f"kind is one of {', '.join(Kind)}")
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
            changes = behaviour_json.changes_in(body)
            simulator.change_behaviour(behaviour_json.changed(simulator.behaviour, changes))
            return json_answer(behaviour_json.content_of(simulator.behaviour))
        case _, ["state" | "locks" | "puts" | "calls" | "log" | "inventory" | "behaviour"]:
            return error_answer(f"{request.method} is not possible here", status=405)
        case _:
            return error_answer(_NAMES, status=404)


def error_answer(text: str, *, status: int = 400) -> CannedResponse:
    """Return the refusal of a control call."""
    return json_answer({"error": text}, status=status)


def _counts(inventory: Inventory) -> CannedResponse:
    records = [record for name in inventory.modules for record in inventory.records_of(name)]
    locked = sum(record.lock.lock_id is not None for record in records)
    return json_answer({"records": len(records), "locked": locked})
