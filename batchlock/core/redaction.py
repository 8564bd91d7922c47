"""Texts without ids and reasons of records, for logs and for what leaves the machine."""

import re

# Ids have 10 to 20 digits. What stands between quotation marks comes from a cell or from Zoho, and
# may be a reason.
_RECORD_DATA = re.compile(r'\d{10,}|"[^"]*"|“[^”]*”')
# The ids of Zoho have 15 digits and more. Shorter numbers are in names of files, such as the time
# at which one was exported.
_ID = re.compile(r"\d{15,}")
# A line that shows how a cell reads in one of several encodings; the cell may be a reason.
_READING = re.compile(r"^( *--encoding [\w-]+) .*$", re.MULTILINE)


def without_record_data(text: str) -> str:
    """Return a sentence about a row or a file without the ids and the quoted texts in it."""
    return _RECORD_DATA.sub("…", _READING.sub(r"\1  …", text))


def without_ids(text: str) -> str:
    """Return any text without what looks like an id of Zoho."""
    return _ID.sub("…", text)
