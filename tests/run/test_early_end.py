import json
import signal
import time

import pytest
from support.commands import POSIX, TIMEOUT_SECONDS, RunCommand
from support.forked_command import forked
from support.runs import (
    NEVER_VALID,
    NO_API_ACCESS,
    NO_EDITION,
    STATE,
    journals,
    results,
    rows_with_status,
    wait_until,
)
from support.sheets import balanced, lines, lock, record, rows, sheet
from support.zoho import StandIn, Start

from batchlock.zoho.settings import SIMULATOR


def test_a_dead_refresh_token_ends_the_run_before_anything_is_sent(
    stand_in: Start, run_in_process: RunCommand
) -> None:
    zoho = stand_in()
    zoho.config(state_directory=str(STATE), zoho={"refresh_token": "revoked"})
    file = sheet("in.csv", rows(5))
    completed = run_in_process("run", file, "--json")
    result = completed.json
    assert (completed.code, result["exit_code"], balanced(result)) == (5, 5, {"not_sent": 5})
    assert results(result) == ["not_sent"] * 5
    assert zoho.state()["calls"]["put"] == 0
    assert "batchlock login" in result["message"]
    assert "revoked" not in result["message"].replace("it was revoked", "")
    zoho.config(state_directory=str(STATE))
    again = run_in_process(*result["resume"].split()[1:], "--json")
    assert (again.code, balanced(again.json)) == (0, {"updated": 5})
    assert again.json["run_id"] == result["run_id"]


@pytest.mark.parametrize(
    ("magic", "code", "word"),
    [
        (NO_EDITION, 6, "edition"),
        (NO_API_ACCESS, 5, "Zoho CRM API Access"),
        (NEVER_VALID, 5, "data centre"),
    ],
)
def test_an_error_that_concerns_every_row_ends_the_run(
    org: StandIn, run_in_process: RunCommand, magic: str, code: int, word: str
) -> None:
    content = [("Leads", magic, lock(999), "why"), *rows(200)]
    completed = run_in_process("run", sheet("in.csv", content), "--json", "--in-flight", 1)
    result = completed.json
    assert completed.code == result["exit_code"] == code
    assert word in result["message"]
    assert balanced(result)["not_sent"] >= 190
    assert results(result)[0] == "not_sent"
    assert result["resume"]


def test_an_outage_stops_the_run_and_resume_finishes_it(
    stand_in: Start, run_in_process: RunCommand
) -> None:
    zoho = stand_in("--fail-from", 6, "--fail-calls", 20)
    zoho.config(
        state_directory=str(STATE),
        retry={"attempts": 2, "first_wait": 0.01},
        stop={"consecutive_failures": 3},
    )
    completed = run_in_process("run", sheet("in.csv", rows(30)), "--json", "--in-flight", 1)
    result = completed.json
    counts = balanced(result)
    assert (completed.code, counts["updated"], counts["failed"]) == (6, 5, 3)
    assert "3 rows in a row failed" in result["message"]
    while zoho.state()["answers"].get("500", 0) < 20:
        run_in_process("run", sheet("other.csv", rows(3, first=100)), "--fresh")
    again = run_in_process("resume", result["run_id"], "--json")
    assert (again.code, balanced(again.json)) == (3, {"updated": 27, "failed": 3})


def test_the_same_refusal_of_the_first_rows_stops_the_run(
    org: StandIn, run_in_process: RunCommand
) -> None:
    content = [("Not_Configured", record(n), lock(n), "why") for n in range(1, 61)]
    org.config(state_directory=str(STATE), input={"custom_modules": ["Not_Configured"]})
    completed = run_in_process("run", sheet("in.csv", content), "--json")
    assert completed.code == 6
    assert 20 <= balanced(completed.json)["rejected"] <= 20 + 25  # those in flight by then
    assert "Record locking is not set up" in completed.json["message"]


