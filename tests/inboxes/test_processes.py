"""Inboxes in processes of their own: two at a time, killed, and with files that change."""

import json
import os
import signal
import time
from functools import partial
from pathlib import Path

import pytest
from support.commands import POSIX, TIMEOUT_SECONDS, Process, RunCommand
from support.forked_command import end_at, forked
from support.inbox import FOLDER, names, put, updates
from support.notice_server import notice_server
from support.runs import NEVER_VALID, wait_until
from support.sheets import TITLES, balanced, lines, lock, record, rows
from support.zoho import StandIn, Start

pytestmark = POSIX

_FILES = 8
_WATCHED_FILES = 5


def arrive(name: str, first: int, count: int = 4) -> None:
    """Let a file appear as a whole, as a rename of a copying program does."""
    put(f"{name}.part", rows(count, first=first), age=first).rename(FOLDER / name)


def finish(process: Process) -> str:
    out, _ = process.communicate(timeout=TIMEOUT_SECONDS)
    return out


def check_each_file_once(zoho: StandIn, files: int, rows_of_each: int = 4) -> None:
    """Compare the folder with the stand-in's own record: each row of each file was sent once."""
    done = names("done")
    results = [name for name in done if "-results-" in name]
    inputs = [name for name in done if "-results-" not in name]
    assert (names(), names("attention")) == ([], [])
    assert (len(inputs), len(results)) == (files, files)
    assert {len(lines(FOLDER / "done" / name)) for name in results} == {rows_of_each}
    sent = updates(zoho)
    assert len(sent) == files * rows_of_each
    assert set(sent.values()) == {1}


def test_two_watching_inboxes_send_each_file_once_when_one_is_killed(
    stand_in: Start, run_in_process: RunCommand
) -> None:
    zoho = stand_in("--latency", "30ms")
    zoho.config(state_directory="state")
    FOLDER.mkdir()
    with (
        forked("inbox", FOLDER, "--watch", "-q", "--in-flight", 1) as first,
        forked("inbox", FOLDER, "--watch", "-q", "--in-flight", 1) as second,
    ):
        for number in range(_WATCHED_FILES):
            arrive(f"file-{number:02}.csv", 1 + 4 * number)
            if number == _WATCHED_FILES // 2:
                wait_until(lambda: zoho.state()["updates"] > 0, first)
                # The one that holds the lock is at work; a kill of the other one changes nothing.
                first.kill()
        wait_until(lambda: len(names("done")) == 2 * _WATCHED_FILES and not names(), second)
        second.send_signal(signal.SIGTERM)
        finish(second)
        assert second.wait(TIMEOUT_SECONDS) == 0
    check_each_file_once(zoho, _WATCHED_FILES)


def test_an_inbox_that_is_killed_at_any_moment_loses_and_repeats_nothing(
    stand_in: Start, run_in_process: RunCommand
) -> None:
    zoho = stand_in("--latency", "20ms")
    zoho.config(state_directory="state")
    for number in range(_FILES):
        arrive(f"file-{number:02}.csv", 1 + 4 * number)
    for goal in (1, 7, 13, 20):
        with forked("inbox", FOLDER, "-q", "--in-flight", 1) as process:
            wait_until(lambda: zoho.state()["updates"] >= goal, process)  # noqa: B023  used at once
            process.kill()
            process.wait(TIMEOUT_SECONDS)
    ended = run_in_process("inbox", FOLDER, "--json")
    assert (ended.code, ended.json["files_left"]) == (0, 0)
    check_each_file_once(zoho, _FILES)


@pytest.mark.parametrize(
    ("place", "moment"),
    [
        ("batchlock.plan.child:sha256_of", "before"),
        ("batchlock.store.runs:RunTable.add", "after"),
        ("batchlock.execute:Executor.record_end", "before"),
        ("batchlock.execute:Executor.record_end", "after"),
        ("batchlock.inboxes.filing:_move_input", "before"),
        ("batchlock.inboxes.filing:_move_to_free", "after"),
        ("batchlock.inboxes.filing:_move", "after"),
        ("batchlock.store.schedules:ScheduleTable.set_filed", "before"),
        ("batchlock.store.schedules:ScheduleTable.set_filed", "after"),
    ],
)
def test_the_next_inbox_goes_on_after_each_step(
    org: StandIn, run_in_process: RunCommand, place: str, moment: str
) -> None:
    arrive("a.csv", 1)
    with forked("inbox", FOLDER, "-q", before=partial(end_at, place, moment)) as process:
        assert process.wait(TIMEOUT_SECONDS) == -signal.SIGKILL
    ended = run_in_process("inbox", FOLDER, "--json")
    assert ended.code == 0
    check_each_file_once(org, 1)
    assert run_in_process("inbox", FOLDER, "--json").json["files"] == []


