"""`batchlock orgs`: several orgs in one store, and the option --org of the other commands."""

import csv
import json
import os
from pathlib import Path

import openpyxl
import pytest
from support.commands import RunCommand, run_with_input
from support.sheets import rows, sheet
from support.zoho import StandIn, Start

from batchlock import org_settings
from batchlock.store.store import Store

SECRET = "secret-001"
TOKEN = "refresh-001"


@pytest.fixture(autouse=True)
def state(isolated: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BATCHLOCK_STATE_DIRECTORY", str(isolated / "state"))
    return isolated / "state"


def table(zoho: StandIn, **changed: str) -> Path:
    """Write a spreadsheet with the orgs one and two of a stand-in."""
    file = Path("orgs.csv")
    columns = {
        "Name": "{}",
        "api_url": zoho.url,
        "accounts_url": zoho.url,
        "client_id": "client-{}",
        "client_secret": SECRET,
        "refresh_token": TOKEN,
        "max_in_flight": "4",
        **changed,
    }
    with file.open("w", encoding="utf-8", newline="") as text:
        csv.writer(text, delimiter=";").writerows(
            [columns, *([cell.format(org) for cell in columns.values()] for org in ("one", "two"))]
        )
    return file


def sign_in_files() -> tuple[object, ...]:
    Path("secret").write_text(f"{SECRET}\n")
    Path("token").write_text(TOKEN)
    return ("--client-id", "me", "--client-secret-file", "secret", "--refresh-token-file", "token")


def test_four_eyes_are_switched_for_one_org(
    stand_in: Start, run_in_process: RunCommand, state: Path
) -> None:
    run_in_process("orgs", "import", table(stand_in()))
    change = ("orgs", "add", "one", "--update", "--keep-sign-in", "--no-test")
    for option, value in (("--four-eyes", "yes"), ("--no-four-eyes", "no")):
        assert run_in_process(*change, option).code == 0
        with Store(state) as store:
            stored = {org.name: org.settings.get("web") for org in store.orgs.all()}
        assert stored == {"one": {"four_eyes": value}, "two": None}


def test_orgs_of_a_spreadsheet_are_imported_tested_and_used(
    stand_in: Start, run_in_process: RunCommand, state: Path
) -> None:
    zoho = stand_in()
    assert run_in_process("orgs", "import", table(zoho)).code == 0
    tested = run_in_process("orgs", "test", "--all")
    assert tested.code == 0
    assert [line.split(", ")[0] for line in tested.out.splitlines()] == [
        "one: Rehearsal Ltd",
        "two: Rehearsal Ltd",
    ]
    completed = run_in_process("run", sheet("in.csv", rows(3)), "--org", "one", "--json")
    assert (completed.code, completed.json["counts"]["updated"]) == (0, 3)
    listed = run_in_process("runs", "--org", "one", "--json").json["runs"]
    assert [run["org"] for run in listed] == ["one"]
    assert run_in_process("runs", "--org", "two", "--json").json["runs"] == []
    other = run_in_process("show", listed[0]["run_id"], "--org", "two")
    assert (other.code, "belongs to the org one, not to two" in other.err) == (2, True)
    for file in state.rglob("*"):
        content = file.read_bytes() if file.is_file() else b""
        assert SECRET.encode() not in content
        assert TOKEN.encode() not in content


def test_every_problem_of_a_spreadsheet_is_reported_and_nothing_is_imported(
    org: StandIn, run_in_process: RunCommand
) -> None:
    file = table(org, environment="prod", max_in_flight="0", refresh_token="")
    refused = run_in_process("orgs", "import", file)
    assert refused.code == 2
    assert refused.err.splitlines()[1:] == [
        f"row {row}, {problem}"
        for row in (2, 3)
        for problem in ("refresh_token: the cell is empty. Fill it in.",)
    ]
    file = table(org, environment="prod", max_in_flight="0")
    assert run_in_process("orgs", "import", file).err.count("does not fit") == 4
    assert SECRET not in refused.err
    table(org, client_secret="{}")
    Path("orgs.csv").write_text(Path("orgs.csv").read_text().replace("two", "ONE"))
    assert "one stands in 2 rows" in run_in_process("orgs", "import", "orgs.csv").err
    Path("orgs.csv").write_text("name,secrets\na,b\n")
    assert "no column secrets" in run_in_process("orgs", "import", "orgs.csv").err
    assert run_in_process("orgs", "list", "--json").json["orgs"] == []


def test_a_workbook_is_imported_unless_its_ids_are_rounded(
    org: StandIn, run_in_process: RunCommand
) -> None:
    book = openpyxl.Workbook()
    assert book.active is not None
    book.active.append(["name", "client_id", "client_secret", "refresh_token", "organization_id"])
    book.active.append(["a", "x", "y", "z", 123456789012345678])
    book.save("orgs.xlsx")
    refused = run_in_process("orgs", "import", "orgs.xlsx")
    assert (refused.code, "row 2, organization_id" in refused.err) == (2, True)
    book.active["E2"] = "123456789012345678"
    book.save("orgs.xlsx")
    assert run_in_process("orgs", "import", "orgs.xlsx").code == 0
    assert "already" in run_in_process("orgs", "import", "orgs.xlsx").err
    assert "1 changed" in run_in_process("orgs", "import", "orgs.xlsx", "--update").out


def test_an_org_is_added_only_when_its_sign_in_works(
    org: StandIn, run_in_process: RunCommand, state: Path
) -> None:
    urls = ("--api-url", org.url, "--accounts-url", org.url)
    add = ("orgs", "add", "acme", *urls, *sign_in_files())
    other = run_in_process(*add, "--organization-id", "1")
    assert (other.code, "not for 1" in other.err) == (2, True)
    Path("token").write_text("revoked")
    refused = run_in_process(*add)
    assert (refused.code, "invalid_code" in refused.err) == (5, True)
    assert "no orgs yet" in run_in_process("orgs", "list").out
    assert run_in_process(*add, "--no-test").code == 0
    assert run_in_process("orgs", "test", "acme").code == 5
    Path("token").write_text(TOKEN)
    assert "already" in run_in_process(*add).err
    added = run_in_process(*add, "--update", "--set", "limits.keep_credits=7")
    assert added.out.splitlines()[0] == "acme is changed."
    kept = run_in_process("orgs", "add", "acme", "--update", "--keep-sign-in", "--max-in-flight=3")
    assert (kept.code, kept.err) == (0, "")
    [listed] = run_in_process("orgs", "list", "--json").json["orgs"]
    assert (listed["name"], listed["organization"]) == ("acme", "Rehearsal Ltd")


def test_the_sign_in_of_the_configuration_is_taken_over(
    org: StandIn, run_in_process: RunCommand
) -> None:
    assert run_in_process("orgs", "add", "acme", "--from-config").code == 0
    Path("config.yaml").write_text("org: other\n", "utf-8")
    completed = run_in_process("run", sheet("in.csv", rows(1)), "--org", "acme", "--json")
    assert completed.json["counts"]["updated"] == 1


def test_client_credentials_are_a_sign_in_of_an_org(
    org: StandIn, run_in_process: RunCommand
) -> None:
    sign_in_files()
    add = ("orgs", "add", "acme", "--client-credentials", "--client-id", "me")
    places = ("--client-secret-file", "secret", "--api-url", org.url, "--accounts-url", org.url)
    refused = run_in_process(*add, *places, "--organization-id", "42")
    assert (refused.code, "(missing_org_info)" in refused.err) == (5, True)
    assert run_in_process(*add, *places, "--organization-id", "990000000").code == 0
    assert "client credentials" in run_in_process("orgs", "list").out
    completed = run_in_process("run", sheet("in.csv", rows(1)), "--org", "acme", "--json")
    assert completed.json["counts"]["updated"] == 1
    # The next sign-in of another grant takes its place.
    assert run_in_process("orgs", "add", "acme", "--update", "--from-config").code == 0
    [listed] = run_in_process("orgs", "list", "--json").json["orgs"]
    assert listed["grant"] == "refresh_token"
    assert run_in_process("orgs", "test", "acme").code == 0


def test_a_spreadsheet_may_hold_client_credentials(
    stand_in: Start, run_in_process: RunCommand
) -> None:
    zoho = stand_in()
    grant = {"grant": "client_credentials", "organization_id": "990000000"}
    refused = run_in_process("orgs", "import", table(zoho, **grant))
    assert "row 2, refresh_token: the grant client_credentials has none" in refused.err
    missing = run_in_process(
        "orgs", "import", table(zoho, grant="client_credentials", refresh_token="")
    )
    assert "row 2, organization_id: the cell is empty" in missing.err
    assert run_in_process("orgs", "import", table(zoho, **grant, refresh_token="")).code == 0
    assert run_in_process("orgs", "test", "--all").code == 0


def test_a_person_types_the_sign_in(org: StandIn) -> None:
    urls = ["--api-url", org.url, "--accounts-url", org.url]
    add = ["orgs", "add", "acme", "--self-client", *urls]
    typed = run_with_input(add, typed="me\nhush\n1000.code\n")
    assert typed.returncode == 0, typed.stderr
    assert "acme: Rehearsal Ltd" in typed.stdout
    assert "hush" not in typed.stdout + typed.stderr
    login = ["login", "--org", "acme", "--self-client"]
    again = run_with_input(login, typed="me\nhush\n1000.new\n")
    assert "The sign-in of acme is in the store." in again.stdout
    assert list(Path(os.environ["HOME"]).rglob("acme.*")) == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("orgs", "add", "../x", "--no-test"), "becomes a folder"),
        (("orgs", "add", "b", "--set", "web.keep=3"), "the same for all orgs"),
        (("orgs", "add", "b", "--set", "zoho.client_secret=x"), "the same for all orgs"),
        (("orgs", "add", "b", "--max-in-flight", "0"), "--max-in-flight"),
        (("orgs", "add", "b", "--ask-token", "--self-client"), "a sign-in that is there already"),
        (("orgs", "add", "b", "--keep-sign-in"), "no sign-in of b"),
        (("orgs", "add", "ONE", "--no-test"), "only in capital letters"),
        (("orgs", "test"), "Name one org"),
        (("orgs", "test", "ene"), "Known are one, "),
        (("orgs", "disable", "ene"), "Known are one, two"),
        (("orgs", "remove", "ene"), "Known are one, two"),
        (("run", "in.csv", "--org", "ene"), "Known are one, "),
    ],
)
def test_a_wrong_request_is_refused(
    org: StandIn, run_in_process: RunCommand, arguments: tuple[str, ...], words: str
) -> None:
    run_in_process("orgs", "import", table(org))
    refused = run_in_process(*arguments)
    assert refused.code == 2
    assert words in refused.err


