"""`batchlock inbox`: each file of a folder is sent, and moved with its results."""

import itertools
import os
from pathlib import Path

import pytest
from support.commands import RunCommand
from support.inbox import FOLDER, names, note, put, updates
from support.runs import NEVER_VALID, NOT_LOCKED, REJECTED, open_store
from support.sheets import balanced, lines, lock, rows
from support.zoho import StandIn

from batchlock.core.night import most_severe
from batchlock.inboxes.folder_lock import folder_lock


def test_files_are_sent_oldest_first_and_moved_with_their_results(
    org: StandIn, run_in_process: RunCommand
) -> None:
    put("new.csv", rows(2, first=1), age=0)
    put("old.csv", [*rows(2, first=11), ("Leads", REJECTED, lock(3), "refused")], age=9)
    for name in ("~$new.xlsx", ".hidden.csv", "half.part", "Thumbs.db", "config.yaml"):
        put(name, 1, age=0)
    ended = run_in_process("inbox", FOLDER, "--json")
    night = ended.json
    assert (ended.code, night["exit_code"]) == (3, 3)
    assert [file["name"] for file in night["files"]] == ["old.csv", "new.csv"]
    assert (night["files_done"], night["files_need_person"], night["files_left"]) == (1, 1, 0)
    assert balanced(night) == {"updated": 4, "rejected": 1}
    old, new = (file["run"]["run_id"] for file in night["files"])
    assert names("done") == [f"new-{new}.csv", f"new-results-{new}.xlsx"]
    assert names("attention") == [
        f"old-{old}.csv",
        f"old-{old}.csv.txt",
        f"old-results-{old}.xlsx",
    ]
    assert len(lines(night["files"][0]["output"])) == 3
    assert "rejected, 1 row:" in note("old") or "rejected, 1 row (" in note("old")
    assert "  row 4" in note("old")
    assert names() == ["Thumbs.db", "config.yaml", "half.part", "~$new.xlsx"]
    assert night["causes"][0]["files"] == [{"name": "old.csv", "rows": "4"}]
    assert set(updates(org).values()) == {1}


def test_an_empty_folder_is_a_good_night(org: StandIn, run_in_process: RunCommand) -> None:
    FOLDER.mkdir()
    ended = run_in_process("inbox", FOLDER)
    assert (ended.code, ended.out.count("\n")) == (0, 1)
    assert "there were no files" in ended.out
    assert run_in_process("inbox", FOLDER, "-q").out == ""


def test_the_text_has_files_rows_causes_and_results_without_ids(
    org: StandIn, run_in_process: RunCommand
) -> None:
    put("bad.csv", [*rows(1), ("Leads", REJECTED, lock(3), "refused")], age=0)
    ended = run_in_process("inbox", FOLDER)
    assert f"Inbox {FOLDER.absolute()}, org default: 0 files done, 1 needs a person." in ended.out
    assert "Rows: 1 updated, 1 rejected." in ended.out
    assert "  bad.csv: 3" in ended.out
    assert "Results: " in ended.out
    assert REJECTED not in ended.out


def test_a_file_that_is_no_table_is_put_aside_and_the_others_go_on(
    org: StandIn, run_in_process: RunCommand
) -> None:
    FOLDER.mkdir()
    (FOLDER / "a.csv").write_text("no table", "utf-8")
    os.utime(FOLDER / "a.csv", (1e9 - 5, 1e9 - 5))
    put("b.csv", 1, age=0)
    night = run_in_process("inbox", FOLDER, "--json").json
    assert night["exit_code"] == 4
    assert [file["status"] for file in night["files"]] == ["attention", "done"]
    # Its name has the time at which it was last written to, so a kill leaves no second text.
    assert names("attention") == ["a-20010909-014635.csv", "a-20010909-014635.csv.txt"]
    assert night["files"][0]["message"] == note("a").strip()


def test_the_options_say_how_files_are_read(org: StandIn, run_in_process: RunCommand) -> None:
    FOLDER.mkdir()
    file = FOLDER / "a.csv"
    file.write_text(f"Nr;Grund\n{NOT_LOCKED};é\n", "cp1252")
    os.utime(file, (1e9, 1e9))
    night = run_in_process(
        *("inbox", FOLDER, "--json", "--module", "Leads", "--encoding", "cp1252"),
        *("--column", "record_id=Nr", "--column", "reason=Grund", "--action", "lock"),
    ).json
    assert balanced(night) == {"locked": 1}


def test_with_strict_a_file_with_a_problem_is_not_sent(
    org: StandIn, run_in_process: RunCommand
) -> None:
    put("a.csv", [*rows(1), ("Leads", "12", lock(2), "short id")], age=0)
    night = run_in_process("inbox", FOLDER, "--json", "--strict").json
    assert (night["exit_code"], night["files"][0]["status"]) == (3, "attention")
    assert "Nothing was sent, because 1 row has problems" in note("a")
    assert org.state()["calls"]["put"] == 0


