import asyncio
import json
import os
import signal
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from subprocess import Popen
from typing import Any

import pytest
from support.commands import PATIENCE, POSIX, Run, started
from support.sheets import TITLES, balanced, lines, lock, record, rows, sheet
from support.zoho import StandIn, Start

from batchlock import config
from batchlock.core.cancel import CancelToken
from batchlock.core.errors import UsageError
from batchlock.core.observer import RunObserver
from batchlock.core.options import RunOptions
from batchlock.core.results import Result
from batchlock.run import Runner
from batchlock.simulator import lock_id_of

STATE = Path("state")
REJECTED = "990000000000000103"
BROKEN = "990000000000000201"
BAD_GATEWAY = "990000000000000202"
DROPPED_AFTER = "990000000000000204"
THROTTLED = "990000000000000209"
DROPPED_AFTER_ONCE = "990000000000000304"
REVOKED_ONCE = "990000000000000312"
NOT_LOCKED = "990000000000000401"
NO_EDITION = "990000000000000501"
NO_API_ACCESS = "990000000000000502"
NEVER_VALID = "990000000000000505"


def until(is_so: Callable[[], bool], process: Popen[str]) -> None:
    """Wait for what happens in another process, which must not end before."""
    end = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < end, "it never happened"
        assert process.poll() is None, "the command ended first"
        time.sleep(0.02)


def by_row(told: dict[str, Any]) -> dict[int, dict[str, Any]]:
    return {int(line["Source row"]): line for line in lines(told["output"])}


def runner() -> Runner:
    """Return what the page makes runs with."""
    return Runner(config.load(environment=os.environ), RunOptions(), CancelToken(), RunObserver())


def results(told: dict[str, Any]) -> list[str]:
    return [line["Result"] for line in lines(told["output"])]


def journals(org: str = "default") -> list[Path]:
    return sorted((STATE / "runs" / org).glob("*.journal"))


# -- a run that goes well ------------------------------------------------------------------


def test_every_row_is_updated_and_the_results_are_in_the_order_of_the_file(
    stand_in: Start, cli: Run
) -> None:
    org = stand_in("--latency", "30ms")
    org.config(state_directory=str(STATE))
    content = rows(60)[::-1]
    done = cli("run", sheet("in.csv", content), "--json", "--in-flight", 7)
    told = done.json
    found = lines(told["output"])
    locks = org.locks()
    state = org.state()
    assert (done.code, told["exit_code"], balanced(told)) == (0, 0, {"updated": 60})
    assert [tuple(line[title] for title in TITLES) for line in found] == content
    assert [line["Source row"] for line in found] == list(range(2, 62))
    assert {key: told["reason"] for key, told in locks.items()} == {
        f"{module}/{record_id}": reason for module, record_id, _, reason in content
    }
    assert {told["updates"] for told in locks.values()} == {1}
    assert state["token_requests"] == 1
    assert state["in_flight_peak"] == told["in_flight_peak"] == 7
    assert state["calls"]["put"] == told["requests"] == told["credits_used"] == 60
    assert told["resume"] is None
    assert told["causes"] == []


def test_the_token_is_kept_for_the_next_run(org: StandIn, here: Run) -> None:
    here("run", sheet("one.csv", rows(1)))
    assert here("run", sheet("two.csv", rows(1, first=2))).code == 0
    assert org.state()["token_requests"] == 1


def test_a_lost_token_is_renewed_once_for_all(org: StandIn, here: Run) -> None:
    content = [*rows(10), ("Leads", REVOKED_ONCE, lock(99), "why")]
    told = here("run", sheet("in.csv", content), "--json").json
    assert balanced(told) == {"updated": 11}
    assert org.state()["token_requests"] == 2


def test_calls_go_out_no_faster_than_asked(org: StandIn, here: Run) -> None:
    file = sheet("in.csv", rows(15))
    told = here("run", file, "--json", "--per-second", "20", "--in-flight", "10").json
    arrivals = org.calls()["arrivals"]
    assert balanced(told) == {"updated": 15}
    # 15 starts at 20 a second are 14 pauses of 50 ms; a call may be late, but the first cannot be.
    assert arrivals[-1] - arrivals[0] >= 14 / 20 - 0.2


def test_a_429_holds_everyone(stand_in: Start, here: Run) -> None:
    zoho = stand_in("--throttle-at", 12, "--retry-after", "1s", "--latency", "20ms")
    zoho.config(state_directory=str(STATE))
    told = here("run", sheet("in.csv", rows(40)), "--json", "--in-flight", 4).json
    calls = zoho.calls()
    (refused,) = [i for i, mark in enumerate(calls["throttled"]) if mark]
    at = calls["arrivals"][refused]
    # Calls that had started before the refusal was known may still arrive in its wake.
    later = [arrival - at for arrival in calls["arrivals"] if arrival > at + 0.25]
    assert balanced(told) == {"updated": 40}
    assert told["requests"] == 41
    assert told["credits_used"] == 40
    assert min(later) >= 0.95
    assert zoho.state()["throttled"] == 1


