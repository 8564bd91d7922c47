import asyncio
import threading
from pathlib import Path

from batchlock.core.errors import SignInRefused, UsageError
from batchlock.doctor.checks import AWAY, Check, Diagnosis, bad, good, skipped
from batchlock.doctor.timing import in_thread, limited


def test_a_check_that_hangs_ends_after_its_time_and_stops_no_other() -> None:
    forever = threading.Event()

    def hangs() -> list[Check]:
        forever.wait()
        return []

    def is_fine() -> list[Check]:
        return [good("folders.state", "Fine.")]

    async def main() -> tuple[list[Check], list[Check]]:
        return await asyncio.gather(
            limited("network.api", in_thread(hangs), seconds=0.05, exit_code=AWAY),
            limited("folders.state", in_thread(is_fine), seconds=9),
        )

    [hung], [fine] = asyncio.run(main())
    forever.set()
    assert (hung.state, hung.exit_code) == ("bad", AWAY)
    assert fine.state == "good"


def test_an_unexpected_error_is_a_bad_check_without_its_text() -> None:
    def breaks() -> list[Check]:
        raise KeyError("a secret")

    [check] = asyncio.run(limited("store.tables", in_thread(breaks), seconds=9))
    assert check.exit_code == 1
    assert "KeyError in breaks" in check.message
    assert "secret" not in check.message


def test_an_error_of_the_system_names_the_file() -> None:
    def breaks() -> list[Check]:
        with Path("/no/such/file").open():
            return []

    [check] = asyncio.run(limited("folders.state", in_thread(breaks), seconds=9))
    assert check.exit_code == 2
    assert "/no/such/file" in check.message


def test_the_exit_code_is_that_of_what_must_be_settled_first() -> None:
    refused = bad("sign_in.token", "No.", "Act.", exit_code=SignInRefused.exit_code)
    away = bad("network.api", "Away.", "Wait.", exit_code=AWAY)
    wrong = bad("folders.state", "Full.", "Make room.")
    assert wrong.exit_code == UsageError.exit_code
    assert Diagnosis.of([away, refused]).exit_code == 5
    assert Diagnosis.of([away, refused, wrong]).exit_code == 2
    assert Diagnosis.of([skipped("network.api", "No.")]).exit_code == 0
    assert [check.check_id for check in Diagnosis.of([away, wrong]).checks] == [
        "folders.state",
        "network.api",
    ]
