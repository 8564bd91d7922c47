"""Where a run leaves what it has found for the next run of its org."""

from pathlib import Path

import pytest
from support.settings import settings_of

from batchlock.execute import org_memory
from batchlock.store.store import Store


@pytest.mark.parametrize("is_server", [False, True])
def test_a_shared_store_has_it_in_place_of_files(
    request: pytest.FixtureRequest, tmp_path: Path, is_server: bool
) -> None:
    settings = settings_of(f"state_directory: {tmp_path}")
    url = request.getfixturevalue("database_url") if is_server else None
    with Store(settings.state, url) as store:
        memory = org_memory(settings, store, "acme")
        memory.pace.write({"refused": 11})
        memory.composite.write({"PUT": {"accepted": True}})
        again = org_memory(settings, store, "acme")
        assert again.pace.read() == {"refused": 11}
        assert again.composite.read() == {"PUT": {"accepted": True}}
        assert org_memory(settings, store, "other").pace.read() == {}
        assert store.orgs.column("acme", "pace").read() == ({"refused": 11} if is_server else {})
    files = sorted(path.parent.name for path in tmp_path.rglob("acme.json"))
    assert files == ([] if is_server else ["composite", "pace"])
