"""`batchlock.inbox`: the files of a folder, for Python."""

import pytest
from support.inbox import FOLDER, names, put
from support.zoho import StandIn

import batchlock
from batchlock.core.results import Result


def test_the_digest_of_a_folder_is_returned(org: StandIn) -> None:
    put("a.csv", 3, age=0)
    put("none.csv", 0, age=9)
    digest = batchlock.inbox(FOLDER)
    assert (digest.exit_code, [file.guard for file in digest.files]) == (2, ["no_rows", ""])
    assert [file.name for file in digest.need_person] == ["none.csv"]
    assert digest.rows == 3
    assert digest.results[0].parent.name == "done"
    assert names() == []
    put("copy.csv", 3, age=0)
    assert batchlock.inbox(FOLDER, again=True).counts[Result.UPDATED] == 3


def test_a_missing_folder_is_an_error(org: StandIn) -> None:
    with pytest.raises(batchlock.UsageError, match="cannot be read"):
        batchlock.inbox("nowhere")
