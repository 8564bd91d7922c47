import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from support.previews import NOTE, preview
from support.run_info import figures_of, run_info, run_record

from batchlock.core.results import Cause, CheckResult, Example, Result, Summary
from batchlock.core.rows import Problem
from batchlock.core.runs import CLOSED, Run, RunState, Totals
from batchlock.report.json import check_json, empty_json, run_json, runs_json, show_json
from batchlock.report.json_preview import NO_PREVIEW
from batchlock.report.story import story_of

NOW = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)
CAUSE = Cause(result=Result.REJECTED, code="NO", message="no", remedy="ask", rows=1, ranges="3")
SUMMARY = Summary(
    run_id="20260314-1200-a1b2",
    file="/in/locks.xlsx",
    sheet="Locks",
    sha256="ab" * 32,
    version="0.1.0",
    settings={},
    rows=2,
    settled=1,
    counts={Result.UPDATED: 1, Result.REJECTED: 1},
    causes=(CAUSE,),
    started_at=NOW,
    finished_at=NOW,
    seconds=1.23456,
    requests=12,
    credits_used=11,
    in_flight_peak=5,
    resume="batchlock resume a1b2",
    preview=replace(preview(notes=(NOTE,)), finished_before=NOW),
)
EMPTY = Summary(
    run_id="20260314-1200-a1b2",
    file="/in/locks.csv",
    sheet=None,
    sha256="ab" * 32,
    version="0.1.0",
    settings={},
    rows=0,
    settled=0,
    counts={},
    causes=(),
    started_at=NOW,
    finished_at=NOW,
    seconds=0.0,
    preview=preview(
        encoding=None,
        encoding_source=None,
        delimiter=None,
        fields=(),
        modules=(),
        lookups=0,
        samples=(),
    ),
)

RUN_KEYS = [
    *("run_id", "action", "read_as", "notes", "finished_before", "file", "sheet", "output"),
    *("exit_code", "message", "rows", "counts", "causes", "requests", "credits_used"),
    *("in_flight_peak", "seconds", "resume"),
]
"""In the order of the contract."""
READ_AS = {
    "sheet": None,
    "encoding": "utf-8",
    "encoding_source": "content",
    "delimiter": ";",
    "header_row": 1,
    "archive_member": None,
    "rows_left_out": 0,
    "fields": {
        "module": {"title": "Module", "value": None, "origin": "title"},
        "record_id": {"title": "Record Id", "value": None, "origin": "title"},
        "lock_id": {"title": "Lock Id", "value": None, "origin": "title"},
        "reason": {"title": "Reason", "value": None, "origin": "title"},
    },
    "modules": [{"module": "Leads", "action": "update", "rows": 2}],
    "labels": {},
    "calls": 3,
    "credits": 3,
    "day_credits": None,
    "corrections": [],
    "samples": [
        {
            "row": 2,
            "action": "update",
            "module": "Leads",
            "record_id": "5843104000000425561",
            "lock_id": None,
            "reason": "Prüfung",
        }
    ],
}


def test_the_json_of_a_run_has_every_key_and_every_result() -> None:
    result = run_json(SUMMARY, Path("r.xlsx"))
    assert list(result) == RUN_KEYS
    assert json.loads(json.dumps(result)) == {
        "run_id": "20260314-1200-a1b2",
        "action": "update",
        "read_as": READ_AS,
        "notes": [
            {
                "code": "hidden_rows",
                "rows": 2,
                "ranges": "3-4",
                "message": "A filter hides these rows, and they are sent.",
            }
        ],
        "finished_before": "2026-03-14T12:00:00+00:00",
        "file": "/in/locks.xlsx",
        "sheet": "Locks",
        "output": "r.xlsx",
        "exit_code": 3,
        "message": "2 rows: 1 updated, 1 rejected.",
        "rows": 2,
        "counts": {
            "updated": 1,
            "locked": 0,
            "unlocked": 0,
            "unchanged": 0,
            "rejected": 1,
            "failed": 0,
            "invalid": 0,
            "duplicate": 0,
            "not_sent": 0,
            "unknown": 0,
        },
        "causes": [
            {
                "result": "rejected",
                "code": "NO",
                "message": "no",
                "what_to_do": "ask",
                "rows": 1,
                "ranges": "3",
            }
        ],
        "requests": 12,
        "credits_used": 11,
        "in_flight_peak": 5,
        "seconds": 1.235,
        "resume": "batchlock resume a1b2",
    }


def test_the_exit_code_after_a_signal_replaces_that_of_the_run() -> None:
    assert run_json(SUMMARY, None, exit_code=130)["exit_code"] == 130


def test_the_json_of_a_run_is_null_where_there_is_no_value() -> None:
    run = run_json(EMPTY, None)
    assert (run["output"], run["sheet"], run["resume"], run["causes"]) == (None, None, None, [])
    assert run["counts"] == {result.value: 0 for result in Result}