def test_lock_ids_are_looked_up_when_the_column_is_missing(org: StandIn, here: Run) -> None:
    content = [(module, record_id, reason) for module, record_id, _, reason in rows(4)]
    file = sheet("in.csv", content, ("Module", "Record Id", "Reason"))
    told = here("run", file, "--json").json
    found = org.locks()
    assert balanced(told) == {"updated": 4}
    assert org.state()["calls"]["get"] == 4
    assert [line["Attempts"] for line in lines(told["output"])] == [2] * 4
    for _, record_id, reason in content:
        assert found[f"Leads/{record_id}"] == {
            "lock_id": lock_id_of(record_id),
            "reason": reason,
            "updates": 1,
        }


def test_a_look_up_that_shows_the_reason_sends_nothing(org: StandIn, here: Run) -> None:
    content = [("Leads", record(1), "", "Locked before"), ("Leads", NOT_LOCKED, "", "why")]
    done = here("run", sheet("in.csv", content), "--json")
    assert results(done.json) == ["unchanged", "rejected"]
    assert org.state()["calls"]["put"] == 0
    assert done.code == 3


def test_blank_lock_ids_are_problems_when_they_are_not_looked_up(
    org: StandIn, here: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BATCHLOCK_INPUT__LOOKUP_LOCK_IDS", "no")
    content = [*rows(1), ("Leads", record(2), "", "why")]
    told = here("run", sheet("in.csv", content), "--json").json
    assert results(told) == ["updated", "invalid"]
    assert lines(told["output"])[1]["Code"] == "missing_value"
    assert org.state()["calls"]["get"] == 0


# -- rows that do not get through ----------------------------------------------------------


def test_each_row_ends_in_its_own_way(org: StandIn, here: Run) -> None:
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
    done = here("run", sheet("in.csv", content), "--json")
    told = done.json
    found = lines(told["output"])
    assert (done.code, told["exit_code"]) == (3, 3)
    assert [line["Result"] for line in found] == [
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
    assert balanced(told) == {
        "updated": 3,
        "unchanged": 1,
        "rejected": 1,
        "failed": 2,
        "invalid": 1,
        "duplicate": 2,
    }
    assert (found[1]["HTTP status"], found[1]["Code"]) == (400, "INVALID_DATA")
    assert found[2]["HTTP status"] == 500
    assert found[3]["Code"] == "unknown_module"
    assert "Leeds" in found[3]["Message"]
    assert "Leads" in found[3]["Message"]
    assert found[4]["Message"] == "The same as row 2, which was updated."
    assert found[9]["Message"] == "The same as row 3, which was rejected."
    assert all(line["What to do"] for line in found if line["Result"] in ("rejected", "failed"))
    assert found[0]["Row check"] == found[4]["Row check"] != found[1]["Row check"]
    assert not found[3]["Row check"]
    causes = {(cause["result"], cause["code"]): cause for cause in told["causes"]}
    assert causes["rejected", "INVALID_DATA"]["ranges"] == "3"
    assert causes["invalid", "unknown_module"]["rows"] == 1
    assert told["resume"] is None


def test_a_row_that_only_ever_met_429_is_not_sent(org: StandIn, here: Run) -> None:
    org.config(state_directory=str(STATE), retry={"first_wait": 0.05, "give_up_after": 0.5})
    content = [("Leads", THROTTLED, lock(1), "why")]
    done = here("run", sheet("in.csv", content), "--json")
    assert (done.code, balanced(done.json)) == (6, {"not_sent": 1})
    assert done.json["resume"]
    assert done.json["credits_used"] == 0


def test_input_columns_come_back_as_they_were(org: StandIn, here: Run) -> None:
    titles = (*TITLES, "Result", "Note", "Message")
    content = [(*rows(1)[0], "mine", "=1+1", "-x"), (*rows(1, first=2)[0], "", "é, “q”", "'a")]
    told = here("run", sheet("in.csv", content, titles), "--json", "-o", "out.csv").json
    found = lines(told["output"])
    assert [(line["Result"], line["Result (batchlock)"]) for line in found] == [
        ("mine", "updated"),
        ("", "updated"),
    ]
    assert [line["Note"] for line in found] == ["'=1+1", "é, “q”"]
    assert [line["Message"] for line in found] == ["'-x", "''a"]


# -- ends before the last row --------------------------------------------------------------


def test_a_dead_refresh_token_ends_the_run_before_anything_is_sent(
    stand_in: Start, here: Run
) -> None:
    zoho = stand_in()
    zoho.config(state_directory=str(STATE), zoho={"refresh_token": "revoked"})
    file = sheet("in.csv", rows(5))
    done = here("run", file, "--json")
    told = done.json
    assert (done.code, told["exit_code"], balanced(told)) == (5, 5, {"not_sent": 5})
    assert results(told) == ["not_sent"] * 5
    assert zoho.state()["calls"]["put"] == 0
    assert "batchlock login" in told["message"]
    assert "revoked" not in told["message"].replace("it was revoked", "")
    zoho.config(state_directory=str(STATE))
    again = here(*told["resume"].split()[1:], "--json")
    assert (again.code, balanced(again.json)) == (0, {"updated": 5})
    assert again.json["run_id"] == told["run_id"]


@pytest.mark.parametrize(
    ("magic", "code", "word"),
    [
        (NO_EDITION, 6, "edition"),
        (NO_API_ACCESS, 5, "Zoho CRM API Access"),
        (NEVER_VALID, 5, "data centre"),
    ],
)
def test_what_is_true_for_every_row_ends_the_run(
    org: StandIn, here: Run, magic: str, code: int, word: str
) -> None:
    content = [("Leads", magic, lock(999), "why"), *rows(200)]
    done = here("run", sheet("in.csv", content), "--json", "--in-flight", 1)
    told = done.json
    assert done.code == told["exit_code"] == code
    assert word in told["message"]
    assert balanced(told)["not_sent"] >= 190
    assert results(told)[0] == "not_sent"
    assert told["resume"]


def test_an_outage_stops_the_run_and_resume_finishes_it(stand_in: Start, here: Run) -> None:
    zoho = stand_in("--fail-from", 6, "--fail-calls", 20)
    zoho.config(
        state_directory=str(STATE),
        retry={"attempts": 2, "first_wait": 0.01},
        stop={"consecutive_failures": 3},
    )
    done = here("run", sheet("in.csv", rows(30)), "--json", "--in-flight", 1)
    told = done.json
    counts = balanced(told)
    assert (done.code, counts["updated"], counts["failed"]) == (6, 5, 3)
    assert "3 rows in a row failed" in told["message"]
    while zoho.state()["answers"].get("500", 0) < 20:
        here("run", sheet("other.csv", rows(3, first=100)), "--fresh")
    again = here("resume", told["run_id"], "--json")
    assert (again.code, balanced(again.json)) == (3, {"updated": 27, "failed": 3})


def test_the_same_refusal_of_the_first_rows_stops_the_run(org: StandIn, here: Run) -> None:
    content = [("Not_Configured", record(n), lock(n), "why") for n in range(1, 61)]
    org.config(state_directory=str(STATE), input={"custom_modules": ["Not_Configured"]})
    done = here("run", sheet("in.csv", content), "--json")
    assert done.code == 6
    assert 20 <= balanced(done.json)["rejected"] <= 20 + 8  # those in flight by then
    assert "Record locking is not set up" in done.json["message"]


@pytest.mark.parametrize(
    ("module", "result"), [("Not_Configured", "rejected"), ("Leads", "failed")]
)
def test_a_rule_that_stops_after_the_last_row_leaves_nothing_to_resume(
    stand_in: Start, here: Run, module: str, result: str
) -> None:
    stand_in(*([] if result == "rejected" else ["--fail-from", 1])).config(
        state_directory=str(STATE),
        input={"custom_modules": ["Not_Configured"]},
        retry={"attempts": 1},
        stop={"consecutive_failures": 4, "same_refusal": 4},
    )
    content = rows(4, module=module)
    done = here("run", sheet("in.csv", content), "--json")
    assert (done.code, balanced(done.json)) == (3, {result: 4})
    assert done.json["resume"] is None
    assert "esume" not in done.json["message"]
    assert "no unfinished run" in here("resume").out


@pytest.mark.parametrize("option", ["--max-runtime", "--until"])
def test_a_run_ends_when_its_time_is_over(stand_in: Start, here: Run, option: str) -> None:
    zoho = stand_in("--latency", "200ms")
    zoho.config(state_directory=str(STATE))
    value = "1500ms"
    if option == "--until":
        # A minute is the finest `until` there is: too long to wait for, so it is only taken in.
        value = time.strftime("%H:%M", time.localtime(time.time() + 7200))
    content = rows(200) if option == "--max-runtime" else rows(2)
    done = here("run", sheet("in.csv", content), "--json", option, value)
    if option == "--until":
        assert (done.code, balanced(done.json)) == (0, {"updated": 2})
        return
    assert (done.code, done.json["exit_code"]) == (6, 6)
    assert "the time for this run is over" in done.json["message"]
    counts = balanced(done.json)
    assert set(counts) <= {"updated", "not_sent"}
    assert counts.get("updated", 0) == zoho.state()["updates"]


@pytest.mark.parametrize(
    ("number", "code"),
    [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 129)],
)
@POSIX
def test_a_signal_ends_the_run_and_the_same_command_goes_on(
    stand_in: Start, here: Run, number: str, code: int
) -> None:
    zoho = stand_in("--latency", "50ms")
    zoho.config(state_directory=str(STATE))
    file = sheet("in.csv", rows(120))
    with started("run", file, "--json", "--in-flight", 3) as process:
        until(lambda: zoho.state()["updates"] >= 10, process)
        process.send_signal(getattr(signal, number))
        out, _ = process.communicate(timeout=PATIENCE)
    told = json.loads(out)
    counts = balanced(told)
    assert process.returncode == told["exit_code"] == code
    assert set(counts) == {"updated", "not_sent"}
    assert counts["updated"] == zoho.state()["updates"]
    assert (
        sorted(results(told)) == ["not_sent"] * counts["not_sent"] + ["updated"] * counts["updated"]
    )
    again = here("run", file, "--json", "--in-flight", 20)
    assert (again.code, balanced(again.json)) == (0, {"updated": 120})
    assert again.json["run_id"] == told["run_id"]
    assert zoho.state()["updates"] == 120


@POSIX
def test_a_signal_while_the_file_is_read_ends_the_command(org: StandIn) -> None:
    file = sheet("in.csv", rows(60_000))
    with started("run", file, "--json") as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "Reading in.csv.\n"
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=PATIENCE)
    told = json.loads(out)
    assert process.returncode == told["exit_code"] == 143
    assert org.state()["calls"]["put"] == 0
    assert journals() == []


