"""`batchlock.locks`."""

import pytest
from support.locks import configure, locked_records
from support.zoho import Start

import batchlock


def test_locks_are_a_frame_that_can_be_changed_and_run(stand_in: Start) -> None:
    zoho = stand_in("--inventory-size", 60)
    configure(zoho)
    found = batchlock.locks(["Leads", "visits"], progress=False)
    expected = locked_records(zoho, "Leads", "Visits")
    assert set(zip(found["Module"], found["Record Id"], strict=True)) == expected.keys()
    assert found.attrs["batchlock"]["exit_code"] == 0
    manual = found[found["Source"] == "Manual"]
    done = batchlock.run(manual.assign(Reason="Audit"), progress=False)
    assert set(done["Result"]) == {"updated"}
    assert {lock["reason"] for lock in zoho.locks().values()} == {"Audit"}


def test_filters_are_those_of_the_command(stand_in: Start) -> None:
    zoho = stand_in("--inventory-size", 60)
    configure(zoho)
    found = batchlock.locks(["Leads"], locked_by="asha rao", progress=False)
    assert set(found["Locked by"]) <= {"Asha Rao"}
    with pytest.raises(batchlock.UsageError, match="no date or time"):
        batchlock.locks(["Leads"], since="soon", progress=False)
