import os
import subprocess
from pathlib import Path

from support.commands import TIMEOUT_SECONDS, RunCommand, command
from support.sheets import lock, record, rows, sheet
from support.terminal import open_terminal, read_until
from support.zoho import StandIn

COLUMNS = 'module "Module", record id "Record Id", lock id "Lock Id", reason "Reason"'


def test_run_says_on_stderr_what_it_is_about_to_send(
    org: StandIn, run_in_process: RunCommand
) -> None:
    content = [*rows(3), ("Deals", record(9), "", "Prüfung läuft")]
    done = run_in_process("run", sheet("in.csv", content))
    assert done.code == 0
    before, _, _ = done.err.partition("Sending")
    assert f"Columns  {COLUMNS}" in before
    assert "To send  4 updates: Leads 3, Deals 1" in before
    assert "Takes    5 calls (1 to look up lock ids), 5 credits" in before
    samples = [line for line in before.splitlines() if line.startswith("Sample")]
    assert len(samples) == 3
    assert samples[0] == (
        f"Sample   row 5: Deals {record(9)}, lock id looked up, reason: Prüfung läuft"
    )
    assert "Columns" not in done.out


def test_run_with_json_tells_the_same(org: StandIn, run_in_process: RunCommand) -> None:
    result = run_in_process("run", sheet("in.csv", rows(2)), "--json").json
    assert result["action"] == "update"
    assert result["read_as"]["calls"] == 2
    assert result["read_as"]["modules"] == [{"module": "Leads", "action": "update", "rows": 2}]
    assert result["read_as"]["fields"]["reason"] == {
        "title": "Reason",
        "value": None,
        "origin": "title",
    }
    assert (result["notes"], result["finished_before"]) == ([], None)
    assert run_in_process("report", result["run_id"], "--json").json["read_as"] == result["read_as"]


def test_a_file_that_was_finished_before_is_said_to_be(
    org: StandIn, run_in_process: RunCommand
) -> None:
    file = sheet("in.csv", rows(2))
    assert run_in_process("check", file, "--json").json["finished_before"] is None
    first = run_in_process("run", file, "--json").json
    for name in ("check", "run"):
        result = run_in_process(name, file, "--json").json
        assert result["finished_before"] is not None
        assert [note["code"] for note in result["notes"]] == ["finished_before"]
    assert "The same file was finished before, on " in run_in_process("check", file).out
    again = run_in_process("run", file)
    assert "The same file was finished before, on " in again.err
    assert "Sending" not in again.err
    fresh = run_in_process("run", file, "--fresh", "--json").json
    assert fresh["finished_before"] is not None
    assert fresh["notes"] == []
    assert run_in_process("show", first["run_id"], "--json").json["finished_before"] is None


def test_check_with_simulate_compares_a_file_with_the_rehearsals(
    org: StandIn, run_in_process: RunCommand
) -> None:
    file = sheet("in.csv", rows(2))
    assert run_in_process("run", file, "--simulate").code == 0
    assert run_in_process("check", file, "--json").json["finished_before"] is None
    result = run_in_process("check", file, "--simulate", "--json").json
    assert result["finished_before"] is not None
    assert [note["code"] for note in result["notes"]] == ["finished_before"]
    assert org.state()["calls"]["put"] == 0


def test_a_guessed_encoding_is_a_note(run_in_process: RunCommand) -> None:
    reasons = ("Prüfung läuft bis März", "Freigabe durch die Buchhaltung", "Vertrag wird geprüft")
    text = "\r\n".join(
        ["Module;Record Id;Reason", *(f"Deals;{record(n)};{why}" for n, why in enumerate(reasons))]
    )
    Path("in.csv").write_bytes(text.encode("cp1252"))
    result = run_in_process("check", "in.csv", "--json").json
    assert result["read_as"]["encoding_source"] == "guess"
    (note,) = result["notes"]
    assert (note["code"], note["rows"]) == ("guessed_encoding", 0)
    assert "--encoding windows-1252 says so and ends this note" in note["message"]
    assert (
        run_in_process("check", "in.csv", "--encoding", "windows-1252", "--json").json["notes"]
        == []
    )


