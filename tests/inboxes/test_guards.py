"""The guards: a file that looks wrong goes to attention/, nothing is sent, and nobody is asked."""

import os
import time
from pathlib import Path
from typing import Any

import pytest
from support.commands import CommandResult, RunCommand
from support.inbox import FOLDER, names, note, put
from support.runs import open_store
from support.sheets import balanced, rows
from support.zoho import StandIn, Start

from batchlock.core.runs import RunState
from batchlock.core.stop import StopCode, StopReason


def refused(ended: CommandResult, guard: str, org: StandIn, *, puts: int = 0) -> str:
    """Check that the only file was refused by a guard, and return the text beside it."""
    (file,) = ended.json["files"]
    assert (ended.code, file["guard"], file["status"]) == (2, guard, "attention")
    assert (file["needs_person"], file["run"]) == (True, None)
    assert names() == []
    assert org.state()["calls"]["put"] == puts
    text = note(file["name"].partition(".")[0]).strip()
    assert text == file["message"]
    assert "Nothing was sent." in text
    return text


def test_the_content_of_a_finished_run_is_sent_once_more_only_with_again(
    org: StandIn, run_in_process: RunCommand
) -> None:
    put("a.csv", 3, age=0)
    assert run_in_process("inbox", FOLDER).code == 0
    put("copy.csv", 3, age=0)
    ended = run_in_process("inbox", FOLDER, "--json")
    assert "--again" in refused(ended, "same_content", org, puts=3)
    put("copy.csv", 3, age=0)
    ended = run_in_process("inbox", FOLDER, "--json", "--again")
    assert (ended.code, balanced(ended.json)) == (0, {"updated": 3})
    assert org.state()["calls"]["put"] == 6


def test_a_run_that_a_person_has_stopped_is_left_to_that_person(
    org: StandIn, run_in_process: RunCommand
) -> None:
    file = put("a.csv", 3, age=0)
    stopped = run_in_process("run", file, "--json", "--max-runtime", "1ms", "-o", "out.csv")
    run_id = stopped.json["run_id"]
    by_ann = StopReason(code=StopCode.STOPPED, sentence="Stopped by ann.")
    with open_store() as store:
        store.runs.end_session(run_id, RunState.STOPPED, by_ann)
    ended = run_in_process("inbox", FOLDER, "--json")
    text = refused(ended, "stopped_run", org)
    assert "Stopped by ann." in text
    assert f"batchlock resume {run_id}" in text
    assert run_in_process("inbox", FOLDER, "--json").json["files"] == []


def test_an_old_file_is_not_sent(org: StandIn, run_in_process: RunCommand) -> None:
    org.config(state_directory="state", inbox={"max_age": "36h"})
    put("a.csv", 1, age=0)
    assert "inbox.max_age is 36 hours" in refused(
        run_in_process("inbox", FOLDER, "--json"), "too_old", org
    )
    hour_ago = time.time() - 3600
    os.utime(put("b.csv", 1, age=0), (hour_ago, hour_ago))
    assert run_in_process("inbox", FOLDER).code == 0


def test_a_file_without_rows_is_not_sent(org: StandIn, run_in_process: RunCommand) -> None:
    put("a.csv", 0, age=0)
    ended = run_in_process("inbox", FOLDER, "--json")
    assert "a header and no rows" in refused(ended, "no_rows", org)


@pytest.mark.parametrize(("usual", "bounds"), [("10", "5 to 20"), ("5-8", "5 to 8")])
def test_a_file_with_an_unusual_number_of_rows_is_not_sent(
    org: StandIn, run_in_process: RunCommand, usual: str, bounds: str
) -> None:
    org.config(state_directory="state", inbox={"usual_rows": usual})
    put("a.csv", 4, age=0)
    ended = run_in_process("inbox", FOLDER, "--json")
    assert f"4 rows, and {bounds} are usual" in refused(ended, "unusual_rows", org)
    put("b.csv", 5, age=0)
    assert run_in_process("inbox", FOLDER).code == 0


def test_what_is_usual_follows_from_the_last_files_with_the_same_titles(
    org: StandIn, run_in_process: RunCommand
) -> None:
    org.config(state_directory="state", inbox={"usual_rows": "auto"})
    for number, count in enumerate((1, 10, 8)):  # nothing is usual before there are three
        put(f"{number}.csv", rows(count, first=1 + 20 * number), age=9 - number)
    assert run_in_process("inbox", FOLDER).code == 0
    put("a.csv", rows(21, first=100), age=0)
    ended = run_in_process("inbox", FOLDER, "--json")
    assert "1 to 20 are usual" in refused(ended, "unusual_rows", org, puts=19)


def test_a_file_that_unlocks_needs_yes(org: StandIn, run_in_process: RunCommand) -> None:
    put("a.csv", 2, age=0)
    ended = run_in_process("inbox", FOLDER, "--json", "--action", "unlock")
    assert "2 rows unlock records" in refused(ended, "unlocks", org)
    assert org.state()["calls"]["delete"] == 0
    put("a.csv", 2, age=0)
    ended = run_in_process("inbox", FOLDER, "--json", "--action", "unlock", "--yes")
    assert ended.json["files"][0]["guard"] is None
    assert org.state()["calls"]["get"] > 0


@pytest.mark.parametrize(
    ("zoho", "guard", "what"),
    [
        ({"organization_id": "12"}, "wrong_org", "zoho.organization_id"),
        ({"environment": "sandbox"}, "wrong_environment", "zoho.environment is sandbox"),
    ],
)
def test_a_sign_in_for_another_org_sends_nothing_and_ends_the_night(
    stand_in: Start, run_in_process: RunCommand, zoho: dict[str, Any], guard: str, what: str
) -> None:
    org = stand_in()
    org.config(Path("config.yaml"), state_directory="state", zoho=zoho)
    put("a.csv", 1, age=9)
    put("b.csv", rows(1, first=5), age=0)
    ended = run_in_process("inbox", FOLDER, "--json")
    first, second = ended.json["files"]
    assert (ended.code, first["guard"], first["run"]) == (2, guard, None)
    assert what in note("a")
    assert (second["status"], names()) == ("left", ["b.csv"])
    assert org.state()["calls"]["put"] == 0