def test_files_that_were_not_begun_in_time_are_left(
    org: StandIn, run_in_process: RunCommand
) -> None:
    put("big.csv", 5, age=0)
    first = run_in_process("inbox", FOLDER, "--json", "--max-runtime", "1ms").json
    assert first["exit_code"] == 6
    assert (names(), first["files"][0]["status"]) == (["big.csv"], "left")


def test_a_run_that_was_interrupted_is_resumed_before_other_files(
    org: StandIn, run_in_process: RunCommand
) -> None:
    # A manual run with the same place of results stands for one that a signal has ended.
    put("big.csv", 5, age=0)
    results = FOLDER / "done" / "big-results.xlsx"
    results.parent.mkdir()
    stopped = run_in_process(
        "run", FOLDER / "big.csv", "-o", results, "--json", "--max-runtime", "1ms"
    ).json
    assert stopped["exit_code"] == 6
    put("other.csv", rows(1, first=50), age=99)
    night = run_in_process("inbox", FOLDER, "--json").json
    assert [file["name"] for file in night["files"]] == ["big.csv", "other.csv"]
    assert (night["exit_code"], balanced(night)) == (0, {"updated": 6})
    assert names("attention") == names() == []
    assert f"big-{stopped['run_id']}.csv" in names("done")
    assert set(updates(org).values()) == {1}


def test_a_file_whose_run_has_ended_before_a_kill_is_only_moved(
    org: StandIn, run_in_process: RunCommand
) -> None:
    file = put("a.csv", 3, age=0)
    results = FOLDER / "done" / "a-results.xlsx"
    results.parent.mkdir()
    ended = run_in_process("run", file, "-o", results, "--json").json
    night = run_in_process("inbox", FOLDER, "--json").json
    assert (night["exit_code"], night["files"][0]["run"]["run_id"]) == (0, ended["run_id"])
    assert names() == []
    assert f"a-{ended['run_id']}.csv" in names("done")
    assert set(updates(org).values()) == {1}
    assert run_in_process("inbox", FOLDER, "--json").json["files"] == []


def test_no_file_in_done_is_ever_replaced(org: StandIn, run_in_process: RunCommand) -> None:
    file = put("a.csv", 2, age=0)
    results = FOLDER / "done" / "a-results.xlsx"
    results.parent.mkdir()
    run_id = run_in_process("run", file, "-o", results, "--json").json["run_id"]
    (FOLDER / "done" / f"a-{run_id}.csv").write_text("of somebody else", "utf-8")
    run_in_process("inbox", FOLDER)
    assert (FOLDER / "done" / f"a-{run_id}.csv").read_text("utf-8") == "of somebody else"
    assert (FOLDER / "done" / f"a-{run_id} (2).csv").exists()
    assert names() == []


def test_nothing_put_aside_is_ever_replaced(org: StandIn, run_in_process: RunCommand) -> None:
    for text in ("first", "second"):
        FOLDER.mkdir(exist_ok=True)
        (FOLDER / "a.csv").write_text(text, "utf-8")
        os.utime(FOLDER / "a.csv", (1e9, 1e9))
        run_in_process("inbox", FOLDER)
    assert names("attention") == [
        "a-20010909-014640 (2).csv",
        "a-20010909-014640 (2).csv.txt",
        "a-20010909-014640.csv",
        "a-20010909-014640.csv.txt",
    ]


def test_a_missing_folder_and_a_folder_without_a_sign_in_are_said_before_anything_is_moved(
    org: StandIn, run_in_process: RunCommand
) -> None:
    ended = run_in_process("inbox", "nowhere", "--json")
    assert (ended.code, ended.json["exit_code"], ended.json["files"]) == (2, 2, [])
    assert ended.json["folder"] == str(Path("nowhere").absolute())
    assert "cannot be read" in ended.json["message"]
    put("a.csv", 1, age=0)
    Path("config.yaml").unlink()
    ended = run_in_process("inbox", FOLDER, "--json")
    assert (ended.code, names()) == (2, ["a.csv"])
    assert not (FOLDER / "attention").exists()


def test_a_refused_sign_in_ends_the_night_and_leaves_the_other_files(
    org: StandIn, run_in_process: RunCommand
) -> None:
    put("a.csv", [("Leads", NEVER_VALID, lock(9), "why")], age=9)
    put("b.csv", rows(1, first=9), age=0)
    night = run_in_process("inbox", FOLDER, "--json").json
    assert night["exit_code"] == 5
    assert names() == ["b.csv"]
    assert "The next inbox goes on with it by itself." in note("a")
    assert [file["needs_person"] for file in night["files"]] == [False, False]
    assert night["files"][1]["message"].startswith("b.csv was not begun.")