def test_a_killed_run_goes_on_and_settles_what_was_under_way(stand_in: Start, here: Run) -> None:
    zoho = stand_in("--latency", "100ms")
    zoho.config(state_directory=str(STATE))
    file = sheet("in.csv", rows(100))
    with started("run", file, "--in-flight", 5) as process:
        until(lambda: zoho.state()["updates"] >= 12, process)
        process.kill()
        process.wait(PATIENCE)
    (journal,) = journals()
    with sqlite3.connect(journal) as sql:
        (sending,) = sql.execute(
            "SELECT count(*) FROM progress WHERE status = 'sending'"
        ).fetchone()
    sql.close()
    assert sending > 0
    shown = here("report", journal.stem, "--json").json
    assert balanced(shown)["unknown"] == sending
    again = here("run", file, "--json", "--in-flight", 20)
    assert (again.code, balanced(again.json)) == (0, {"updated": 100})
    found = lines(again.json["output"])
    assert [line["Source row"] for line in found] == list(range(2, 102))
    assert zoho.state()["calls"]["get"] == sending
    assert {told["updates"] for told in zoho.locks().values()} == {1}
    assert len(zoho.locks()) == 100
    settled = [line for line in found if "asked again" in (line["Message"] or "")]
    assert 0 < len(settled) <= sending


