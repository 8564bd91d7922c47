"""The audit log as CSV."""

import csv
import io
from collections.abc import Iterable
from datetime import UTC, datetime

from batchlock.report.cells import csv_text
from batchlock.store.audit_log import LogEntry

_TITLES = ("When (UTC)", "Org", "Who", "What", "About", "Run", "Upload", "Address")


def csv_lines(entries: Iterable[LogEntry], *, has_titles: bool) -> bytes:
    """Return entries as lines of CSV; the titles begin with the BOM that Excel needs.

    A name of a file that a spreadsheet might take for a formula gets an apostrophe in front.
    """
    text = io.StringIO()
    writer = csv.writer(text)
    if has_titles:
        text.write("\N{BYTE ORDER MARK}")
        writer.writerow(_TITLES)
    for one in entries:
        at = f"{datetime.fromtimestamp(one.at, UTC):%Y-%m-%d %H:%M:%S}"
        cells = (one.org, one.person, one.action, one.subject, one.run, one.upload, one.address)
        writer.writerow([at, *(csv_text(cell or "") for cell in cells)])
    return text.getvalue().encode(errors="replace")
