"""`batchlock simulate --orgs` and the files that name its orgs."""

import asyncio
import csv
from pathlib import Path

import pytest
from support.commands import RunCommand
from support.run_info import INTERRUPTED
from support.zoho import Start, parsed_orgs

from batchlock.cli import simulate as steps
from batchlock.core.cancel import CancelToken
from batchlock.core.errors import UsageError
from batchlock.simulator import Behaviour, Identity, make_orgs, sample_rows, write_orgs


def test_one_org_is_the_default() -> None:
    assert parsed_orgs().only is not None
    assert parsed_orgs("--orgs", 1).only is not None
    (org,) = parsed_orgs("--company-name", "Zylker")
    assert org.behaviour == Behaviour(company_name="Zylker")


def test_the_options_hold_for_each_org_and_each_has_its_own_records() -> None:
    first, second = parsed_orgs("--orgs", 2, "--in-flight-cap", 5, "--inventory-size", 10)
    assert first.behaviour.in_flight_cap == second.behaviour.in_flight_cap == 5
    assert first.locks.inventory.records_of("Leads")[0].record_id.startswith("9900001")
    Path("records.json").write_text('{"records": {"Deals": [{"id": "5843104000000425565"}]}}')
    first, second = parsed_orgs("--orgs", 2, "--inventory", "records.json")
    records = [org.locks.inventory.find("Deals", "5843104000000425565") for org in (first, second)]
    assert records[0] == records[1]
    assert records[0] is not records[1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--orgs", 1000), "the orgs are 1 to 999: 1000"),
        (("--orgs", 2, "--org-id", "x"), "the org_id is a number: x"),
    ],
)
def test_orgs_that_cannot_be_made_are_refused(options: tuple[object, ...], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parsed_orgs(*options)


def test_the_file_has_the_sign_in_of_each_org() -> None:
    orgs = make_orgs(2, Behaviour(org_id="42"))
    orgs.set_url("http://127.0.0.1:8899")
    write_orgs(Path("orgs.csv"), orgs)
    with Path("orgs.csv").open(encoding="utf-8", newline="") as file:
        _, second = csv.DictReader(file)
    assert second == {
        "name": "org-002",
        "environment": "production",
        "api_url": "http://127.0.0.1:8899",
        "accounts_url": "http://127.0.0.1:8899",
        "client_id": "client-002",
        "client_secret": "secret-002",
        "refresh_token": "refresh-002",
        "organization_id": "44",
    }


def test_the_command_writes_the_file_and_prints_the_first_sign_in(
    capsys: pytest.CaptureFixture[str],
) -> None:
    token = CancelToken()
    token.cancel(INTERRUPTED)  # so that it ends as soon as it has started
    asyncio.run(steps.serve(make_orgs(3), Path("orgs.csv"), port=0, cancel_token=token))
    out = capsys.readouterr().out
    assert "It has 3 orgs; this is the first:" in out
    assert "client_id: client-001" in out
    assert len(Path("orgs.csv").read_text().splitlines()) == 4


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("orgs.csv", "orgs.csv exists already"),
        ("none/orgs.csv", "cannot be written: No such"),
        ("orgs.xlsx", "orgs.xlsx would be a CSV file"),
    ],
)
def test_a_file_that_cannot_be_written_is_an_error(file: str, message: str) -> None:
    Path("orgs.csv").write_text("name\nacme\n")
    with pytest.raises(UsageError, match=message):
        asyncio.run(steps.serve(make_orgs(2), Path(file), port=0, cancel_token=CancelToken()))
    assert Path("orgs.csv").read_text() == "name\nacme\n"


def test_a_run_of_one_org_changes_nothing_in_another(
    stand_in: Start, run_in_process: RunCommand
) -> None:
    zoho = stand_in("--orgs", 2)
    own = zoho.org(2)
    rows = list(sample_rows(Identity(2, is_only=False), 3))
    lines = [f"{row.module},{row.record_id},{row.lock_id},{row.reason}\n" for row in rows]
    Path("rows.csv").write_text("module,record_id,lock_id,reason\n" + "".join(lines))
    completed = run_in_process("run", "rows.csv", "--config", own.config(org="second"))
    assert completed.code == 0, completed.err
    reasons = {key: lock["reason"] for key, lock in own.locks().items()}
    assert reasons == {f"{row.module}/{row.record_id}": row.reason for row in rows}
    first, second = zoho.orgs()["orgs"]
    assert (first["calls"], first["token_requests"], second["puts"]) == (0, 0, 3)
