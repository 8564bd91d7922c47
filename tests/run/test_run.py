import json
import signal
from pathlib import Path

import pytest
from support.commands import POSIX, TIMEOUT_SECONDS, RunCommand
from support.forked_command import forked
from support.runs import (
    BAD_GATEWAY,
    BROKEN,
    DROPPED_AFTER,
    DROPPED_AFTER_ONCE,
    NOT_LOCKED,
    REJECTED,
    REVOKED_ONCE,
    STATE,
    THROTTLED,
    journals,
    results,
    rows_with_status,
    wait_until,
)
from support.sheets import TITLES, balanced, lines, lock, record, rows, sheet
from support.zoho import ORG_CALLS, StandIn, Start

from batchlock.simulator import lock_id_of


@pytest.mark.usefixtures("measured")
def test_every_row_is_updated_and_reported_in_the_order_of_the_file(
    stand_in: Start, run_subprocess: RunCommand
) -> None:
    org = stand_in("--latency", "30ms")
    org.config(state_directory=str(STATE))
    content = rows(60)[::-1]
    completed = run_subprocess("run", sheet("in.csv", content), "--json", "--in-flight", 7)
    result = completed.json
    table = lines(result["output"])
    locks = org.locks()
    state = org.state()
    assert (completed.code, result["exit_code"], balanced(result)) == (0, 0, {"updated": 60})
    assert [tuple(line[title] for title in TITLES) for line in table] == content
    assert [line["Source row"] for line in table] == list(range(2, 62))
    assert {key: result["reason"] for key, result in locks.items()} == {
        f"{module}/{record_id}": reason for module, record_id, _, reason in content
    }
    assert {result["updates"] for result in locks.values()} == {1}
    assert state["token_requests"] == 1
    assert state["in_flight_peak"] == result["in_flight_peak"] == 7
    assert (state["calls"]["put"], state["calls"]["other"]) == (60, ORG_CALLS)
    assert result["requests"] == result["credits_used"] == 60 + ORG_CALLS
    assert result["resume"] is None
    assert result["causes"] == []


def test_the_token_is_stored_for_the_next_run(org: StandIn, run_in_process: RunCommand) -> None:
    run_in_process("run", sheet("one.csv", rows(1)))
    assert run_in_process("run", sheet("two.csv", rows(1, first=2))).code == 0
    assert org.state()["token_requests"] == 1


def test_a_lost_token_is_renewed_once_for_all(org: StandIn, run_in_process: RunCommand) -> None:
    content = [*rows(10), ("Leads", REVOKED_ONCE, lock(99), "why")]
    result = run_in_process("run", sheet("in.csv", content), "--json").json
    assert balanced(result) == {"updated": 11}
    assert org.state()["token_requests"] == 2


@POSIX
def test_calls_start_no_faster_than_the_rate(org: StandIn) -> None:
    file = sheet("in.csv", rows(100))
    # 100 seconds between two starts: on no machine does the second call start within the test.
    with forked("run", file, "--json", "--per-second", "0.01", "--in-flight", 10) as process:
        wait_until(lambda: org.state()["updates"] > 0, process)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=TIMEOUT_SECONDS)
    assert balanced(json.loads(out)) == {"updated": 1, "not_sent": 99}
    assert org.state()["calls"]["put"] == 1


@POSIX
def test_a_429_holds_all_calls(stand_in: Start) -> None:
    zoho = stand_in("--throttle-at", 12 + ORG_CALLS, "--retry-after", "100s", "--latency", "20ms")
    zoho.config(state_directory=str(STATE))
    with forked("run", sheet("in.csv", rows(40)), "--json", "--in-flight", 4) as process:
        wait_until(lambda: zoho.state()["throttled"] > 0, process)
        # The calls in flight finish, then nothing more is sent for 100 seconds.
        journal = journals()[0]
        wait_until(lambda: rows_with_status(journal, "updated") >= 11, process)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=TIMEOUT_SECONDS)
    result = json.loads(out)
    counts = balanced(result)
    # 11 before the refused call, and at most the 3 that were in flight beside it.
    assert 11 <= counts["updated"] <= 14
    assert counts["not_sent"] == 40 - counts["updated"]
    assert result["requests"] == counts["updated"] + 1 + ORG_CALLS
    assert result["credits_used"] == counts["updated"] + ORG_CALLS
    assert zoho.state()["throttled"] == 1


def test_a_run_after_a_429_sends_every_row(stand_in: Start, run_in_process: RunCommand) -> None:
    zoho = stand_in("--throttle-at", 12 + ORG_CALLS, "--retry-after", "10ms", "--latency", "20ms")
    zoho.config(state_directory=str(STATE))
    result = run_in_process("run", sheet("in.csv", rows(40)), "--json", "--in-flight", 4).json
    assert balanced(result) == {"updated": 40}
    assert (result["requests"], result["credits_used"]) == (41 + ORG_CALLS, 40 + ORG_CALLS)


def test_lock_ids_are_looked_up_when_the_column_is_missing(
    org: StandIn, run_in_process: RunCommand
) -> None:
    content = [(module, record_id, reason) for module, record_id, _, reason in rows(4)]
    file = sheet("in.csv", content, ("Module", "Record Id", "Reason"))
    result = run_in_process("run", file, "--json").json
    table = org.locks()
    assert balanced(result) == {"updated": 4}
    assert org.state()["calls"]["get"] == 4
    assert [line["Attempts"] for line in lines(result["output"])] == [2] * 4
    for _, record_id, reason in content:
        assert table[f"Leads/{record_id}"] == {
            "lock_id": lock_id_of(record_id),
            "reason": reason,
            "updates": 1,
            "locks": 0,
            "unlocks": 0,
        }