def test_the_end_of_an_older_session_is_not_told_of_a_killed_one(
    stand_in: Start, here: Run
) -> None:
    zoho = stand_in("--latency", "100ms")
    zoho.config(state_directory=str(STATE))
    file = sheet("in.csv", rows(100))
    told = here("run", file, "--json", "--max-runtime", "1ms").json
    assert "the time for this run is over" in here("show", told["run_id"]).out
    with started("resume", "--in-flight", 5) as process:
        until(lambda: zoho.state()["updates"] >= 12, process)
        for _ in range(2):
            shown = here("show", told["run_id"]).out
            assert "the time for this run is over" not in shown
            assert "It has not come to its end yet." in shown
            process.kill()
            process.wait(PATIENCE)


@POSIX
def test_a_rehearsal_is_never_taken_for_the_real_thing(org: StandIn, here: Run) -> None:
    file = sheet("in.csv", rows(120))
    with started("run", file, "--simulate", "--json", "--in-flight", 1) as process:
        assert process.stderr is not None
        assert "Reading" in process.stderr.readline()
        assert "Sending" in process.stderr.readline()
        time.sleep(0.7)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=PATIENCE)
    rehearsed = json.loads(out)
    assert process.returncode == 130
    assert 0 < balanced(rehearsed)["updated"] < 120
    assert org.state()["calls"]["put"] == 0
    done = here("run", file, "--json")
    assert (done.code, balanced(done.json)) == (0, {"updated": 120})
    assert done.json["run_id"] != rehearsed["run_id"]
    assert "Resuming" not in done.err
    assert len(org.locks()) == 120


@POSIX
def test_a_second_run_at_the_same_org_is_turned_away(stand_in: Start, here: Run) -> None:
    zoho = stand_in("--latency", "200ms")
    zoho.config(state_directory=str(STATE))
    with started("run", sheet("one.csv", rows(100))) as process:
        until(lambda: zoho.state()["updates"] > 0, process)
        done = here("run", sheet("two.csv", rows(1, first=500)), "--json")
        resumed = here("resume", "--json")
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=PATIENCE)
    assert done.code == done.json["exit_code"] == 7
    assert "one.csv" in done.json["message"]
    assert str(process.pid) in done.json["message"]
    assert resumed.code == 7
    assert f"Leads/{record(500)}" not in zoho.locks()


# -- the same thing again ------------------------------------------------------------------


def test_a_finished_run_says_so_and_runs_again(org: StandIn, here: Run) -> None:
    file = sheet("in.csv", rows(3))
    first = here("run", file, "--json")
    second = here("run", file, "--json")
    assert "was finished before" in second.err
    assert balanced(second.json) == {"updated": 3}
    assert second.json["run_id"] != first.json["run_id"]
    assert first.json["output"] != second.json["output"]
    assert org.state()["updates"] == 6


@pytest.mark.parametrize(
    ("options", "resumes"),
    [
        ((), True),
        (("-o", "elsewhere.csv"), True),
        (("--column", "reason=Reason"), False),
        (("--fresh",), False),
    ],
)
def test_only_the_same_thing_is_resumed(
    stand_in: Start, here: Run, options: tuple[str, ...], resumes: bool
) -> None:
    zoho = stand_in()
    file = sheet("in.csv", rows(4))
    zoho.config(state_directory=str(STATE), zoho={"refresh_token": "revoked"})
    before = here("run", file, "--json").json
    zoho.config(state_directory=str(STATE))
    after = here("run", file, "--json", *options)
    assert (after.json["run_id"] == before["run_id"]) is resumes
    assert ("Resuming run" in after.err) is resumes
    assert ("--fresh starts anew" in after.err) is resumes
    assert balanced(after.json) == {"updated": 4}


