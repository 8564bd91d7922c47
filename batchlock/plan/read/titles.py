"""The titles of the fields, and how titles are compared."""

import re
from collections.abc import Callable, Mapping, Sequence
from difflib import SequenceMatcher

from batchlock.core.rows import Field

# The titles of each field, the most exact ones first. `Record Id` is the title in Zoho's exports,
# so it wins over `ID`; the names that end in `__s` are those of Zoho's API.
TITLES: Mapping[Field, tuple[tuple[str, ...], ...]] = {
    Field.MODULE: (("Module",), ("Module name", "Module API name")),
    Field.RECORD_ID: (("Record Id",), ("Id of record",), ("Id",)),
    Field.LOCK_ID: (("Lock Id",), ("Locking Id", "Record Locking Id", "Record Lock Id")),
    Field.REASON: (("Reason",), ("Locked Reason", "Locked_Reason__s")),
    Field.ACTION: (("Action",),),
}
FIELD_NAMES = {
    Field.MODULE: "the module",
    Field.RECORD_ID: "the record id",
    Field.LOCK_ID: "the lock id",
    Field.REASON: "the reason",
    Field.ACTION: "the action",
}
# What titles may differ in: `Record Id`, `record_id`, `RECORD-ID`. A zero-width space and a byte
# order mark are invisible, so nobody could see why a title with one of them does not match.
_IGNORED_IN_TITLES = re.compile(r"[\s_\-\u200b\ufeff]+")
# Forms mark a field that must be filled in with a `*`, and end its label with a `:`, both also as
# the wide characters of East Asian keyboards.
_IGNORED_AT_THE_END = "*:\uff0a\uff1a"
# A title with a typing mistake begins like the right one, and 4 of 5 letters are right: `Raeson`,
# but neither `Season` nor `Region`.
_SIMILAR = 0.8
_WORD = re.compile(r"[^\W\d_]+")
# The words of titles for the reason. With any other word, such as in `Reason For Loss`, a title
# names the reason of something else. The `s` is from `Locked_Reason__s`.
_REASON_NAMES = ("reason", "reasons", "lockedreason", "lockreason", "lockingreason")
_BESIDE_REASON = ("locked", "lock", "locking", "record", "for", "of", "the", "s")
# Words in the titles of Zoho's standard fields: a column of sentences under one of them is no
# column of reasons.
_OTHER_THINGS = frozenset(
    {
        *("account", "address", "assistant", "campaign", "city", "company", "contact", "country"),
        *("created", "currency", "date", "deal", "department", "description", "email", "fax"),
        *("industry", "lead", "mobile", "modified", "name", "owner", "phone", "product", "rating"),
        *("source", "stage", "state", "status", "street", "subject", "tag", "territory", "time"),
        *("type", "vendor", "website"),
    }
)


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


def title_allows(field: Field, title: str) -> bool:
    """Tell whether a column with this title may be proposed for a field by its cells.

    Lookups hold ids of other records, and their titles end in `.id`.
    """
    is_lookup = title.strip().casefold().endswith(".id")
    return not (is_lookup and field in (Field.RECORD_ID, Field.LOCK_ID))


def title_resembles(field: Field, title: str) -> bool:
    """Tell whether a title may be one of a field with a typing mistake.

    That each letter is similar is not enough for the reason, whose cells fit nearly any text.
    """
    if field is not Field.REASON:
        return True
    words = _words(title)
    named = [word for word in words if _is_similar(word, _REASON_NAMES)]
    others = [word for word in words if word not in named]
    return bool(named) and all(_is_similar(word, _BESIDE_REASON) for word in others)


def names_other_thing(title: str) -> bool:
    """Tell whether a title names something else than the reason of a lock."""
    words = _words(title)
    is_other_reason = any(_is_similar(word, _REASON_NAMES) for word in words)
    return not _OTHER_THINGS.isdisjoint(words) or (
        is_other_reason and not title_resembles(Field.REASON, title)
    )


def _words(title: str) -> list[str]:
    return _WORD.findall(title.casefold())


def _is_similar(word: str, known: Sequence[str]) -> bool:
    return any(
        word[0] == one[0] and SequenceMatcher(None, word, one).ratio() >= _SIMILAR for one in known
    )