@pytest.mark.parametrize("record_id", [None, "990000000000000104", "990000000000000109"])
def test_refusals_of_rows_stop_no_run(
    org: StandIn, run_in_process: RunCommand, record_id: str | None
) -> None:
    # Locks that have another id than the file says, or records that are locked in another way.
    gone = [("Leads", record_id or "990000000000000105", lock(1_000 + n), "why") for n in range(60)]
    gone = [(*row[:3], f"why {n}") for n, row in enumerate(gone)]
    modules = [f"Custom_{n}" for n in range(60)]  # one row for each record of a module
    org.config(state_directory=str(STATE), input={"custom_modules": modules})
    content = [(module, *row[1:]) for module, row in zip(modules, gone, strict=True)]
    completed = run_in_process("run", sheet("in.csv", [*content, *rows(40)]), "--json")
    assert (completed.code, balanced(completed.json)) == (3, {"rejected": 60, "updated": 40})


@pytest.mark.parametrize(
    ("module", "result"), [("Not_Configured", "rejected"), ("Leads", "failed")]
)
def test_a_rule_that_stops_after_the_last_row_leaves_nothing_to_resume(
    stand_in: Start, run_in_process: RunCommand, module: str, result: str
) -> None:
    stand_in(*([] if result == "rejected" else ["--fail-from", 1])).config(
        state_directory=str(STATE),
        input={"custom_modules": ["Not_Configured"]},
        retry={"attempts": 1},
        stop={"consecutive_failures": 4, "same_refusal": 4},
    )
    content = rows(4, module=module)
    completed = run_in_process("run", sheet("in.csv", content), "--json")
    assert (completed.code, balanced(completed.json)) == (3, {result: 4})
    assert completed.json["resume"] is None
    assert "esume" not in completed.json["message"]
    assert "no unfinished run" in run_in_process("resume").out


@pytest.mark.parametrize("option", ["--max-runtime", "--until"])
def test_a_run_ends_when_its_time_is_over(
    stand_in: Start, run_in_process: RunCommand, option: str
) -> None:
    zoho = stand_in("--latency", "200ms")
    zoho.config(state_directory=str(STATE))
    value = "1500ms"
    if option == "--until":
        # A minute is the finest `until` there is: too long to wait for, so it is only taken in.
        value = time.strftime("%H:%M", time.localtime(time.time() + 7200))
    content = rows(200) if option == "--max-runtime" else rows(2)
    completed = run_in_process("run", sheet("in.csv", content), "--json", option, value)
    if option == "--until":
        assert (completed.code, balanced(completed.json)) == (0, {"updated": 2})
        return
    assert (completed.code, completed.json["exit_code"]) == (6, 6)
    assert "the time for this run is over" in completed.json["message"]
    counts = balanced(completed.json)
    # On a busy machine a call can still be in flight at the deadline, and is aborted there.
    assert set(counts) <= {"updated", "not_sent", "unknown"}
    updated = counts.get("updated", 0)
    assert updated <= zoho.state()["updates"] <= updated + counts.get("unknown", 0)


@pytest.mark.parametrize(
    ("number", "code"),
    [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 129)],
)
@POSIX
def test_a_signal_ends_the_run_and_the_same_command_resumes_it(
    stand_in: Start, run_in_process: RunCommand, number: str, code: int
) -> None:
    zoho = stand_in("--latency", "50ms")
    zoho.config(state_directory=str(STATE))
    file = sheet("in.csv", rows(120))
    with forked("run", file, "--json", "--in-flight", 3) as process:
        wait_until(lambda: zoho.state()["updates"] >= 10, process)
        process.send_signal(getattr(signal, number))
        out, _ = process.communicate(timeout=TIMEOUT_SECONDS)
    result = json.loads(out)
    counts = balanced(result)
    assert process.returncode == result["exit_code"] == code
    assert set(counts) == {"updated", "not_sent"}
    assert counts["updated"] == zoho.state()["updates"]
    assert (
        sorted(results(result))
        == ["not_sent"] * counts["not_sent"] + ["updated"] * counts["updated"]
    )
    again = run_in_process("run", file, "--json", "--in-flight", 20)
    assert (again.code, balanced(again.json)) == (0, {"updated": 120})
    assert again.json["run_id"] == result["run_id"]
    assert zoho.state()["updates"] == 120