def test_a_fresh_run_leaves_no_older_one_to_resume(org: StandIn, here: Run) -> None:
    file = sheet("in.csv", rows(4))
    before = here("run", file, "--json", "--max-runtime", "1ms").json
    assert balanced(before) == {"not_sent": 4}
    fresh = here("run", file, "--json", "--fresh").json
    assert balanced(fresh) == {"updated": 4}
    assert "no unfinished run" in here("resume").out
    assert "no unfinished run" in here("resume", before["run_id"]).out
    assert f"began anew as run {fresh['run_id']}" in here("show", before["run_id"]).out
    assert org.state()["updates"] == 4


def test_a_changed_file_is_another_thing(stand_in: Start, here: Run) -> None:
    zoho = stand_in()
    zoho.config(state_directory=str(STATE), zoho={"refresh_token": "revoked"})
    before = here("run", sheet("in.csv", rows(4)), "--json").json
    zoho.config(state_directory=str(STATE))
    after = here("run", sheet("in.csv", rows(3)), "--json").json
    assert after["run_id"] != before["run_id"]
    assert balanced(after) == {"updated": 3}


@pytest.mark.parametrize("command", ["resume", "retry"])
def test_a_run_does_not_go_on_at_another_address(stand_in: Start, here: Run, command: str) -> None:
    zoho = stand_in()
    zoho.config(state_directory=str(STATE), zoho={"refresh_token": "revoked"})
    before = here("run", sheet("in.csv", rows(2)), "--json").json
    zoho.config(state_directory=str(STATE), zoho={"environment": "sandbox"})
    after = here(command, before["run_id"], "--json")
    assert after.code == 2
    assert len(journals()) == 1
    assert "production" in after.json["message"]
    assert "sandbox" in after.json["message"]
    assert zoho.state()["calls"]["put"] == 0


def test_no_retry_is_made_for_another_address(org: StandIn, here: Run) -> None:
    told = here("run", sheet("in.csv", [("Leads", REJECTED, lock(8), "why")]), "--json").json
    org.config(state_directory=str(STATE), zoho={"environment": "sandbox"})
    with pytest.raises(UsageError, match=r"belongs to production .* says sandbox"):
        runner().start_retry(told["run_id"])
    assert len(journals()) == 1


def test_the_results_come_from_the_journal_when_the_file_is_gone(
    stand_in: Start, here: Run
) -> None:
    zoho = stand_in()
    zoho.config(state_directory=str(STATE), zoho={"refresh_token": "revoked"})
    file = sheet("in.csv", rows(4))
    told = here("run", file, "--json").json
    file.unlink()
    zoho.config(state_directory=str(STATE))
    done = here("resume", "--json", "-o", "out.csv")
    assert (done.code, done.json["run_id"]) == (0, told["run_id"])
    assert "--fresh" not in done.err
    assert [tuple(line[title] for title in TITLES) for line in lines("out.csv")] == rows(4)


def test_results_given_back_send_only_what_is_left(org: StandIn, here: Run) -> None:
    content = [*rows(3), ("Leads", REJECTED, lock(8), "why"), ("Leeds", record(9), lock(9), "why")]
    first = here("run", sheet("in.csv", content), "--json", "-o", "first.xlsx").json
    assert results(first) == ["updated"] * 3 + ["rejected", "invalid"]
    import openpyxl

    book = openpyxl.load_workbook("first.xlsx")
    page = book["Results"]
    titles = [cell.value for cell in page[1]]
    page.cell(row=3, column=titles.index("Reason") + 1).value = "another"
    page.cell(row=5, column=titles.index("Record Id") + 1).value = record(8)
    page.cell(row=6, column=titles.index("Module") + 1).value = "Leads"
    book.save("first.xlsx")
    book.close()
    puts = org.state()["calls"]["put"]
    again = here("run", "first.xlsx", "--json", "-o", "second.xlsx").json
    found = lines("second.xlsx")
    assert [line["Result"] for line in found] == [
        "unchanged",
        "updated",
        "unchanged",
        "updated",
        "updated",
    ]
    assert list(found[0]) == titles
    assert org.state()["calls"]["put"] == puts + 3
    assert org.locks()[f"Leads/{record(2)}"]["reason"] == "another"
    assert balanced(again) == {"updated": 3, "unchanged": 2}


def test_csv_results_can_be_given_back_too(org: StandIn, here: Run) -> None:
    content = [*rows(2), ("Leads", REJECTED, lock(8), "=why")]
    here("run", sheet("in.csv", content), "-o", "first.csv")
    again = here("run", "first.csv", "--json", "-o", "second.csv").json
    assert balanced(again) == {"unchanged": 2, "rejected": 1}
    assert org.state()["calls"]["put"] == 4


def test_retry_sends_the_rows_that_were_not_updated(stand_in: Start, here: Run) -> None:
    zoho = stand_in("--fail-from", 3, "--fail-calls", 2)
    zoho.config(state_directory=str(STATE), retry={"attempts": 1, "first_wait": 0.01})
    content = [*rows(3), ("Leeds", record(4), lock(4), "why"), rows(3)[2]]
    first = here("run", sheet("in.csv", content), "--json", "--in-flight", 1).json
    assert results(first) == ["updated", "updated", "failed", "invalid", "duplicate"]
    again = here("retry", first["run_id"], "--json")
    assert again.code == 3
    assert again.json["run_id"] != first["run_id"]
    assert again.json["rows"] == len(lines(again.json["output"]))
    assert f"Leads/{record(3)}" in zoho.locks()
    counts = balanced(again.json)
    assert counts["updated"] == 1
    assert counts["invalid"] == 1


