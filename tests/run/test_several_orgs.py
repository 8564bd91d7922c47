"""Several orgs at the same time on one machine: each has its own lock, cap, token and settings."""

import asyncio
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pydantic import SecretStr
from support.commands import TIMEOUT_SECONDS, RunCommand
from support.settings import settings_of
from support.sheets import rows, sheet
from support.zoho import StandIn, Start

from batchlock.core.cancel import CancelToken
from batchlock.core.observer import RunObserver
from batchlock.core.options import RunOptions
from batchlock.core.org import StoredOrg
from batchlock.core.results import RunResult
from batchlock.engine import Engine
from batchlock.org_settings import put_orgs, settings_of_org
from batchlock.store.store import Store

CAPS = {"one": 2, "two": 5}
_SECRETS = {name: SecretStr("x") for name in ("client_id", "client_secret", "refresh_token")}


def stored(name: str, zoho: StandIn) -> StoredOrg:
    return StoredOrg(
        name=name,
        data_center="eu",
        environment="production",
        api_url=zoho.url,
        accounts_url=zoho.url,
        settings={"limits": {"max_in_flight": CAPS[name], "in_flight": CAPS[name]}},
    )


def test_two_orgs_are_sent_at_the_same_time_within_their_caps(stand_in: Start) -> None:
    orgs = {name: stand_in("--latency", "20ms") for name in CAPS}
    settings = settings_of("state_directory: state")
    file = sheet("in.csv", rows(40))
    # Nobody goes on before both send.
    both_send = threading.Barrier(len(orgs), timeout=TIMEOUT_SECONDS)

    class Observer(RunObserver):
        def on_sending(self, *, rows: int, remaining: int, only_looks: bool = False) -> None:
            both_send.wait()

    def run(name: str) -> RunResult:
        of_org = settings_of_org(settings, store, name)
        options = RunOptions(output=Path(f"{name}.csv"))
        engine = Engine(of_org, options, CancelToken(), Observer(), store=store)
        return asyncio.run(engine.run(file))

    with Store(settings.state) as store, ThreadPoolExecutor() as threads:
        put_orgs(settings, store, [(stored(name, zoho), _SECRETS) for name, zoho in orgs.items()])
        results = list(threads.map(run, orgs))
    for (name, zoho), result in zip(orgs.items(), results, strict=True):
        assert result.summary.exit_code == 0
        assert 1 < result.summary.in_flight_peak <= CAPS[name]
        assert len(zoho.locks()) == 40
        assert json.loads(Path(f"state/tokens/{name}.json").read_text())


def test_the_lock_of_one_org_keeps_no_other_org_waiting(
    stand_in: Start, run_in_process: RunCommand
) -> None:
    zoho = stand_in()
    settings = settings_of("state_directory: state")
    Path("config.yaml").write_text("state_directory: state\n", "utf-8")
    file = sheet("in.csv", rows(1))
    with Store(settings.state) as store:
        put_orgs(settings, store, [(stored(name, zoho), _SECRETS) for name in CAPS])
        with store.lock("one"):
            assert run_in_process("run", file, "--org", "one").code == 7
            assert run_in_process("run", file, "--org", "two").code == 0


def test_an_option_wins_over_the_org_and_the_org_over_the_configuration(
    stand_in: Start, run_in_process: RunCommand
) -> None:
    zoho = stand_in("--latency", "5ms")
    settings = settings_of("state_directory: state")
    content = {"state_directory": "state", "limits": {"in_flight": 9}}
    Path("config.yaml").write_text(json.dumps(content), "utf-8")
    with Store(settings.state) as store:
        put_orgs(settings, store, [(stored("one", zoho), _SECRETS)])
    for options, most in (((), 2), (("--in-flight", "1"), 1)):
        file = sheet(f"in-{most}.csv", rows(12))
        completed = run_in_process("run", file, "--org", "one", "--fresh", "--json", *options)
        assert completed.json["in_flight_peak"] == most
