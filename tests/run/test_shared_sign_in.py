"""The sign-in to an org whose token several machines share."""

import asyncio
from pathlib import Path

from pydantic import SecretStr
from support.settings import settings_of
from support.zoho import Start

from batchlock.core.cancel import CancelToken
from batchlock.core.org import StoredOrg
from batchlock.org_settings import put_orgs
from batchlock.org_sign_in import check_sign_ins
from batchlock.store.sealing import new_key
from batchlock.store.store import Store


def test_machines_share_the_token_of_an_org_and_what_zoho_says(
    stand_in: Start, database_url: str, tmp_path: Path
) -> None:
    zoho = stand_in()
    settings = settings_of(f"secrets: {{key: '{new_key()}'}}")
    acme = StoredOrg(
        name="acme",
        data_center="us",
        environment="production",
        api_url=zoho.url,
        accounts_url=zoho.url,
    )
    secrets = {name: SecretStr("x") for name in ("client_id", "client_secret", "refresh_token")}
    for number, machine in enumerate(("one", "two")):
        with Store(tmp_path / machine, database_url) as store:
            if number == 0:
                put_orgs(settings, store, [(acme, secrets)])
            [check] = asyncio.run(check_sign_ins(settings, store, ["acme"], CancelToken()))
            assert (check.exit_code, check.message) == (0, "")
            stored = store.orgs.get("acme")
            assert stored is not None
            assert stored.facts is not None
            assert stored.facts.company_name == "Rehearsal Ltd"
        assert list((tmp_path / machine).rglob("tokens/*")) == []
    assert zoho.state()["calls"]["token"] == 1