def test_a_run_of_which_zoho_refuses_every_row_needs_a_person_on_the_first_night(
    org: StandIn, run_in_process: RunCommand
) -> None:
    org.config(
        state_directory="state",
        input={"custom_modules": ["Not_Configured"]},
        stop={"same_refusal": 2},
        limits={"in_flight": 1},
    )
    put("a.csv", [("Not_Configured", *row[1:]) for row in rows(5)], age=9)
    put("b.csv", rows(1, first=9), age=0)
    ended = run_in_process("inbox", FOLDER, "--json")
    first = ended.json["files"][0]
    assert (ended.code, first["is_resumed_next"], first["needs_person"]) == (6, True, True)
    assert (ended.json["files_done"], ended.json["files_need_person"]) == (1, 1)
    # The rule has ended one run, and not the night.
    assert (ended.json["files_left"], ended.json["files"][1]["status"]) == (0, "done")


def test_an_inbox_that_takes_nothing_does_not_say_that_there_were_no_files(
    org: StandIn, run_in_process: RunCommand
) -> None:
    FOLDER.mkdir()
    run_in_process("inbox", FOLDER)  # makes the store
    put("a.csv", 1, age=0)
    with folder_lock(FOLDER.absolute(), Path("state").absolute()):
        ended = run_in_process("inbox", FOLDER)
    assert ended.code == 7
    assert "no file was taken" in ended.out
    assert "Another inbox is at work" in ended.out


def test_a_run_of_a_person_that_is_at_work_leaves_the_files(
    org: StandIn, run_in_process: RunCommand
) -> None:
    put("a.csv", 1, age=0)
    with open_store() as store, store.lock("default"):
        night = run_in_process("inbox", FOLDER, "--json").json
    assert (night["exit_code"], names()) == (7, ["a.csv"])
    assert "Another run is at work on default" in night["message"]
    assert run_in_process("inbox", FOLDER).code == 0


def test_a_rehearsal_needs_no_configuration(isolated: Path, run_in_process: RunCommand) -> None:
    put("a.csv", 1, age=0)
    night = run_in_process("inbox", FOLDER, "--simulate", "--json").json
    assert (night["org"], night["exit_code"], night["files_done"]) == ("simulator", 0, 1)


def test_the_digest_has_the_severest_exit_code() -> None:
    in_order = [0, 7, 2, 3, 4, 6, 5, 1, 129, 130, 143]
    for less, more in itertools.pairwise(in_order):
        assert most_severe([more, less]) == most_severe([less, more]) == more
    assert most_severe([]) == 0


def test_watching_ends_with_the_time_of_the_settings(
    org: StandIn, run_in_process: RunCommand
) -> None:
    put("a.csv", 1, age=0)
    ended = run_in_process("inbox", FOLDER, "--watch", "--max-runtime", "1ms")
    assert (ended.code, ended.out, names()) == (0, "", ["a.csv"])


def test_the_state_folder_is_no_folder_of_files(org: StandIn, run_in_process: RunCommand) -> None:
    put("a.csv", 1, age=0)
    org.config(state_directory=str(FOLDER))
    ended = run_in_process("inbox", FOLDER, "--json")
    assert (ended.code, ended.json["files"]) == (2, [])
    assert "is the state folder" in ended.json["message"]
    assert not (FOLDER / "attention").exists()


def test_the_results_of_a_retry_are_no_file_of_the_inbox(
    org: StandIn, run_in_process: RunCommand
) -> None:
    put("a.csv", [*rows(1), ("Leads", REJECTED, lock(3), "refused")], age=0)
    run_id = run_in_process("inbox", FOLDER, "--json").json["files"][0]["run"]["run_id"]
    ended = run_in_process("retry", run_id, "--json")
    assert (ended.code, balanced(ended.json)) == (3, {"rejected": 1})
    assert Path(ended.json["output"]).parent == FOLDER.absolute() / "attention"
    again = run_in_process("retry", ended.json["run_id"], "--json").json
    assert Path(again["output"]).parent == FOLDER.absolute() / "attention"
    assert run_in_process("inbox", FOLDER, "--json").json["files"] == []


@pytest.mark.skipif(os.name == "nt", reason="paths there have 260 characters at most")
def test_a_name_of_the_greatest_length_is_cut(org: StandIn, run_in_process: RunCommand) -> None:
    long_stem = "ł" * 125 + "x"
    put("file.csv", 2, age=0).rename(FOLDER / f"{long_stem}.csv")
    put("other.csv", 0, age=0).rename(FOLDER / f"{long_stem}.txt")
    night = run_in_process("inbox", FOLDER, "--json").json
    assert (night["exit_code"], night["files_left"], balanced(night)) == (2, 0, {"updated": 2})
    assert (len(names("done")), len(names("attention")), names()) == (2, 2, [])
