"""The functions for Python with an org of the store."""

import pandas as pd
import pytest
from pydantic import SecretStr
from support.settings import settings_of
from support.sheets import TITLES, rows
from support.zoho import Start

import batchlock
from batchlock.core.org import StoredOrg
from batchlock.org_settings import put_orgs
from batchlock.store.store import Store

STATE = {"state_directory": "state"}
_SECRETS = {name: SecretStr("x") for name in ("client_id", "client_secret", "refresh_token")}


def frame_of(count: int) -> pd.DataFrame:
    return pd.DataFrame(rows(count), columns=list(TITLES))


def add_org(url: str) -> None:
    """Add the org `one`, which may have two calls in flight."""
    org = StoredOrg(
        name="one",
        data_center="eu",
        environment="production",
        api_url=url,
        accounts_url=url,
        settings={"limits": {"max_in_flight": 2, "in_flight": 2}},
    )
    settings = settings_of("state_directory: state")
    with Store(settings.state) as store:
        put_orgs(settings, store, [(org, _SECRETS)])


def test_a_table_is_sent_to_an_org_of_the_store_with_its_settings(stand_in: Start) -> None:
    zoho = stand_in("--latency", "5ms")
    add_org(zoho.url)
    checked = batchlock.check(frame_of(6), settings=STATE, org="one")
    assert list(checked["Result"]) == ["not_sent"] * 6
    done = batchlock.run(frame_of(6), settings=STATE, org="one", progress=False)
    assert list(done["Result"]) == ["updated"] * 6
    assert done.attrs["batchlock"]["in_flight_peak"] <= 2
    assert len(zoho.locks()) == 6
    settings = {**STATE, "limits": {"in_flight": 1}}
    fresh = batchlock.run(frame_of(6), settings=settings, org="one", fresh=True, progress=False)
    assert fresh.attrs["batchlock"]["in_flight_peak"] == 1
    # Both runs are known under the org. The second has found the reasons of the first, so nothing
    # is to be put back.
    run_id = fresh.attrs["batchlock"]["run_id"]
    assert batchlock.undo(run_id, settings=STATE, org="one", progress=False) is None


def test_an_unknown_org_is_refused() -> None:
    with pytest.raises(batchlock.UsageError, match="two"):
        batchlock.run(frame_of(1), settings=STATE, org="two", progress=False)


def test_a_rehearsal_with_the_settings_of_an_org_needs_no_secrets(stand_in: Start) -> None:
    add_org(stand_in().url)
    done = batchlock.run(frame_of(2), settings=STATE, org="one", simulate=True, progress=False)
    assert done.attrs["batchlock"]["counts"]["updated"] == 2
