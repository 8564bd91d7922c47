"""The titles of the fields, and how titles are compared."""

import re
from collections.abc import Callable, Mapping, Sequence

from batchlock.core.rows import Field

# The titles of each field, the most exact ones first. `Record Id` is the title in Zoho's exports,
# so it wins over `ID`; the names that end in `__s` are those of Zoho's API.
TITLES: Mapping[Field, tuple[tuple[str, ...], ...]] = {
    Field.MODULE: (("Module",), ("Module name", "Module API name")),
    Field.RECORD_ID: (("Record Id",), ("Id of record",), ("Id",)),
    Field.LOCK_ID: (("Lock Id",), ("Locking Id", "Record Locking Id", "Record Lock Id")),
    Field.REASON: (("Reason",), ("Locked Reason", "Locked_Reason__s")),
}
FIELD_NAMES = {
    Field.MODULE: "the module",
    Field.RECORD_ID: "the record id",
    Field.LOCK_ID: "the lock id",
    Field.REASON: "the reason",
}
# What titles may differ in: `Record Id`, `record_id`, `RECORD-ID`. A zero-width space and a byte
# order mark are invisible, so nobody could see why a title with one of them does not match.
_IGNORED_IN_TITLES = re.compile(r"[\s_\-\u200b\ufeff]+")
# Forms mark a field that must be filled in with a `*`, and end its label with a `:`, both also as
# the wide characters of East Asian keyboards.
_IGNORED_AT_THE_END = "*:\uff0a\uff1a"


def comparable(title: str) -> str:
    """Return a title without what titles may differ in."""
    return _IGNORED_IN_TITLES.sub("", title).rstrip(_IGNORED_AT_THE_END).casefold()


def matching_columns(
    titles: Sequence[str],
    free: Sequence[int],
    attempts: Sequence[tuple[Callable[[str], str], Sequence[str]]],
) -> tuple[list[int], int]:
    """Return the positions that match best, several if they match equally well, and the try.

    A try is how titles are compared, and the titles that match. The first with a match counts.
    """
    for number, (normalise, candidates) in enumerate(attempts):
        accepted = {normalise(title) for title in candidates}
        matches = [i for i in free if normalise(titles[i]) in accepted]
        if matches:
            return matches, number
    return [], len(attempts)
