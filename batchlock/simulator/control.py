"""The control calls: what the calls so far did, and how the orgs behave from now on.

They need no token and are not counted. Tests in other processes use them. `/simulator/orgs/17/…` is
about org 17. Without `orgs/17` a call is about the only org, or about all if there are several.
"""

from aiohttp import web

from batchlock.simulator import behaviour_json, call_report, org_control
from batchlock.simulator.answers import CannedResponse, json_answer
from batchlock.simulator.inventory_json import ContentError
from batchlock.simulator.org_control import error_answer
from batchlock.simulator.orgs import Orgs
from batchlock.simulator.simulator import Simulator

# These differ from org to org, so a change of all orgs cannot set them.
_OWN_FIELDS = frozenset({"org_id", "company_name"})


async def answer(request: web.BaseRequest, path: list[str], orgs: Orgs) -> CannedResponse:
    """Answer a control call; `path` holds the segments after `simulator`."""
    try:
        match path:
            case ["orgs"]:
                if request.method != "GET":
                    return error_answer(f"{request.method} is not possible here", status=405)
                return json_answer(call_report.summary(orgs))
            case ["orgs", number, *rest]:
                if (simulator := _org(orgs, number)) is None:
                    text = f"there is no org {number}; the orgs are 1 to {len(orgs)}"
                    return error_answer(text, status=404)
                return await org_control.answer(request, rest, simulator)
            case _ if orgs.only is not None:
                return await org_control.answer(request, path, orgs.only)
            case _:
                return await _answer_about_all(request, path, orgs)
    except ContentError as error:
        return error_answer(str(error))


def _org(orgs: Orgs, number: str) -> Simulator | None:
    is_number = number.isascii() and number.isdecimal() and len(number) <= 3
    return orgs.by_number.get(int(number)) if is_number else None


async def _answer_about_all(
    request: web.BaseRequest, path: list[str], orgs: Orgs
) -> CannedResponse:
    match request.method, path:
        case "GET", ["log"]:
            return json_answer(call_report.page(orgs, request.query))
        case "POST", ["behaviour"]:
            return _change_all(orgs, await request.read())
        case _:
            text = "with several orgs, name one: /simulator/orgs/1/state, for example"
            return error_answer(text, status=404)


def _change_all(orgs: Orgs, body: bytes) -> CannedResponse:
    """Change the behaviour of all orgs, or of none if a value is wrong."""
    changes = behaviour_json.changes_in(body)
    if own := _OWN_FIELDS & changes.keys():
        raise ContentError(f"{min(own)} differs from org to org; change it for one org")
    changed = [
        (simulator, behaviour_json.changed(simulator.behaviour, changes)) for simulator in orgs
    ]
    for simulator, behaviour in changed:
        simulator.change_behaviour(behaviour)
    return json_answer({"orgs": len(changed)})