def test_there_is_nothing_to_retry_when_all_is_well(org: StandIn, here: Run) -> None:
    told = here("run", sheet("in.csv", rows(2)), "--json").json
    done = here("retry", told["run_id"], "--json")
    assert (done.code, done.json["exit_code"], done.json["rows"]) == (0, 0, 0)
    assert "Every row" in done.json["message"]
    assert org.state()["calls"]["put"] == 2


def test_rows_of_a_run_that_never_goes_on_say_so(org: StandIn, here: Run) -> None:
    file = sheet("in.csv", [*rows(2), ("Leeds", record(4), lock(4), "why")])
    refused = here("run", file, "--strict", "--json").json
    why = "Nothing was sent, because 1 row has problems. Correct the file, then run it again."
    assert by_row(refused)[2]["What to do"] == f"This run does not go on. {why}"
    assert f"This run does not go on. {why}" in here("show", refused["run_id"]).out
    left = here("run", file, "--json", "--max-runtime", "1ms").json
    assert "goes out when the run goes on" in by_row(left)[2]["What to do"]
    new = here("retry", left["run_id"], "--json").json["run_id"]
    again = here("report", left["run_id"], "--json").json
    assert by_row(again)[2]["What to do"].endswith(f"went on as run {new}.")
    resumed = here("resume", left["run_id"])
    assert resumed.code == 0
    assert f"What was left went on as run {new}." in resumed.err


def test_an_interrupted_retry_goes_on(stand_in: Start, here: Run) -> None:
    zoho = stand_in()
    zoho.config(state_directory=str(STATE))
    content = [("Leads", REJECTED, lock(8), "why")]
    first = here("run", sheet("in.csv", content), "--json").json
    zoho.config(state_directory=str(STATE), org="default", zoho={"refresh_token": "revoked"})
    stopped = here("retry", first["run_id"], "--json")
    zoho.config(state_directory=str(STATE))
    gone_on = here("retry", first["run_id"], "--json")
    assert (stopped.code, gone_on.code) == (5, 3)
    assert stopped.json["run_id"] == gone_on.json["run_id"]


def test_a_retry_takes_over_though_it_was_killed_before_it_said_so(
    stand_in: Start, here: Run
) -> None:
    zoho = stand_in()
    zoho.config(state_directory=str(STATE))
    left = here("run", sheet("in.csv", rows(5)), "--json", "--max-runtime", "1ms").json
    new = runner().start_retry(left["run_id"])
    (old,) = (path for path in journals() if path.stem == left["run_id"])
    with sqlite3.connect(old) as sql:
        sql.execute("DELETE FROM run WHERE name = 'end'")
    sql.close()
    finished = here("resume", "--json").json
    assert (finished["run_id"], balanced(finished)) == (new, {"updated": 5})
    assert "no unfinished run" in here("resume").out
    assert "no unfinished run" in here("resume", left["run_id"]).out
    assert {one["state"] for one in here("runs", "--json").json["runs"]} == {"finished"}
    assert zoho.state()["calls"]["put"] == 5


@pytest.mark.parametrize("options", [(), ("--only", "failed")])
def test_a_retry_begins_where_the_retry_before_ended(
    stand_in: Start, here: Run, options: tuple[str, ...]
) -> None:
    zoho = stand_in("--fail-from", 1, "--fail-calls", 4)
    zoho.config(state_directory=str(STATE), retry={"attempts": 1, "first_wait": 0.01})
    first = here("run", sheet("in.csv", rows(2)), "--json", "--in-flight", 1).json
    assert balanced(first) == {"failed": 2}
    begun = here("retry", first["run_id"], "--json", "--max-runtime", "1ms").json
    assert balanced(begun) == {"not_sent": 2}
    done = here("retry", first["run_id"], "--json", *options).json
    assert (done["run_id"], balanced(done)) == (begun["run_id"], {"updated": 2})
    again = here("retry", first["run_id"], "--json", *options)
    assert (again.code, again.json["run_id"]) == (0, None)
    assert zoho.state()["updates"] == 2


def test_refused_rows_that_retries_left_out_are_still_there(stand_in: Start, here: Run) -> None:
    zoho = stand_in("--fail-from", 2, "--fail-calls", 4)
    zoho.config(state_directory=str(STATE), retry={"attempts": 1, "first_wait": 0.01})
    content = [("Leads", REJECTED, lock(8), "why"), *rows(2)]
    first = here("run", sheet("in.csv", content), "--json", "--in-flight", 1).json
    assert results(first) == ["rejected", "failed", "failed"]
    only = ("retry", first["run_id"], "--json", "--only", "failed")
    assert balanced(here(*only).json) == {"updated": 2}
    assert here(*only).json["run_id"] is None
    every = here("retry", first["run_id"], "--json").json
    assert (balanced(every), set(by_row(every))) == ({"rejected": 1}, {2})
    assert zoho.state()["updates"] == 2