def test_a_strict_run_of_a_file_with_a_note_sends_nothing(
    org: StandIn, run_in_process: RunCommand
) -> None:
    content = [*rows(2), ("Deals", record(9), record(9), "why")]
    file = sheet("in.csv", content)
    (note,) = run_in_process("check", file, "--json").json["notes"]
    done = run_in_process("run", file, "--strict", "--json")
    assert (done.code, done.json["counts"]["not_sent"]) == (3, 3)
    assert f"because there is a note ({note['code'].replace('_', ' ')})" in done.json["message"]
    assert done.json["resume"] is None
    assert org.state()["calls"]["put"] == 0
    assert "no unfinished run" in run_in_process("resume").out
    assert run_in_process("run", file, "--json").json["counts"]["not_sent"] == 0


def test_check_groups_problems_by_cause_with_examples(run_in_process: RunCommand) -> None:
    content = [("Deal", "5.8431E+18", "", f"reason {number}") for number in range(40)]
    done = run_in_process("check", sheet("in.csv", [*content, *rows(2)]))
    assert done.code == 3
    assert "40 rows (unknown_module): rows 2-41" in done.out
    assert "40 rows (lossy_number): rows 2-41" in done.out
    assert 'also row 3, Module: "Deal"; row 4, Module: "Deal"' in done.out
    assert len(done.out.splitlines()) < 24
    assert done.out.splitlines()[0].startswith("42 rows: 2 can be sent, 40 have problems")
    causes = run_in_process("check", "in.csv", "--json").json["causes"]
    assert [(cause["code"], cause["rows"], cause["ranges"]) for cause in causes] == [
        ("unknown_module", 40, "2-41"),
        ("lossy_number", 40, "2-41"),
    ]
    assert [one["value"] for one in causes[0]["examples"]] == ["Deal"] * 3


def test_examples_with_different_messages_come_first(run_in_process: RunCommand) -> None:
    modules = ["Deal", "Deal", "Deal", "Lead", "Foo"]
    content = [(name, record(n), lock(n), "why") for n, name in enumerate(modules)]
    (cause,) = run_in_process("check", sheet("in.csv", content), "--json").json["causes"]
    assert [(one["row"], one["value"]) for one in cause["examples"]] == [
        (2, "Deal"),
        (5, "Lead"),
        (6, "Foo"),
    ]


def test_an_example_beyond_the_last_title_is_not_called_blank(
    run_in_process: RunCommand, tmp_path: Path
) -> None:
    lines = [f"Deals,{record(n)},{lock(n)},Paid, thanks {n}" for n in range(2)]
    file = tmp_path / "beyond.csv"
    file.write_text("\n".join(["Module,Record Id,Lock Id,Reason", *lines, ""]), "utf-8")
    done = run_in_process("check", file)
    assert 'row 2, column E: "thanks 0" is to the right of the last title' in " ".join(
        done.out.split()
    )
    assert "also row 3, column E" in done.out
    assert "(blank)" not in done.out
    (cause,) = run_in_process("check", file, "--json").json["causes"]
    assert [one["value"] for one in cause["examples"]] == [None, None]


def test_verbose_lists_every_problem_and_quiet_only_the_causes(
    run_in_process: RunCommand,
) -> None:
    content = [("Deal", record(number), lock(number), "why") for number in range(5)]
    file = sheet("in.csv", content)
    verbose = run_in_process("check", file, "-v").out
    assert [f"row {row}, Module: " in verbose for row in range(2, 7)] == [True] * 5
    quiet = run_in_process("check", file, "-q")
    assert "Columns" not in quiet.out
    assert "5 rows (unknown_module): rows 2-6" in quiet.out
    assert quiet.err == ""


def test_a_reason_cannot_change_the_terminal_and_stays_on_its_line(
    run_in_process: RunCommand,
) -> None:
    content = [("Leads", record(1), lock(1), "one\r\ntwo\u202eend")]
    out = run_in_process("check", sheet("in.csv", content)).out
    assert "reason: one / two\\u202eend" in out


def test_lines_fit_a_terminal(run_in_process: RunCommand) -> None:
    file = sheet("in.csv", [("Leads", record(1), lock(1), "word " * 100)])
    ours, theirs = open_terminal()
    process = subprocess.Popen(command("check", file), stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    screen = read_until(ours, None)
    process.wait(TIMEOUT_SECONDS)
    os.close(ours)
    assert max(map(len, screen.splitlines())) < 120
    assert "…" in screen
