"""Runs that outlive the server, and ends that the page reports."""

from pathlib import Path

from support.page_server import configure_slow, page_server
from support.sheets import record
from support.visitor import csv_content, eventually
from support.zoho import StandIn, Start


def test_a_run_survives_the_server(slow_org: StandIn, tmp_path: Path) -> None:
    configure_slow(slow_org, tmp_path)
    # This server and the process of its run are new processes; those of other tests are forks.
    with page_server(tmp_path, is_measured=True) as page:
        someone = page.visitor()
        run = someone.start("locks.csv", csv_content(40, first=1_000))
        someone.wait_for(run, "Sending.")
        page.kill()
        with page_server(tmp_path) as next_page:
            assert "40 updated" in next_page.visitor().results(run).words
    locks = slow_org.locks()
    numbers = range(1_000, 1_040)
    assert [locks[f"Leads/{record(number)}"]["updates"] for number in numbers] == [1] * 40


def test_a_new_server_finds_a_run_that_has_just_begun(slow_org: StandIn, tmp_path: Path) -> None:
    configure_slow(slow_org, tmp_path)
    with page_server(tmp_path) as page:
        run = page.visitor().start("locks.csv", csv_content(300, first=2_000))
        eventually(lambda: page.running() is not None)
        page.kill()
        with page_server(tmp_path) as next_page:
            someone = next_page.visitor()
            someone.wait_for(run, "Sending.")
            someone.post(f"{run}/stop")
            assert "Stopped by" in someone.results(run).words
    assert slow_org.state()["in_flight"] == 0
    assert f"Leads/{record(2_299)}" not in slow_org.locks()


def test_a_refused_sign_in_is_reported_on_the_page(stand_in: Start, tmp_path: Path) -> None:
    stand_in().config(
        tmp_path / "config.yaml",
        state_directory=str(tmp_path / "state"),
        zoho={"refresh_token": "revoked"},
    )
    with page_server(tmp_path) as page:
        someone = page.visitor()
        results = someone.results(someone.start("locks.csv", csv_content(3, first=1))).words
    assert "3 not sent" in results
    assert "sign batchlock in again" in results