@POSIX
def test_a_signal_while_the_file_is_read_ends_the_command(org: StandIn) -> None:
    file = sheet("in.csv", rows(60_000))
    with forked("run", file, "--json") as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "Reading in.csv.\n"
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=TIMEOUT_SECONDS)
    result = json.loads(out)
    assert process.returncode == result["exit_code"] == 143
    assert org.state()["calls"]["put"] == 0
    assert journals() == []


def test_a_killed_run_is_resumed_and_settles_the_rows_in_doubt(
    stand_in: Start, run_in_process: RunCommand
) -> None:
    zoho = stand_in("--latency", "100ms")
    zoho.config(state_directory=str(STATE))
    file = sheet("in.csv", rows(100))
    with forked("run", file, "--in-flight", 5) as process:
        wait_until(lambda: zoho.state()["updates"] >= 12, process)
        process.kill()
        process.wait(TIMEOUT_SECONDS)
    (journal,) = journals()
    sending = rows_with_status(journal, "sending")
    assert sending > 0
    report = run_in_process("report", journal.stem, "--json").json
    assert balanced(report)["unknown"] == sending
    again = run_in_process("run", file, "--json", "--in-flight", 20)
    assert (again.code, balanced(again.json)) == (0, {"updated": 100})
    table = lines(again.json["output"])
    assert [line["Source row"] for line in table] == list(range(2, 102))
    assert zoho.state()["calls"]["get"] == sending
    assert {result["updates"] for result in zoho.locks().values()} == {1}
    assert len(zoho.locks()) == 100
    settled = [line for line in table if "asked again" in (line["Message"] or "")]
    assert 0 < len(settled) <= sending


def test_a_killed_session_does_not_show_the_end_of_an_older_one(
    stand_in: Start, run_in_process: RunCommand
) -> None:
    zoho = stand_in("--latency", "100ms")
    zoho.config(state_directory=str(STATE))
    file = sheet("in.csv", rows(100))
    result = run_in_process("run", file, "--json", "--max-runtime", "1ms").json
    assert "the time for this run is over" in run_in_process("show", result["run_id"]).out
    with forked("resume", "--in-flight", 5) as process:
        wait_until(lambda: zoho.state()["updates"] >= 12, process)
        for _ in range(2):
            report = run_in_process("show", result["run_id"]).out
            assert "the time for this run is over" not in report
            assert "It has not ended yet." in report
            process.kill()
            process.wait(TIMEOUT_SECONDS)


@POSIX
def test_a_rehearsal_is_never_resumed_as_a_real_run(
    org: StandIn, run_in_process: RunCommand
) -> None:
    file = sheet("in.csv", rows(120))
    with forked("run", file, "--simulate", "--json", "--in-flight", 1) as process:
        assert process.stderr is not None
        assert "Reading" in process.stderr.readline()
        while "Sending" not in process.stderr.readline():
            pass  # what the file is read as
        # Each row waits at least 30 ms for the stand-in, so that most of the 120 are left.
        wait_until(
            lambda: any(rows_with_status(one, "updated") for one in journals(SIMULATOR)), process
        )
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=TIMEOUT_SECONDS)
    rehearsal = json.loads(out)
    assert process.returncode == 130
    assert 0 < balanced(rehearsal)["updated"] < 120
    assert org.state()["calls"]["put"] == 0
    completed = run_in_process("run", file, "--json")
    assert (completed.code, balanced(completed.json)) == (0, {"updated": 120})
    assert completed.json["run_id"] != rehearsal["run_id"]
    assert "Resuming" not in completed.err
    assert len(org.locks()) == 120


@POSIX
def test_a_second_run_at_the_same_org_is_refused(
    stand_in: Start, run_in_process: RunCommand
) -> None:
    zoho = stand_in("--latency", "200ms")
    zoho.config(state_directory=str(STATE))
    with forked("run", sheet("one.csv", rows(100))) as process:
        wait_until(lambda: zoho.state()["updates"] > 0, process)
        completed = run_in_process("run", sheet("two.csv", rows(1, first=500)), "--json")
        resumed = run_in_process("resume", "--json")
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=TIMEOUT_SECONDS)
    assert completed.code == completed.json["exit_code"] == 7
    assert "one.csv" in completed.json["message"]
    assert str(process.pid) in completed.json["message"]
    assert resumed.code == 7
    assert f"Leads/{record(500)}" not in zoho.locks()
