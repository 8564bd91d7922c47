"""A plan that one person has checked, sent by a worker."""

import shlex

import pytest
from support.commands import RunCommand
from support.fleet import fleet_of, name_of, updates_of
from support.zoho import StandIn

from batchlock.core.runs import RunState


def test_only_the_rows_of_the_plan_are_queued(
    org: StandIn, database_url: str, run_in_process: RunCommand, monkeypatch: pytest.MonkeyPatch
) -> None:
    with fleet_of(org, database_url, 1) as fleet:
        for name, value in fleet.environment.items():
            monkeypatch.setenv(name, value)
        file = updates_of(1, 3)
        check = run_in_process("check", file, "--org", name_of(1), "--plan", "plan.json")
        assert check.code == 0, check.err
        command = shlex.split(check.out.partition("To send exactly that: batchlock ")[2])
        content = file.read_bytes()
        file.write_bytes(content.replace(b"\n", b"x\n", 2))
        refused = run_in_process(*command, "--detach", "--json")
        assert refused.code == 2
        assert "is not the one that was checked" in refused.json["message"]
        assert not fleet.store.runs.of_orgs([name_of(1)])
        file.write_bytes(content)
        for _ in range(2):  # the second one takes the run that waits
            queued = run_in_process(*command, "--detach", "--json")
            assert queued.code == 0, queued.err
            [run] = fleet.store.runs.of_orgs([name_of(1)])
            assert (run.run_id, run.state) == (queued.json["run_id"], RunState.QUEUED)
            assert run.figures.rows == 3