def test_a_second_inbox_waits_for_nothing(stand_in: Start, run_in_process: RunCommand) -> None:
    zoho = stand_in("--latency", "300ms")
    zoho.config(state_directory="state")
    arrive("a.csv", 1, 30)
    with forked("inbox", FOLDER, "-q", "--json", "--in-flight", 1) as first:
        wait_until(lambda: zoho.state()["updates"] > 0, first)
        second = run_in_process("inbox", FOLDER, "--json")
        assert (second.code, second.json["files"]) == (7, [])
        assert "Another inbox is at work" in second.json["message"]
        arrive("b.csv", 100)  # the first one takes it, too
        zoho.change("behaviour", {"latency": 0.001})
        night = json.loads(finish(first))
    assert [file["name"] for file in night["files"]] == ["a.csv", "b.csv"]
    assert set(updates(zoho).values()) == {1}


def test_an_inbox_of_another_folder_waits_for_no_org(
    stand_in: Start, run_in_process: RunCommand
) -> None:
    zoho = stand_in("--latency", "300ms")
    zoho.config(state_directory="state")
    arrive("a.csv", 1, 30)
    with forked("inbox", FOLDER, "-q", "--json", "--in-flight", 1) as first:
        wait_until(lambda: zoho.state()["updates"] > 0, first)
        other = Path("other")
        other.mkdir()
        put("b.csv", rows(2, first=100), age=0).rename(other / "b.csv")
        second = run_in_process("inbox", other, "--json")
        assert (second.code, second.json["files"][0]["status"]) == (7, "left")
        assert (other / "b.csv").exists()
        first.kill()
    assert run_in_process("inbox", other, "--json").json["files_done"] == 1


def test_a_signal_ends_the_night_and_the_next_one_resumes_the_run(
    stand_in: Start, run_in_process: RunCommand
) -> None:
    zoho = stand_in("--latency", "100ms")
    zoho.config(state_directory="state")
    arrive("a.csv", 1, 60)
    arrive("b.csv", 100)
    os.utime(FOLDER / "b.csv", (1e9 + 5, 1e9 + 5))
    with forked("inbox", FOLDER, "-q", "--json", "--in-flight", 1) as process:
        wait_until(lambda: zoho.state()["updates"] > 2, process)
        process.send_signal(signal.SIGTERM)
        night = json.loads(finish(process))
        assert process.wait(TIMEOUT_SECONDS) == night["exit_code"] == 143
    first, second = night["files"]
    assert (first["status"], first["is_resumed_next"]) == ("attention", True)
    assert (second["status"], names()) == ("left", ["b.csv"])
    assert night["files_need_person"] == 0
    night = run_in_process("inbox", FOLDER, "--json").json
    assert (night["exit_code"], night["files_done"]) == (0, 2)
    assert night["files"][0]["run"]["run_id"] == first["run"]["run_id"]
    assert set(updates(zoho).values()) == {1}
    assert names("attention") == []


def test_a_file_that_grows_is_taken_when_it_is_complete(
    org: StandIn, run_in_process: RunCommand
) -> None:
    arrive("ready.csv", 1)
    growing = put("growing.csv", rows(2, first=50))
    with forked("inbox", FOLDER, "-q", "--json") as process:
        for number in range(60, 64):  # about as often as a copying program writes
            time.sleep(0.7)
            with growing.open("a") as file:
                file.write(f"Leads,{record(number)},,late\n")
        night = json.loads(finish(process))
    assert [file["name"] for file in night["files"]] == ["ready.csv", "growing.csv"]
    assert night["files"][1]["run"]["rows"] == 6
    assert balanced(night) == {"updated": 10}


def test_a_file_that_vanishes_or_changes_after_the_plan_is_said(
    stand_in: Start, run_in_process: RunCommand
) -> None:
    zoho = stand_in("--latency", "100ms")
    zoho.config(state_directory="state")
    arrive("gone.csv", 1, 20)
    with forked("inbox", FOLDER, "-q", "--json", "--in-flight", 1) as process:
        wait_until(lambda: zoho.state()["updates"] > 0, process)
        (FOLDER / "gone.csv").unlink()
        arrive("gone.csv", 500, 3)
        night = json.loads(finish(process))
    first, second = night["files"]
    assert "was changed or removed while it was sent" in first["message"]
    assert (first["run"]["rows"], second["run"]["rows"]) == (20, 3)
    assert night["files_done"] == 2
    assert set(updates(zoho).values()) == {1}


def test_a_watching_inbox_tells_a_person_at_once(org: StandIn) -> None:
    with notice_server() as server:
        org.config(
            state_directory="state",
            notify={"webhook": f"{server.url}/hook", "ping_url": server.url},
        )
        FOLDER.mkdir()
        with forked("inbox", FOLDER, "--watch", "--json") as process:
            put("a.csv", 0, age=0)
            wait_until(lambda: len(server.requests) >= 2, process)
            process.send_signal(signal.SIGTERM)
            (night,) = map(json.loads, finish(process).splitlines())
            assert process.wait(TIMEOUT_SECONDS) == 0
    assert set(server.paths) == {"/hook"}
    assert night["files"][0]["guard"] == "no_rows"
    texts = [json.dumps(request.json) for request in server.requests]
    assert any("1 file needs a person" in text for text in texts)


