"""The concurrency limit of an org, as one run stores it for the next.

Which calls are answered 429 is fixed by their numbers here, and no test sends enough rows to
outgrow a ceiling. So nothing depends on how fast the machine is.
"""

import json
from datetime import UTC, datetime
from pathlib import Path

from support.commands import RunCommand
from support.sheets import balanced, rows, sheet
from support.zoho import StandIn, Start

STORED = Path("state/pace/default.json")


def store_ceiling(refused: int) -> str:
    STORED.parent.mkdir(parents=True)
    content = json.dumps({"refused": refused, "at": datetime.now(UTC).isoformat()})
    STORED.write_text(content)
    return content


def test_a_run_stores_the_ceiling_that_it_has_found(
    stand_in: Start, run_in_process: RunCommand
) -> None:
    # Calls 1 to 5 fill the first window and are throttled, which halves it. Then a window of two
    # is throttled twice (7 and 8, 10 and 11), and each probe after that (6, 9, 12) succeeds.
    zoho = stand_in("--throttle-at", "1,2,3,4,5,7,8,10,11")
    # A run that may use so few credits does not ask the org for its edition, so it begins with 5.
    limits = {"max_credits": 49}
    zoho.config(state_directory="state", retry={"first_wait": 0.01}, limits=limits)
    completed = run_in_process("run", sheet("in.csv", rows(5)), "--json")
    assert balanced(completed.json) == {"updated": 5}
    assert completed.json["requests"] == 14
    assert json.loads(STORED.read_text())["refused"] == 2


def test_a_run_that_finds_no_ceiling_leaves_the_stored_one(
    org: StandIn, run_in_process: RunCommand
) -> None:
    # A run that stored it again would renew its date, and the ceiling would never expire.
    stored = json.loads(store_ceiling(8))
    assert balanced(run_in_process("run", sheet("in.csv", rows(10)), "--json").json) == {
        "updated": 10
    }
    content = json.loads(STORED.read_text())
    assert {name: content[name] for name in stored} == stored


def test_a_stored_ceiling_below_the_smallest_edition_is_ignored(
    org: StandIn, run_in_process: RunCommand
) -> None:
    store_ceiling(3)
    assert run_in_process("run", sheet("in.csv", rows(5)), "--json").json["in_flight_peak"] == 5
