"""`batchlock.check` and `batchlock.run` with frames and paths."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
from datetime import date
from pathlib import Path

import pandas as pd
import pytest
from support.commands import TIMEOUT_SECONDS
from support.sheets import TITLES, lines, lock, record, rows, sheet
from support.visitor import eventually
from support.zoho import StandIn, Start

import batchlock


def frame_of(count: int) -> pd.DataFrame:
    return pd.DataFrame(rows(count), columns=list(TITLES))


def test_a_frame_comes_back_with_its_index_and_the_results(stand_in: Start) -> None:
    org = stand_in()
    frame = frame_of(3)
    frame.index = pd.Index(["a", "b", "c"])
    done = batchlock.run(frame, config=org.config(), progress=False)
    assert list(done.index) == ["a", "b", "c"]
    assert list(done.columns[:5]) == [*TITLES, "Result"]
    assert list(done["Result"]) == ["updated"] * 3
    assert list(done["Source row"]) == [2, 3, 4]
    assert list(done["Record Id"]) == [record(number) for number in (1, 2, 3)]
    printed = done.attrs["batchlock"]
    assert printed["exit_code"] == 0
    assert printed["counts"]["updated"] == 3
    assert [line["Result"] for line in lines(printed["output"])] == ["updated"] * 3
    assert {key: value["updates"] for key, value in org.locks().items()} == {
        f"Leads/{record(number)}": 1 for number in (1, 2, 3)
    }


def test_a_column_of_a_frame_says_the_actions(stand_in: Start) -> None:
    org = stand_in()
    frame = frame_of(3).drop(columns="Lock Id").assign(Action=["update", "Unlock", ""])
    done = batchlock.run(frame, config=org.config(), yes=True, progress=False)
    assert list(done["Result"]) == ["updated", "unlocked", "updated"]
    assert done.attrs["batchlock"]["action"] == "mixed"
    again = batchlock.run(done, config=org.config(), progress=False)
    assert list(again["Result"]) == ["unchanged"] * 3


def test_the_same_frame_again_sends_nothing_and_fresh_sends_all(stand_in: Start) -> None:
    org = stand_in()
    config = org.config()
    batchlock.run(frame_of(4), config=config, progress=False)
    again = batchlock.run(frame_of(4), config=config, progress=False)
    assert list(again["Result"]) == ["unchanged"] * 4
    assert org.state()["calls"]["put"] == 4
    batchlock.run(frame_of(4), config=config, fresh=True, progress=False)
    assert org.state()["calls"]["put"] == 8


def test_a_check_sends_nothing_and_puts_problems_on_their_rows() -> None:
    frame = frame_of(3)
    frame.loc[1, "Record Id"] = "5.8E+18"
    frame.loc[2, "Reason"] = None
    checked = batchlock.check(frame)
    assert list(checked["Result"]) == ["not_sent", "invalid", "invalid"]
    assert list(checked["Code"][1:]) == ["lossy_number", "missing_value"]
    assert checked.attrs["batchlock"]["valid"] == 1


def test_ids_that_a_column_of_floats_has_rounded_are_refused() -> None:
    frame = frame_of(2)
    frame["Record Id"] = [float(record(1)), float("nan")]
    checked = batchlock.check(frame)
    assert list(checked["Code"]) == ["lossy_number", "missing_value"]


def test_whole_ids_dates_missing_values_and_blank_rows_keep_their_meaning() -> None:
    frame = pd.DataFrame(
        {
            "Module": ["Leads", None, "Leads"],
            "Record Id": [int(record(1)), pd.NA, int(record(2))],
            "Lock Id": [pd.NA, None, lock(2)],
            "Reason": ["one\nand\ntwo", float("nan"), "three"],
            "Since": [date(2026, 3, 14), pd.NaT, None],
        }
    )
    checked = batchlock.check(frame)
    assert list(checked["Result"][[0, 2]]) == ["not_sent", "not_sent"]
    assert checked.loc[0, "Reason"] == "one\nand\ntwo"
    assert checked.loc[0, "Since"] == "2026-03-14"
    assert list(checked["Result"].isna()) == [False, True, False]  # a blank row has no result
    assert checked.attrs["batchlock"]["rows"] == 2
    assert checked.attrs["batchlock"]["read_as"]["calls"] == 3  # one look-up


def test_a_path_is_read_as_the_command_line_reads_it(stand_in: Start) -> None:
    file = sheet("locks.csv", rows(2))
    done = batchlock.run(file, config=stand_in().config(), output="out.csv", progress=False)
    assert list(done.index) == [2, 3]
    assert [line["Result"] for line in lines("out.csv")] == ["updated", "updated"]


def test_one_module_one_reason_and_named_columns(stand_in: Start) -> None:
    frame = pd.DataFrame({"Key": [record(1)], "Lock": [lock(1)]})
    done = batchlock.run(
        frame,
        config=stand_in().config(),
        columns={"record_id": "Key", "lock_id": "Lock"},
        module="Leads",
        reason="Audit",
        progress=False,
    )
    assert list(done["Result"]) == ["updated"]


def test_strict_sends_nothing_while_there_is_a_problem(stand_in: Start) -> None:
    org = stand_in()
    frame = frame_of(2)
    frame.loc[0, "Reason"] = ""
    done = batchlock.run(frame, config=org.config(), strict=True, progress=False)
    assert list(done["Result"]) == ["invalid", "not_sent"]
    assert done.attrs["batchlock"]["exit_code"] == 3
    assert org.state()["calls"]["put"] == 0


def test_wrong_arguments_are_usage_errors(tmp_path: Path) -> None:
    with pytest.raises(batchlock.UsageError, match="no field"):
        batchlock.check(frame_of(1), columns={"key": "Key"})
    with pytest.raises(batchlock.UsageError, match=r"settings: limits\.in_flight"):
        batchlock.check(frame_of(1), settings={"limits": {"in_flight": 0}})
    with pytest.raises(batchlock.UnreadableFile, match=r"nowhere\.csv"):
        batchlock.check(tmp_path / "nowhere.csv")
    with pytest.raises(batchlock.UsageError, match="Name lock or unlock"):
        batchlock.check(frame_of(1), action="delete")


def test_a_frame_is_checked_as_an_unlock_reads_it() -> None:
    frame = frame_of(2).drop(columns="Reason")
    checked = batchlock.check(frame, action="unlock")
    assert list(checked["Result"]) == ["not_sent"] * 2
    assert checked.attrs["batchlock"]["action"] == "unlock"


def test_it_works_where_an_event_loop_runs_already(stand_in: Start) -> None:
    config = stand_in().config()

    async def cell() -> pd.DataFrame:  # as a cell of a notebook runs
        return batchlock.run(frame_of(2), config=config, progress=False)

    assert list(asyncio.run(cell())["Result"]) == ["updated", "updated"]


def test_a_killed_call_is_resumed_by_the_next_one(stand_in: Start) -> None:
    org = stand_in("--latency", "50ms")
    config = org.config(limits={"in_flight": 2})
    code = (
        "import sys; sys.path[:0] = sys.argv[2:]\n"
        "import batchlock; from api.test_frames import frame_of\n"
        "batchlock.run(frame_of(100), config=sys.argv[1], progress=False)"
    )
    tests = str(Path(__file__).parent.parent)
    with subprocess.Popen([sys.executable, "-c", code, str(config), tests]) as process:
        while org.state()["calls"]["put"] < 20:
            assert process.poll() is None
        process.kill()
        process.wait(TIMEOUT_SECONDS)
    done = batchlock.run(frame_of(100), config=config, progress=False)
    assert set(done["Result"]) == {"updated"}
    assert len(org.locks()) == 100


def test_the_command_line_does_not_load_pandas_for_the_package() -> None:
    code = "import batchlock, sys; print(sorted({'pandas', 'sqlalchemy'} & set(sys.modules)))"
    completed = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert completed.stdout.strip() == "[]"


def test_a_frame_is_read_as_it_is_written_whatever_the_settings_say(stand_in: Start) -> None:
    org = stand_in()
    config = org.config(input={"encoding": "windows-1252", "delimiter": "semicolon"})
    frame = frame_of(1)
    frame.loc[0, "Reason"] = "Prüfung in Łódź, bis auf weiteres"
    done = batchlock.run(frame, config=config, progress=False)
    assert list(done["Result"]) == ["updated"]
    assert [value["reason"] for value in org.locks().values()] == [frame.loc[0, "Reason"]]


def test_what_a_scheduler_raises_at_its_time_limit_ends_the_run(stand_in: Start) -> None:
    org = stand_in("--latency", "100ms")
    config = org.config(limits={"in_flight": 1})

    class TaskTimeout(Exception):
        pass

    def raise_timeout(*_: object) -> None:
        raise TaskTimeout

    def raise_once_sending() -> None:
        eventually(lambda: org.state()["calls"]["put"] > 0)
        os.kill(os.getpid(), signal.SIGUSR1)

    old = signal.signal(signal.SIGUSR1, raise_timeout)
    try:
        threading.Thread(target=raise_once_sending, daemon=True).start()
        with pytest.raises(TaskTimeout):
            batchlock.run(frame_of(200), config=config, progress=False)
    finally:
        signal.signal(signal.SIGUSR1, old)
    assert 0 < org.state()["calls"]["put"] < 200
    assert set(batchlock.run(frame_of(200), config=org.config(), progress=False)["Result"]) == {
        "updated"
    }
    assert {value["updates"] for value in org.locks().values()} == {1}


def test_rows_that_unlock_need_yes_and_can_be_undone(org: StandIn) -> None:
    frame = pd.DataFrame({"Module": ["Leads"], "Record Id": [record(1)]})
    with pytest.raises(batchlock.UsageError, match="yes=True"):
        batchlock.run(frame, action="unlock", progress=False)
    assert org.state()["calls"]["delete"] == 0
    done = batchlock.run(frame, action="unlock", yes=True, progress=False)
    assert list(done["Result"]) == ["unlocked"]
    undone = batchlock.undo(done.attrs["batchlock"]["run_id"], progress=False)
    assert undone is not None
    assert list(undone["Result"]) == ["locked"]
    assert org.locks()[f"Leads/{record(1)}"]["reason"] == "Locked before"