def test_the_notice_of_a_night_has_its_digest_and_exit_code(
    org: StandIn, run_in_process: RunCommand
) -> None:
    arrive("good.csv", 1)
    put("none.csv", 0, age=0)
    with notice_server() as server:
        org.config(state_directory="state", notify={"ping_url": f"{server.url}/p"})
        assert run_in_process("inbox", FOLDER).code == 2
    assert server.paths == ["/p/start", "/p/2"]
    text = server.requests[-1].body.decode()
    assert "1 file done, 1 needs a person" in text
    assert "Needs a person: none.csv" in text
    assert record(1) not in text


def test_a_watching_inbox_goes_on_after_a_run_that_a_rule_has_stopped(org: StandIn) -> None:
    org.config(
        state_directory="state",
        input={"custom_modules": ["Not_Configured"]},
        stop={"same_refusal": 2},
    )
    FOLDER.mkdir()
    with forked("inbox", FOLDER, "--watch", "-q", "--in-flight", 1) as process:
        put("refused.csv", [("Not_Configured", *row[1:]) for row in rows(9)], age=0)
        wait_until(lambda: names("attention") != [], process)
        arrive("good.csv", 50)
        wait_until(lambda: names("done") != [], process)
        process.send_signal(signal.SIGTERM)
        assert process.wait(TIMEOUT_SECONDS) == 0
    assert len(updates(org)) == 4


def test_notices_and_the_log_quote_no_cell_of_a_file_that_cannot_be_read(
    org: StandIn, run_in_process: RunCommand
) -> None:
    FOLDER.mkdir()
    row = f"Leads,{record(1)},{record(2)},Żółta umowa"
    (FOLDER / "letters.csv").write_bytes(f"{','.join(TITLES)}\n{row}\n".encode("cp1250"))
    (FOLDER / "titles.csv").write_text(f"Module,Record Id,Lock Id,Grund\n{row}\n", "utf-8")
    with notice_server() as server:
        org.config(state_directory="state", notify={"ping_url": f"{server.url}/p"})
        ended = run_in_process("inbox", FOLDER)
    assert (ended.code, ended.out.count("umowa")) == (4, 5)  # for the person at the terminal
    log = Path("state/logs/batchlock.log").read_text("utf-8")
    for text in (server.requests[-1].body.decode(), log):
        assert "--encoding windows-1250" in text
        assert "umowa" not in text


def test_a_name_that_is_no_text_is_in_the_notice_too(org: StandIn) -> None:
    arrive(os.fsdecode(b"odd\xff\nname.csv"), 1)
    with notice_server() as server:
        org.config(state_directory="state", notify={"ping_url": f"{server.url}/p"})
        # A process of its own: pytest could not pass the name on if it captured it.
        with forked("inbox", FOLDER) as process:
            finish(process)
            assert process.wait(TIMEOUT_SECONDS) == 0
    assert server.paths == ["/p/start", "/p"]
    assert "odd\\udcff" in server.requests[-1].body.decode()


def test_a_watching_inbox_tells_a_person_once_that_no_file_can_be_taken(org: StandIn) -> None:
    with notice_server() as server:
        org.config(state_directory="state", notify={"webhook": f"{server.url}/hook"})
        FOLDER.mkdir()
        with forked("inbox", FOLDER, "--watch", "--json") as process:
            put("a.csv", [("Leads", NEVER_VALID, lock(9), "why")], age=9)
            put("b.csv", rows(1, first=9), age=0)
            wait_until(lambda: len(server.requests) >= 2, process)
            process.send_signal(signal.SIGTERM)
            (night,) = map(json.loads, finish(process).splitlines())
            assert process.wait(TIMEOUT_SECONDS) == 0
    assert (night["exit_code"], night["files_left"]) == (5, 2)
    events = [(request.json["event"], request.json["needs_person"]) for request in server.requests]
    assert events == [("start", False), ("person", True), ("end", False)]


def test_a_file_whose_run_has_lost_its_journal_needs_a_person(
    stand_in: Start, run_in_process: RunCommand
) -> None:
    zoho = stand_in("--latency", "50ms")
    zoho.config(state_directory="state")
    arrive("a.csv", 1, 40)
    with forked("inbox", FOLDER, "-q", "--in-flight", 1) as process:
        wait_until(lambda: zoho.state()["updates"] > 2, process)
        process.send_signal(signal.SIGTERM)
        finish(process)
    for journal in Path("state/runs").rglob("*.journal*"):
        journal.unlink()
    night = run_in_process("inbox", FOLDER, "--json").json
    (file,) = night["files"]
    assert (night["exit_code"], file["needs_person"]) == (2, True)
    assert "cannot be resumed" in file["message"]
    Path(file["file"]).rename(FOLDER / "a.csv")
    assert run_in_process("inbox", FOLDER, "--json").json["files_done"] == 1
    assert run_in_process("inbox", FOLDER, "--json").json["files"] == []
