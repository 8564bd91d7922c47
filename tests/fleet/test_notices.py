"""What workers tell about the runs that they send."""

from collections.abc import Callable
from dataclasses import replace

from pydantic import SecretStr
from support.fleet import Fleet, name_of, until
from support.notice_server import NoticeServer, notice_server

from batchlock.core.runs import RunState
from batchlock.notify.settings import NotifySettings
from batchlock.store.sealing import new_key
from batchlock.store.settings import SecretsSettings

MakeFleet = Callable[..., Fleet]


def told_by(server: NoticeServer, fleet: Fleet) -> Fleet:
    """Return the fleet with notices to a server."""
    notify = NotifySettings(
        ping_url=SecretStr(f"{server.url}/ping/{{org}}"), webhook=SecretStr(f"{server.url}/hook")
    )
    return replace(fleet, settings=replace(fleet.settings, notify=notify))


def test_a_worker_tells_the_end_of_each_run_and_pings_nobody(make_fleet: MakeFleet) -> None:
    with notice_server() as server:
        fleet = told_by(server, make_fleet("--latency", "5ms", orgs=2))
        runs = [fleet.start(number, 3) for number in (1, 2)]
        with fleet.worker():
            until(lambda: all(fleet.as_it_stands(run).is_closed for run in runs))
        ends = [one.json for one in server.requests if one.json["event"] == "end"]
    assert {*server.paths} == {"/hook"}
    assert sorted((end["org"], end["run_id"], end["exit_code"]) for end in ends) == [
        (name_of(number), run.run_id, 0) for number, run in enumerate(runs, 1)
    ]
    assert {(end["command"], end["counts"]["updated"]) for end in ends} == {("worker", 3)}


def test_a_dead_address_does_not_keep_a_worker_from_its_runs(make_fleet: MakeFleet) -> None:
    with notice_server(hangs=True) as server:
        notify = NotifySettings(webhook=SecretStr(server.url), timeout=0.5)
        fleet = make_fleet("--latency", "5ms")
        fleet = replace(fleet, settings=replace(fleet.settings, notify=notify))
        run = fleet.start(1, 3)
        with fleet.worker():
            until(lambda: fleet.as_it_stands(run).is_closed)
        assert server.requests
    assert fleet.as_it_stands(run).state is RunState.FINISHED


def test_a_run_that_waits_again_has_not_ended(make_fleet: MakeFleet) -> None:
    with notice_server() as server:
        fleet = told_by(server, make_fleet("--latency", "200ms"))
        run = fleet.start(1, 300)
        with fleet.worker():
            until(lambda: fleet.as_it_stands(run).figures.settled > 0)
        assert fleet.as_it_stands(run).state is RunState.QUEUED
    assert [one.json["event"] for one in server.requests] == ["start"]


def test_a_run_that_cannot_begin_needs_a_person(make_fleet: MakeFleet) -> None:
    with notice_server() as server:
        fleet = told_by(server, make_fleet("--latency", "5ms"))
        run = fleet.start(1, 3)
        other_key = SecretsSettings(key=SecretStr(new_key()))
        fleet = replace(fleet, settings=replace(fleet.settings, secrets=other_key))
        with fleet.worker():
            until(lambda: fleet.as_it_stands(run).reason is not None)
        (end,) = (one.json for one in server.requests if one.json["event"] == "end")
    assert (end["exit_code"], end["needs_person"]) == (2, True)
    assert "key" in end["text"]
