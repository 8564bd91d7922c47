import pytest

from batchlock.web.uploads.columns import FIELDS


@pytest.mark.parametrize(
    ("title", "is_likely"),
    [("Locked", False), ("Locked__s", False), ("Lock Reason", False), ("Record Lock Id", True)],
)
def test_which_title_is_proposed_for_lock_ids(title: str, *, is_likely: bool) -> None:
    (field,) = (one for one in FIELDS if one.name == "lock_id")
    assert field.is_likely(title.casefold()) is is_likely