def test_a_look_up_that_shows_the_reason_sends_nothing(
    org: StandIn, run_in_process: RunCommand
) -> None:
    content = [("Leads", record(1), "", "Locked before"), ("Leads", NOT_LOCKED, "", "why")]
    completed = run_in_process("run", sheet("in.csv", content), "--json")
    assert results(completed.json) == ["unchanged", "rejected"]
    assert org.state()["calls"]["put"] == 0
    assert completed.code == 3


def test_blank_lock_ids_are_problems_when_they_are_not_looked_up(
    org: StandIn, run_in_process: RunCommand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BATCHLOCK_INPUT__LOOKUP_LOCK_IDS", "no")
    content = [*rows(1), ("Leads", record(2), "", "why")]
    result = run_in_process("run", sheet("in.csv", content), "--json").json
    assert results(result) == ["updated", "invalid"]
    assert lines(result["output"])[1]["Code"] == "missing_value"
    assert org.state()["calls"]["get"] == 0


def test_each_row_has_the_result_of_its_own_answer(
    org: StandIn, run_in_process: RunCommand
) -> None:
    org.config(state_directory=str(STATE), retry={"attempts": 2, "first_wait": 0.01, "timeout": 5})
    content = [
        ("Leads", record(1), lock(1), "fine"),
        ("Leads", REJECTED, lock(2), "why"),
        ("Leads", BROKEN, lock(3), "why"),
        ("Leeds", record(4), lock(4), "why"),
        ("leads", record(1), lock(1), "fine"),
        ("Leads", DROPPED_AFTER, lock(6), "landed"),
        ("Leads", DROPPED_AFTER_ONCE, lock(7), "landed"),
        ("Leads", BAD_GATEWAY, lock(8), "why"),
        ("Leads", record(9), "", "Locked before"),
        ("Leads", REJECTED, lock(2), "why"),
    ]
    completed = run_in_process("run", sheet("in.csv", content), "--json")
    result = completed.json
    table = lines(result["output"])
    assert (completed.code, result["exit_code"]) == (3, 3)
    assert [line["Result"] for line in table] == [
        "updated",
        "rejected",
        "failed",
        "invalid",
        "duplicate",
        "updated",
        "updated",
        "failed",
        "unchanged",
        "duplicate",
    ]
    assert balanced(result) == {
        "updated": 3,
        "unchanged": 1,
        "rejected": 1,
        "failed": 2,
        "invalid": 1,
        "duplicate": 2,
    }
    assert (table[1]["HTTP status"], table[1]["Code"]) == (400, "INVALID_DATA")
    assert table[2]["HTTP status"] == 500
    assert table[3]["Code"] == "unknown_module"
    assert "Leeds" in table[3]["Message"]
    assert "Leads" in table[3]["Message"]
    assert table[4]["Message"] == "The same as row 2, which was updated."
    assert table[9]["Message"] == "The same as row 3, which was rejected."
    assert all(line["What to do"] for line in table if line["Result"] in ("rejected", "failed"))
    assert table[0]["Row check"] == table[4]["Row check"] != table[1]["Row check"]
    assert not table[3]["Row check"]
    causes = {(cause["result"], cause["code"]): cause for cause in result["causes"]}
    assert causes["rejected", "INVALID_DATA"]["ranges"] == "3"
    assert causes["invalid", "unknown_module"]["rows"] == 1
    assert result["resume"] is None


def test_a_row_with_no_other_answer_than_429_is_not_sent(
    org: StandIn, run_in_process: RunCommand
) -> None:
    org.config(state_directory=str(STATE), retry={"first_wait": 0.05, "give_up_after": 0.5})
    content = [("Leads", THROTTLED, lock(1), "why")]
    completed = run_in_process("run", sheet("in.csv", content), "--json")
    assert (completed.code, balanced(completed.json)) == (6, {"not_sent": 1})
    assert completed.json["resume"]
    assert completed.json["credits_used"] == ORG_CALLS


def test_the_columns_of_the_input_are_in_the_results_unchanged(
    org: StandIn, run_in_process: RunCommand
) -> None:
    titles = (*TITLES, "Result", "Note", "Message")
    content = [(*rows(1)[0], "mine", "=1+1", "-x"), (*rows(1, first=2)[0], "", "é, “q”", "'a")]
    result = run_in_process("run", sheet("in.csv", content, titles), "--json", "-o", "out.csv").json
    table = lines(result["output"])
    assert [(line["Result"], line["Result (batchlock)"]) for line in table] == [
        ("mine", "updated"),
        ("", "updated"),
    ]
    assert [line["Note"] for line in table] == ["'=1+1", "é, “q”"]
    assert [line["Message"] for line in table] == ["'-x", "''a"]


def test_a_file_without_rows_succeeds(org: StandIn, run_in_process: RunCommand) -> None:
    completed = run_in_process("run", sheet("in.csv", []), "--json")
    assert (completed.code, completed.json["rows"], balanced(completed.json)) == (0, 0, {})
    assert Path(completed.json["output"]).exists()
    assert org.state()["calls"]["put"] == 0