def test_report_writes_the_same_results_again(org: StandIn, here: Run) -> None:
    told = here("run", sheet("in.csv", [*rows(2), ("x", "1", "2", "")]), "--json").json
    before = lines(told["output"])
    Path(told["output"]).unlink()
    done = here("report", told["run_id"], "--json")
    assert done.code == done.json["exit_code"] == 3
    assert lines(done.json["output"]) == before
    assert done.json["output"] == told["output"]
    assert {**done.json, "seconds": 0} == {**told, "seconds": 0}
    as_csv = here("report", told["run_id"], "--json", "-o", "again.csv").json
    assert [line["Result"] for line in lines(as_csv["output"])] == ["updated", "updated", "invalid"]


def test_a_run_can_be_reported_and_shown_while_it_is_at_work(stand_in: Start, here: Run) -> None:
    zoho = stand_in("--latency", "5ms", "--in-flight-cap", "none")
    zoho.config(state_directory=str(STATE))
    with started("run", sheet("in.csv", rows(2000)), "--in-flight", 20) as process:
        until(lambda: zoho.state()["updates"] > 0, process)
        (journal,) = journals()
        for _ in range(3):
            told = here("report", journal.stem, "--json", "-o", "now.csv").json
            assert balanced(told).keys() <= {"updated", "not_sent", "unknown"}
            assert sorted(results(told)) == sorted(
                result for result, count in told["counts"].items() for _ in range(count)
            )
        process.kill()


def test_strict_sends_nothing_and_leaves_nothing_to_resume(org: StandIn, here: Run) -> None:
    content = [*rows(2), ("Leeds", record(4), lock(4), "why")]
    file = sheet("in.csv", content)
    done = here("run", file, "--strict", "--json")
    assert done.code == done.json["exit_code"] == 3
    assert balanced(done.json) == {"invalid": 1, "not_sent": 2}
    assert results(done.json) == ["not_sent", "not_sent", "invalid"]
    assert done.json["resume"] is None
    assert org.state()["calls"]["put"] == 0
    resumed = here("resume", "--json")
    assert (resumed.code, resumed.json["run_id"]) == (0, None)
    anew = here("run", file, "--json")
    assert anew.json["run_id"] != done.json["run_id"]
    assert "Resuming" not in anew.err
    assert balanced(anew.json) == {"updated": 2, "invalid": 1}


def test_strict_sends_a_file_without_problems(org: StandIn, here: Run) -> None:
    assert here("run", sheet("in.csv", rows(2)), "--strict").code == 0
    assert org.state()["updates"] == 2


def test_an_unfinished_run_with_another_setting_is_still_strict(stand_in: Start, here: Run) -> None:
    zoho = stand_in()
    zoho.config(state_directory=str(STATE), zoho={"refresh_token": "revoked"})
    file = sheet("in.csv", [*rows(2), ("Leeds", record(4), lock(4), "why")])
    assert here("run", file).code == 5
    zoho.config(state_directory=str(STATE))
    done = here("run", file, "--strict", "--json")
    assert done.code == done.json["exit_code"] == 3
    assert zoho.state()["calls"]["put"] == 0
    assert "Nothing was sent, because 1 row has problems" in done.json["message"]
    assert done.json["resume"] is None
    assert "no unfinished run" in here("resume").out


