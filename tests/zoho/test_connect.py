import asyncio
from pathlib import Path

import pytest

from batchlock.config import SIMULATOR, Settings, load
from batchlock.core.errors import BatchlockError, SignInRefused, Stopped, UsageError
from batchlock.core.reply import Verdict
from batchlock.core.rows import RecordId, Update
from batchlock.send.pacing.limiter import CallLimiter
from batchlock.simulator import ORGANIZATION_ID, Behaviour, Fault, Kind, serving
from batchlock.zoho.connect import Credentials, address, connect, load_credentials


def settings(tmp_path: Path, url: str, **more: str) -> Settings:
    told = {
        "BATCHLOCK_ZOHO__API_URL": url,
        "BATCHLOCK_ZOHO__ACCOUNTS_URL": url,
        "BATCHLOCK_ZOHO__CLIENT_ID": "id",
        "BATCHLOCK_ZOHO__CLIENT_SECRET": "secret",
        "BATCHLOCK_ZOHO__REFRESH_TOKEN": "token",
        "BATCHLOCK_STATE_DIRECTORY": str(tmp_path),
        "BATCHLOCK_RETRY__GIVE_UP_AFTER": "1",
        **more,
    }
    return load(environment=told)


def sign_in_to(tmp_path: Path, behaviour: Behaviour | None = None, **more: str) -> dict[Kind, int]:
    async def go() -> dict[Kind, int]:
        async with serving(behaviour) as simulator:
            given = settings(tmp_path, simulator.url, **more)
            async with connect(given, load_credentials(given, given.org)) as way:
                await way.ready(CallLimiter(given.limits, given.retry))
            return {kind: simulator.ledger.count(kind) for kind in Kind}

    return asyncio.run(go())


def test_signing_in_takes_one_token_request_and_no_call(tmp_path: Path) -> None:
    calls = sign_in_to(tmp_path)
    assert calls.pop(Kind.TOKEN) == 1
    assert set(calls.values()) == {0}


@pytest.mark.parametrize("org_id", [ORGANIZATION_ID, "990000000000000001"])
def test_the_right_org_passes_by_either_of_its_ids(tmp_path: Path, org_id: str) -> None:
    assert sign_in_to(tmp_path, BATCHLOCK_ZOHO__ORGANIZATION_ID=org_id)[Kind.OTHER] == 1


def test_another_org_is_refused_before_anything_is_sent(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"for the org .*990000000.*, not for 123\. .*login"):
        sign_in_to(tmp_path, BATCHLOCK_ZOHO__ORGANIZATION_ID="123")


@pytest.mark.parametrize(
    ("refresh_token", "expected"),
    [("scope_missing", SignInRefused), ("never_valid", SignInRefused), ("revoked", SignInRefused)],
)
def test_an_org_that_may_not_be_asked_for_needs_a_person(
    tmp_path: Path, refresh_token: str, expected: type[BatchlockError]
) -> None:
    with pytest.raises(expected):
        sign_in_to(
            tmp_path,
            BATCHLOCK_ZOHO__ORGANIZATION_ID="123",
            BATCHLOCK_ZOHO__REFRESH_TOKEN=refresh_token,
        )


def test_an_org_that_cannot_be_asked_for_now_stops_the_run(tmp_path: Path) -> None:
    failing = Behaviour(faults={Fault.BAD_GATEWAY: 1.0})
    with pytest.raises(Stopped):
        sign_in_to(tmp_path, failing, BATCHLOCK_ZOHO__ORGANIZATION_ID="123")


@pytest.mark.parametrize("name", ["GIVE_UP_AFTER", "ATTEMPTS"])
def test_an_org_that_is_asked_for_in_vain_is_given_up_as_rows_are(
    tmp_path: Path, name: str
) -> None:
    """Throttling is bounded by time, and a fault by attempts."""
    fault = Fault.THROTTLED if name == "GIVE_UP_AFTER" else Fault.BAD_GATEWAY
    more = {
        "BATCHLOCK_ZOHO__ORGANIZATION_ID": "123",
        "BATCHLOCK_RETRY__ATTEMPTS": "2",
        "BATCHLOCK_RETRY__FIRST_WAIT": "0.01",
        "BATCHLOCK_RETRY__LONGEST_WAIT": "0.05",
    }
    words = "No good answer came" if name == "GIVE_UP_AFTER" else "fault"
    with pytest.raises(Stopped, match=words):
        sign_in_to(tmp_path, Behaviour(faults={fault: 1.0}), **more)


def test_a_wait_beyond_all_patience_ends_the_start_at_once(tmp_path: Path) -> None:
    busy = Behaviour(faults={Fault.THROTTLED: 1.0}, retry_after=3600.0)
    with pytest.raises(Stopped, match=r"asks to wait 3,600 seconds"):
        sign_in_to(tmp_path, busy, BATCHLOCK_ZOHO__ORGANIZATION_ID="123")


def test_a_token_that_is_not_taken_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SignInRefused):
        sign_in_to(
            tmp_path,
            BATCHLOCK_ZOHO__ORGANIZATION_ID="123",
            BATCHLOCK_ZOHO__REFRESH_TOKEN="never_valid",
        )


def test_a_rehearsal_has_its_own_org_and_needs_no_credentials(tmp_path: Path) -> None:
    given = load(environment={"BATCHLOCK_STATE_DIRECTORY": str(tmp_path)})
    with pytest.raises(UsageError, match=r"client_id is missing"):
        load_credentials(given, given.org)

    async def go(how: Credentials) -> Verdict:
        async with connect(given, how) as way:
            await way.ready(CallLimiter(given.limits, given.retry))
            return (await way.client.find_lock(Update(2, "Leads", RecordId("1" * 18), None, "x"))
                    ).verdict  # fmt: skip

    assert asyncio.run(go(load_credentials(given, SIMULATOR))) is Verdict.ACCEPTED
    assert address(given, SIMULATOR)[0] == "rehearsal"
    assert address(given, given.org) == ("production", "https://www.zohoapis.com")