def test_the_json_of_a_check_has_every_problem() -> None:
    check = CheckResult(
        file="/in/locks.csv",
        sheet=None,
        encoding="utf-8",
        delimiter=",",
        counts=dict.fromkeys(Result, 1),
        problems=[Problem(3, "Record Id", "bad_id", "No id.")],
        causes=(
            Cause(
                result=Result.INVALID,
                code="bad_id",
                message="No id.",
                remedy="Correct it.",
                rows=1,
                ranges="3",
                examples=(Example(3, "Record Id", "x", "No id."),),
            ),
        ),
        preview=preview(),
        output=Path("checked.xlsx"),
    )
    assert json.loads(json.dumps(check_json(check))) == {
        "action": "update",
        "read_as": READ_AS,
        "notes": [],
        "finished_before": None,
        "file": "/in/locks.csv",
        "sheet": None,
        "output": "checked.xlsx",
        "plan": None,
        "rows": 10,
        "valid": 8,
        "invalid": 1,
        "duplicate": 1,
        "causes": [
            {
                "result": "invalid",
                "code": "bad_id",
                "message": "No id.",
                "what_to_do": "Correct it.",
                "rows": 1,
                "ranges": "3",
                "examples": [{"row": 3, "column": "Record Id", "value": "x", "message": "No id."}],
            }
        ],
        "problems": [{"row": 3, "column": "Record Id", "code": "bad_id", "message": "No id."}],
        "encoding": "utf-8",
        "delimiter": ",",
        "exit_code": 3,
        "message": "10 rows: 8 can be sent, 1 has problems, 1 is the same as an earlier row.",
    }


LISTED = {
    "run_id": "20260314-1200-a1b2",
    "kind": "run",
    "state": "unfinished",
    "exit_code": None,
    "rows": 2,
    "settled": 0,
    "org": "acme",
    "environment": "production",
    "file": "/in/locks.csv",
    "started_at": "2026-03-14T12:00:00+00:00",
    "output": None,
}


def listed_run(**changes: Any) -> Run:
    info = run_info(run_id=LISTED["run_id"], file="/in/locks.csv", started_at=NOW)
    return run_record(info, **{"figures": figures_of(left=2)} | changes)


def test_the_json_of_the_list_of_runs_has_one_object_for_each() -> None:
    assert json.loads(json.dumps(runs_json([listed_run()]))) == {
        "runs": [LISTED],
        "exit_code": 0,
        "message": "1 runs",
    }


def test_the_json_of_a_run_that_ended_has_its_exit_code_and_results() -> None:
    run = listed_run(
        state=RunState.FINISHED, exit_code=3, results="/out.csv", figures=figures_of(updated=2)
    )
    ended = {"state": "finished", "exit_code": 3, "settled": 2, "output": "/out.csv"}
    assert json.loads(json.dumps(runs_json([run])))["runs"] == [LISTED | ended]


@pytest.mark.parametrize("state", list(RunState))
def test_a_run_is_finished_for_a_script_when_it_cannot_be_resumed(state: RunState) -> None:
    (listed,) = runs_json([listed_run(state=state)])["runs"]
    assert listed["state"] == ("finished" if state in CLOSED else "unfinished")


def test_the_json_of_show_has_the_family_and_its_total() -> None:
    totals = Totals(requests=5, credits_used=4)
    first = listed_run(figures=replace(figures_of(updated=1, left=1), totals=totals))
    value = json.loads(json.dumps(show_json(SUMMARY, Path("/out.csv"), [first], story_of([first]))))
    assert value["family"] == [LISTED | {"settled": 1}]
    assert value["story"] == {
        "runs": 1,
        "rows": 2,
        "settled": 1,
        "requests": 5,
        "credits_used": 4,
        "counts": dict.fromkeys(Result, 0) | {"updated": 1, "not_sent": 1},
        "undone": 0,
    }
    assert list(value)[: len(RUN_KEYS)] == RUN_KEYS


def test_an_error_has_every_key_of_its_command() -> None:
    run = empty_json("run", "in.csv", exit_code=2, message="No.")
    assert list(run) == RUN_KEYS
    assert NO_PREVIEW.items() <= run.items()
    show = empty_json("show", None, exit_code=2, message="No.")
    assert (
        show.keys()
        == show_json(SUMMARY, None, [], story_of([])).keys()
        == run.keys() | {"family", "story"}
    )
    check = empty_json("check", "in.csv", exit_code=4, message="No.")
    assert check.keys() == {
        *("file", "sheet", "rows", "valid", "invalid", "duplicate", "problems"),
        *("encoding", "delimiter", "exit_code", "message", "causes", "output", "plan"),
        *("action", "read_as", "notes", "finished_before"),
    }
    runs = empty_json("runs", None, exit_code=2, message="No.")
    assert runs.keys() == {"runs", "file", "sheet", "exit_code", "message"}