def test_a_strict_run_is_strict_whoever_goes_on_with_it(
    org: StandIn, here: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = sheet("in.csv", [*rows(2), ("Leeds", record(4), lock(4), "why")])
    monkeypatch.setenv("BATCHLOCK_INPUT__STRICT", "yes")
    asyncio.run(runner().plan(file, Path("in.plan")))
    runner().start(Path("in.plan"))
    monkeypatch.delenv("BATCHLOCK_INPUT__STRICT")
    done = here("resume", "--json")
    assert (done.code, balanced(done.json)) == (3, {"invalid": 1, "not_sent": 2})
    assert done.json["resume"] is None
    assert "no unfinished run" in here("resume").out
    assert org.state()["calls"]["put"] == 0


def test_a_strict_refusal_in_the_middle_does_not_say_that_nothing_was_sent(
    org: StandIn, here: Run
) -> None:
    org.config(state_directory=str(STATE), limits={"max_credits": 1})
    file = sheet("in.csv", [*rows(2), ("Leeds", record(4), lock(4), "why")])
    assert here("run", file).code == 6
    org.config(state_directory=str(STATE))
    done = here("run", file, "--strict", "--json").json
    assert "Nothing more was sent, because 1 row has problems" in done["message"]
    assert balanced(done) == {"updated": 1, "invalid": 1, "not_sent": 1}
    resumed = here(*done["resume"].split()[1:], "--json")
    assert balanced(resumed.json) == {"updated": 2, "invalid": 1}


def test_a_file_without_rows_is_no_failure(org: StandIn, here: Run) -> None:
    done = here("run", sheet("in.csv", []), "--json")
    assert (done.code, done.json["rows"], balanced(done.json)) == (0, 0, {})
    assert Path(done.json["output"]).exists()
    assert org.state()["calls"]["put"] == 0


# -- where the results go ------------------------------------------------------------------


def test_results_go_where_the_settings_say(org: StandIn, here: Run) -> None:
    Path("out").mkdir()
    org.config(state_directory=str(STATE), results={"directory": "out", "format": "csv"})
    told = here("run", sheet("in.csv", rows(1)), "--json").json
    assert Path(told["output"]) == Path("out").absolute() / f"in-results-{told['run_id']}.csv"
    assert lines(told["output"])[0]["Result"] == Result.UPDATED


def test_an_output_that_is_refused_is_forgotten(org: StandIn, here: Run) -> None:
    file = sheet("in.csv", rows(2))
    here("run", file, "--max-runtime", "1ms")
    refused = here("resume", "-o", file)
    assert refused.code == 2
    assert "would overwrite the input" in refused.err
    assert balanced(here("resume", "--json").json) == {"updated": 2}


def test_results_go_beside_the_input_by_default(org: StandIn, here: Run) -> None:
    Path("deep").mkdir()
    told = here("run", sheet("deep/in.csv", rows(1)), "--json").json
    name = f"in-results-{told['run_id']}.xlsx"
    assert Path(told["output"]) == Path("deep").absolute() / name


def test_results_that_cannot_be_written_there_go_to_the_state_folder(
    org: StandIn, here: Run
) -> None:
    done = here("run", sheet("in.csv", rows(1)), "--json", "-o", "no/such/folder/out.xlsx")
    assert done.code == 0
    assert STATE.absolute() in Path(done.json["output"]).absolute().parents
    assert "cannot be written" in done.err
    assert lines(done.json["output"])[0]["Result"] == Result.UPDATED


def test_the_state_is_readable_by_this_user_only(org: StandIn, here: Run) -> None:
    here("run", sheet("in.csv", rows(1)))
    if os.name == "posix":
        assert STATE.stat().st_mode & 0o077 == 0
        (token,) = (STATE / "tokens").glob("*.json")
        assert token.stat().st_mode & 0o077 == 0


def test_no_secret_is_told(org: StandIn, here: Run) -> None:
    secret = "1000.abcdef.very-secret"
    org.config(
        state_directory=str(STATE), zoho={"client_secret": secret, "refresh_token": secret + "2"}
    )
    done = here("run", sheet("in.csv", rows(1)), "-v", "-o", "out.csv")
    kept = [path.read_bytes() for path in Path().rglob("*") if path.is_file()]
    told = [one for one in kept if secret.encode() in one]
    assert done.code == 0
    assert secret not in done.out + done.err
    assert told == [Path("config.yaml").read_bytes()]


def test_errors_of_one_run_name_their_cause(here: Run) -> None:
    done = here("run", sheet("in.csv", rows(1)), "--json")
    assert done.code == UsageError.exit_code
    for name in ("client_id", "client_secret", "refresh_token"):
        assert f"zoho.{name} is missing" in done.json["message"]


def test_a_strict_refusal_cannot_be_resumed(here: Run, org: StandIn) -> None:
    sheet("orders.csv", [*rows(1), ("Lead", record(9), lock(9), "why")])
    refused = here("run", "orders.csv", "--strict", "--json")
    assert refused.code == 3
    resumed = here("resume", refused.json["run_id"])
    assert resumed.code == 0
    assert "no unfinished run" in resumed.out
    assert org.state()["calls"]["put"] == 0


def test_a_run_that_is_not_there_is_missed_by_the_name_of_the_org_asked_for(
    here: Run, org: StandIn
) -> None:
    sheet("orders.csv", rows(1))
    assert here("run", "orders.csv", "--simulate").code == 0
    missing = here("show", "1999")
    assert missing.code == 2
    assert "There is no run 1999 of default." in missing.err


def test_an_ambiguous_run_is_told_with_the_runs_it_may_be(here: Run, org: StandIn) -> None:
    sheet("orders.csv", rows(1))
    ids = {here("run", "orders.csv", "--json").json["run_id"] for _ in range(2)}
    told = here("show", "20")
    assert told.code == 2
    assert all(one in told.err for one in ids)


def test_a_state_folder_that_cannot_be_made_is_told(
    here: Run, org: StandIn, tmp_path: Path
) -> None:
    sheet("orders.csv", rows(1))
    (tmp_path / "file").write_text("")
    org.config(Path("blocked.yaml"), state_directory=str(tmp_path / "file" / "state"))
    done = here("run", "orders.csv", "-c", "blocked.yaml")
    assert done.code == 2
    assert "state_directory" in done.err
    assert org.state()["calls"]["put"] == 0


@pytest.mark.parametrize("command", [("resume",), ("runs",), ("show", "2026")])
@pytest.mark.parametrize("state", ["file", "file/below"])
def test_a_state_folder_that_is_none_is_not_taken_for_an_empty_one(
    here: Run, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...], state: str
) -> None:
    Path("file").touch()
    monkeypatch.setenv("BATCHLOCK_STATE_DIRECTORY", state)
    done = here(*command)
    assert (done.code, done.out) == (2, "")
    assert "Set state_directory to" in done.err


def test_a_damaged_journal_is_told_and_stops_nobody(here: Run, org: StandIn) -> None:
    sheet("orders.csv", rows(1))
    run_id = here("run", "orders.csv", "--json").json["run_id"]
    (journal,) = STATE.glob(f"runs/*/{run_id}.journal")
    journal.write_bytes(b"SQLite format 3" + bytes(4096))
    done = here("run", "orders.csv")
    assert done.code == 0
    assert "Its run cannot be resumed" in done.err