def test_nothing_is_sent_to_a_disabled_org(org: StandIn, run_in_process: RunCommand) -> None:
    run_in_process("orgs", "import", table(org))
    run_in_process("orgs", "disable", "one")
    file = sheet("in.csv", rows(1))
    refused = run_in_process("run", file, "--org", "one")
    assert (refused.code, "orgs enable one" in refused.err) == (2, True)
    assert run_in_process("orgs", "test", "one").code == 2
    assert "two" in run_in_process("orgs", "test", "--all").out
    assert run_in_process("check", file, "--org", "one").code == 0
    run_in_process("orgs", "enable", "one")
    assert run_in_process("run", file, "--org", "one").code == 0


def test_an_org_with_unfinished_runs_is_kept(stand_in: Start, run_in_process: RunCommand) -> None:
    zoho = stand_in()
    run_in_process("orgs", "import", table(zoho))
    Path("config.yaml").write_text(json.dumps({"limits": {"max_credits": 1}}), "utf-8")
    stopped = run_in_process("run", sheet("in.csv", rows(3)), "--org", "one", "--json")
    assert (stopped.code, "--org one" in stopped.json["resume"]) == (6, True)
    refused = run_in_process("orgs", "remove", "one")
    assert (refused.code, "1 unfinished run." in refused.err) == (2, True)
    assert run_in_process("orgs", "remove", "one", "--yes").code == 0
    assert "one" not in run_in_process("orgs", "list").out


