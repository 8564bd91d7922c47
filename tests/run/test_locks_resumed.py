"""Searches for locks that end early, and go on."""

import random
import sqlite3
from contextlib import closing

from support.commands import POSIX, RunCommand
from support.forked_command import forked
from support.locks import MODULES, configure, export, keys_of, locked_records
from support.processes import kill, wait_until
from support.runs import journals
from support.sheets import balanced
from support.zoho import StandIn, Start


@POSIX
def test_kills_lose_and_double_nothing(stand_in: Start, run_in_process: RunCommand) -> None:
    zoho = stand_in("--inventory-size", 90, "--latency", "40ms", "--no-coql-locked")
    configure(zoho)
    chance = random.Random(7)
    calls = 0
    for _ in range(2):
        with forked("locks", *MODULES, "--in-flight", 2) as process:
            goal = calls + chance.randrange(1, 14)
            wait_until(lambda: _calls(zoho) >= goal, process)  # noqa: B023  used at once
            kill(process)
        calls = _calls(zoho)
    done = run_in_process("locks", *MODULES, "--json", "--in-flight", 20)
    assert "Resuming run" in done.err
    assert (done.code, balanced(done.json)) == (0, {"locked": 30})
    keys = keys_of(done.json["output"])
    assert len(keys) == len(set(keys))
    assert set(keys) == locked_records(zoho).keys()
    assert len(journals()) == 1


def _calls(zoho: StandIn) -> int:
    calls = zoho.state()["calls"]
    return int(calls["get"] + calls["coql"] + calls["list"])


def test_a_run_without_credits_stops_in_the_search_and_is_resumed(
    stand_in: Start, run_in_process: RunCommand
) -> None:
    zoho = stand_in("--inventory-size", 60)
    configure(zoho, limits={"max_credits": 3})
    first = run_in_process("locks", "Leads", "Deals", "--json")
    assert (first.code, first.json["credits_used"]) == (6, 3)
    assert [module["complete"] for module in first.json["modules"]] == [True, False]
    assert "not searched to the end: Deals" in first.json["message"]
    configure(zoho)
    run_id = first.json["run_id"]
    done = run_in_process("resume", run_id, "--json")
    assert (done.code, done.json["run_id"], done.json["action"]) == (0, run_id, "find")
    expected = locked_records(zoho, "Leads", "Deals")
    assert sorted(keys_of(done.json["output"])) == sorted(expected)
    # A query of 3 credits for each module and a look for each record; at most two questions about
    # the org beside them.
    assert 0 <= done.json["credits_used"] - 6 - len(expected) <= 2


def test_pages_are_continued_by_their_token_and_again_from_the_first_when_it_is_over(
    stand_in: Start, run_in_process: RunCommand
) -> None:
    zoho = stand_in("--inventory-size", 1500, "--no-coql-locked", "--no-locked-view")
    # A query of 3 credits, the views, and one page.
    configure(zoho, limits={"max_credits": 5})
    first = run_in_process("locks", "Leads", "--json").json
    assert first["modules"][0]["complete"] is False
    with closing(sqlite3.connect(journals()[0])) as sql:
        (value,) = sql.execute("SELECT value FROM run WHERE name = 'find'").fetchone()
        token = str(value).split('"cursor": "')[1].split('"')[0]
        changed = str(value).replace(token, "expired")
        sql.execute("UPDATE run SET value = ? WHERE name = 'find'", (changed,))
        sql.commit()
    configure(zoho)
    done = run_in_process("locks", "Leads", "--json").json
    assert (done["run_id"], done["exit_code"]) == (first["run_id"], 0)
    keys = keys_of(done["output"])
    assert sorted(keys) == sorted(locked_records(zoho, "Leads"))


def test_what_could_not_be_looked_at_is_named(stand_in: Start, run_in_process: RunCommand) -> None:
    zoho = stand_in("--inventory-size", 60)
    configure(zoho, retry={"attempts": 1})
    file = export(zoho, "Leads")
    with file.open("a", encoding="utf-8") as opened:
        opened.write("zcrm_990000000000000999,true,x\n")  # the org has no such record
    done = run_in_process("locks", "--from", file, "--json")
    assert (done.code, balanced(done.json)["rejected"]) == (3, 1)
    assert done.json["causes"][0]["ranges"] == "Leads 990000000000000999"
    assert "1 not looked at" in done.json["message"]
    assert len(keys_of(done.json["output"])) == len(locked_records(zoho, "Leads"))
    retried = run_in_process("retry", done.json["run_id"], "--json")
    assert retried.code == 2
    assert "finds locked records" in retried.json["message"]
    undone = run_in_process("undo", done.json["run_id"], "--json")
    assert (undone.code, undone.json["exit_code"]) == (2, 2)
    assert "nothing to undo" in undone.json["message"]
    assert len(journals()) == 1


def test_it_is_reported_shown_and_listed_like_any_run(
    stand_in: Start, run_in_process: RunCommand
) -> None:
    zoho = stand_in("--inventory-size", 60)
    configure(zoho)
    found = run_in_process("locks", "Leads", "--json").json
    run_in_process("locks", "Leads")  # another day's locks are no family of these
    again = run_in_process("report", found["run_id"], "-o", "again.csv", "--json").json
    assert keys_of(found["output"])
    assert sorted(keys_of(again["output"])) == sorted(keys_of(found["output"]))
    shown = run_in_process("show", found["run_id"])
    assert found["message"] in shown.out
    assert "Runs of the same file" not in shown.out
    listed = run_in_process("runs", "--json").json["runs"]
    assert {run["kind"] for run in listed} == {"locks"}


def test_a_fresh_search_takes_the_place_of_an_unfinished_one(
    stand_in: Start, run_in_process: RunCommand
) -> None:
    zoho = stand_in("--inventory-size", 60)
    configure(zoho, limits={"max_credits": 3})
    first = run_in_process("locks", "Leads", "--json").json
    assert first["exit_code"] == 6
    configure(zoho)
    fresh = run_in_process("locks", "Leads", "--fresh", "--json").json
    assert (fresh["exit_code"], fresh["run_id"] != first["run_id"]) == (0, True)
    assert "no unfinished run" in run_in_process("resume").out
