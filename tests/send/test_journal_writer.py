import asyncio
import sqlite3
from pathlib import Path

import pytest
from support.delivery import (
    THROTTLED,
    ScriptedApi,
    journal_of,
    send,
    updates_of,
)

from batchlock.core.results import Result
from batchlock.core.rows import Update


def statuses(path: Path) -> dict[int, str]:
    connection = sqlite3.connect(path)
    try:
        return dict(connection.execute("SELECT row, status FROM progress").fetchall())
    finally:
        connection.close()


@pytest.mark.parametrize("window", [1, 4])
@pytest.mark.parametrize("in_doubt", [0, 3])
def test_a_row_is_claimed_before_its_call_and_at_most_two_windows_are(
    tmp_path: Path, window: int, in_doubt: int
) -> None:
    path = journal_of(tmp_path / "j", updates_of(60), in_doubt=in_doubt)
    claimed = []

    def count_claimed(update: Update) -> None:
        now = statuses(path)
        assert now[update.row] == "sending"
        claimed.append(sum(status == "sending" for status in now.values()))

    send(path, ScriptedApi(on_call=count_claimed, seconds=0.07), window=window)
    # A row whose outcome is not committed yet is still claimed, so there may be one window more.
    assert max(claimed) <= 3 * window + in_doubt
    assert len(claimed) == 60 + in_doubt


def test_claims_stay_within_two_windows_while_no_row_ends(tmp_path: Path) -> None:
    path = journal_of(tmp_path / "j", updates_of(60))
    delivery = send(
        path, ScriptedApi({row: [THROTTLED] for row in range(2, 62)}), window=4, cancel_after=0.05
    )
    assert delivery.results == [Result.NOT_SENT] * 60

    claimed: list[int] = []

    def count_claimed(_: Update) -> None:
        claimed.append(sum(status == "sending" for status in statuses(path).values()))

    send(path, ScriptedApi(on_call=count_claimed, seconds=9.0), window=4, cancel_after=1.0)
    assert claimed == [8, 8, 8, 8]


def test_outcomes_are_recorded_within_a_tenth_of_a_second(tmp_path: Path) -> None:
    path = journal_of(tmp_path / "j", updates_of(60))
    answered: dict[int, float] = {}
    """Loop time of each row's answer."""
    checks = 0

    def check_recorded(update: Update) -> None:
        nonlocal checks
        now = asyncio.get_running_loop().time()
        recorded = statuses(path)
        for row, moment in answered.items():
            if moment < now - 0.1:
                checks += 1
                assert recorded[row] == "updated"
        answered[update.row] = now + 0.03

    send(path, ScriptedApi(on_call=check_recorded, seconds=0.03), window=3)
    assert checks
