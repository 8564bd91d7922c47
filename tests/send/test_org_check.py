import asyncio
from pathlib import Path

import pytest

from batchlock.config import load
from batchlock.core.errors import BatchlockError, SignInRefused, Stopped, UsageError
from batchlock.core.stop import Cancelled
from batchlock.execute import connection_to
from batchlock.send.calls import CallCosts
from batchlock.send.org_check import check_org, require_org
from batchlock.send.pacing.limiter import CallLimiter
from batchlock.simulator import ORGANIZATION_ID, Behaviour, Fault, Kind, serving
from batchlock.zoho.credentials import load_credentials


def check_calls(
    tmp_path: Path,
    behaviour: Behaviour | None = None,
    *,
    org_id: str = "123",
    refresh_token: str = "token",
    **retry: str,
) -> int:
    """Check the org of a simulator, and return how many calls that took."""

    async def main() -> int:
        async with serving(behaviour) as simulator:
            environment = {
                "BATCHLOCK_ZOHO__API_URL": simulator.url,
                "BATCHLOCK_ZOHO__ACCOUNTS_URL": simulator.url,
                "BATCHLOCK_ZOHO__CLIENT_ID": "id",
                "BATCHLOCK_ZOHO__CLIENT_SECRET": "secret",
                "BATCHLOCK_ZOHO__REFRESH_TOKEN": refresh_token,
                "BATCHLOCK_ZOHO__ORGANIZATION_ID": org_id,
                "BATCHLOCK_STATE_DIRECTORY": str(tmp_path),
                "BATCHLOCK_RETRY__GIVE_UP_AFTER": "1",
            }
            environment |= {f"BATCHLOCK_RETRY__{name.upper()}": retry[name] for name in retry}
            settings = load(environment=environment)
            credentials = load_credentials(settings.zoho, settings.network, settings.org)
            limiter = CallLimiter(settings.limits, settings.retry)
            async with connection_to(settings, credentials) as connection:
                await connection.first_token()
                assert connection.org_id == org_id
                facts = await require_org(
                    connection.client, limiter, settings.retry, costs=CallCosts(since=0.0)
                )
                check_org(facts, org_id=connection.org_id, environment=connection.environment)
            return simulator.ledger.count(Kind.OTHER)

    return asyncio.run(main())


@pytest.mark.parametrize("org_id", [ORGANIZATION_ID, "990000000000000001"])
def test_the_right_org_passes_by_either_of_its_ids(tmp_path: Path, org_id: str) -> None:
    assert check_calls(tmp_path, org_id=org_id) == 1


def test_another_org_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"for the org .*990000000.*, not for 123\. .*login"):
        check_calls(tmp_path)


@pytest.mark.parametrize(
    ("refresh_token", "expected"),
    [("scope_missing", SignInRefused), ("never_valid", SignInRefused), ("revoked", SignInRefused)],
)
def test_a_sign_in_without_the_right_to_ask_for_the_org_is_refused(
    tmp_path: Path, refresh_token: str, expected: type[BatchlockError]
) -> None:
    with pytest.raises(expected):
        check_calls(tmp_path, refresh_token=refresh_token)


def test_a_failing_zoho_stops_the_run(tmp_path: Path) -> None:
    with pytest.raises(Stopped):
        check_calls(tmp_path, Behaviour(faults={Fault.BAD_GATEWAY: 1.0}), first_wait="0.01")


@pytest.mark.parametrize(
    ("fault", "error", "message"),
    [
        (Fault.THROTTLED, Cancelled, "No good answer came"),
        (Fault.BAD_GATEWAY, Stopped, "fault"),
    ],
)
def test_throttling_is_bounded_by_time_and_a_fault_by_attempts(
    tmp_path: Path, fault: Fault, error: type[BatchlockError], message: str
) -> None:
    behaviour = Behaviour(faults={fault: 1.0})
    with pytest.raises(error, match=message):
        check_calls(tmp_path, behaviour, attempts="2", first_wait="0.01", longest_wait="0.05")


def test_a_retry_after_beyond_the_longest_wait_stops_the_run_at_once(tmp_path: Path) -> None:
    busy = Behaviour(faults={Fault.THROTTLED: 1.0}, retry_after=3600.0)
    with pytest.raises(Cancelled, match=r"asks to wait 3,600 seconds"):
        check_calls(tmp_path, busy)