def test_secrets_move_to_a_new_key(org: StandIn, run_in_process: RunCommand, state: Path) -> None:
    run_in_process("orgs", "import", table(org))
    key_file = state / "secrets.key"
    new, old = run_in_process("orgs", "new-key").out.strip(), key_file.read_text()
    key_file.write_text(f"{new}\n{old}")
    assert run_in_process("orgs", "reseal").out.startswith("6 secrets")
    key_file.write_text(new)
    assert run_in_process("orgs", "test", "one").code == 0
    key_file.write_text(old)
    org_settings._read_keys.cache_clear()  # as in another process
    refused = run_in_process("orgs", "test", "one")
    assert (refused.code, "was sealed with the key" in refused.out) == (2, True)


def test_a_sign_in_without_the_scope_for_the_org_works(
    stand_in: Start, run_in_process: RunCommand
) -> None:
    zoho = stand_in("--scopes", "ZohoCRM.modules.ALL")
    run_in_process("orgs", "import", table(zoho))
    tested = run_in_process("orgs", "test", "one")
    assert (tested.code, "lacks the scope ZohoCRM.org.READ" in tested.out) == (0, True)
    run_in_process("orgs", "import", table(zoho, organization_id="7"), "--update")
    assert run_in_process("orgs", "test", "one").code != 0


def test_an_org_that_gives_no_answer_is_told_from_a_refused_sign_in(
    stand_in: Start, run_in_process: RunCommand
) -> None:
    zoho = stand_in("--faults", "bad_gateway=1")
    retry = {"give_up_after": 0.05, "first_wait": 0.01, "attempts": 1}
    Path("config.yaml").write_text(json.dumps({"retry": retry}), "utf-8")
    run_in_process("orgs", "import", table(zoho))
    tested = run_in_process("orgs", "test", "--all")
    assert tested.code == 3
    assert tested.out.count("no sign-in. ") == 2


def test_a_list_that_fails_is_a_json_object_too(run_in_process: RunCommand) -> None:
    Path("config.yaml").write_text("limits: {most: 1}", "utf-8")
    failed = run_in_process("orgs", "list", "--json")
    assert (failed.code, failed.json["orgs"], failed.json["exit_code"]) == (2, [], 2)
