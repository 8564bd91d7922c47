"""The checks after each night: rows, results and notices, against the record of the stand-in."""

import re
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from benchmarks.nights.files import InputFile, result_lines, results_of
from benchmarks.nights.notice_server import NoticeServer
from benchmarks.nights.process import ProcessResult
from benchmarks.nights.stand_in import Changes

# A notice is sent before the process ends; the server may still be about to record it.
_NOTICE_SECONDS = 5.0
_KILLED = -9


class FaultKind(StrEnum):
    """What can be wrong with a night."""

    LOST = "lost"
    """A row without a line in the results, or one that nobody sends any more; a file that is gone.
    """
    TWICE = "twice"
    """A record that Zoho has changed more than once, and said so each time.

    An update whose answer is lost may be repeated: the same reason twice is the same lock.
    """
    UNTRUE = "untrue"
    """A line of the results, or a figure, that contradicts the record of the stand-in."""
    CODE = "exit code"
    PLACE = "place"
    """A file is in another place than it should be."""
    NOTICE = "notice"
    """A notice that did not come, came twice, or does not say what has happened."""


@dataclass(slots=True)
class Night:
    """What one process has done, and what is wrong with that."""

    org: str
    kind: str
    code: int
    places_of_files: Counter[str] = field(default_factory=Counter)
    """How many files went to which place."""
    notice_line: str = ""
    """What the notice said, in one line."""
    faults: list[tuple[FaultKind, str]] = field(default_factory=list)

    def add(self, kind: FaultKind, text: str) -> None:
        """Record something that is wrong."""
        self.faults.append((kind, text))


def check_rows(
    night: Night,
    inputs: Sequence[InputFile],
    locks: Mapping[str, Any],
    changes: Changes,
    home: Path,
    digest: Mapping[str, Any],
) -> None:
    """Compare every row of all files so far, its line in the results, and the digest."""
    for file in inputs:
        of_file = Night(night.org, night.kind, night.code)
        copies = sum(one.sha256 == file.sha256 for one in inputs)
        # The rows of a copy were sent for the first of them.
        if copies == 1 or file.run_id is not None:
            _check_file(of_file, file, dict(locks), changes, home, is_killed=night.code == _KILLED)
        for kind, text in of_file.faults:
            if text not in file.problems:
                file.problems.add(text)
                night.add(kind, text)
    if not digest:
        return
    counts: Counter[str] = Counter()
    for outcome in digest["files"]:
        if outcome["output"] is not None:
            counts.update(line["Result"] for line in result_lines(Path(outcome["output"])))
        elif outcome["run"] is not None:
            counts.update(outcome["run"]["counts"])
        if outcome["file"] is not None and not Path(outcome["file"]).exists():
            night.add(FaultKind.UNTRUE, f"{outcome['name']} is not at {outcome['file']}")
    if +counts != +Counter(digest["counts"]):
        night.add(FaultKind.UNTRUE, f"the digest has {digest['counts']}, the results {counts}")


def _check_file(
    night: Night,
    file: InputFile,
    locks: dict[str, Any],
    changes: Changes,
    home: Path,
    *,
    is_killed: bool,
) -> None:
    name = f"{file.name} ({file.run_id})"
    for row in file.rows:
        key = f"{row.module}/{row.record_id}"
        if changes.made.get(key, 0) > 1 and changes.answered[key] > 1:
            night.add(FaultKind.TWICE, f"{name}: {row.record_id} was changed twice")
    if is_killed or file.is_superseded:
        return  # the next night writes the results
    settled = [row.is_settled(locks) for row in file.rows]
    if file.place == "done" and not all(settled):
        night.add(
            FaultKind.LOST, f"{name} is in done/, and {settled.count(False)} rows are not done"
        )
    if file.run_id is None:
        if any(settled) and file.place != "done":
            night.add(FaultKind.LOST, f"{name}: {settled.count(True)} rows were sent without a run")
        return
    results = results_of(home, file)
    if not results:
        night.add(FaultKind.LOST, f"{name} has no results")
        return
    lines = result_lines(results[-1])
    if [line["Record Id"] for line in lines] != [row.record_id for row in file.rows]:
        night.add(FaultKind.LOST, f"{name}: the results have other rows than the file")
        return
    for row, line in zip(file.rows, lines, strict=True):
        if row.is_untrue(line["Result"], locks):
            night.add(
                FaultKind.UNTRUE, f"{name}: {row.record_id} is {line['Result']}, and Zoho says not"
            )
        if row.is_refused and line["Result"] not in ("rejected", "not_sent"):
            night.add(
                FaultKind.UNTRUE, f"{name}: {row.record_id} is {line['Result']}, not rejected"
            )


def check_notices(
    night: Night,
    server: NoticeServer,
    prefix: str,
    result: ProcessResult,
    *,
    needs_person: bool | None,
    notice_part: str,
) -> None:
    """Compare what the administrator got with what has happened."""
    if not prefix.startswith("/ok/"):
        night.notice_line = "(nobody answers there)"
        if result.err.count("notify.") < 2:
            night.add(FaultKind.NOTICE, f"the log does not say that notices failed: {result.err}")
        return
    is_killed = night.code == _KILLED
    end = time.monotonic() + (0 if is_killed else _NOTICE_SECONDS)
    while len(server.webhooks(prefix)) < 2 and time.monotonic() < end:
        time.sleep(0.02)
    pings = server.pings(prefix)
    ends = [notice for notice in server.webhooks(prefix) if notice["event"] == "end"]
    if is_killed:
        night.notice_line = "(killed: the start only)" if pings else "(killed: nothing)"
        if ends or pings not in ([], ["/start"]):
            night.add(FaultKind.NOTICE, f"a killed process has sent {pings}")
        return
    if pings != ["/start", f"/{night.code}" if night.code else ""]:
        night.add(FaultKind.NOTICE, f"the pings are {pings}")
    if len(ends) != 1:
        night.add(FaultKind.NOTICE, f"{len(ends)} notices of the end")
        return
    (notice,) = ends
    night.notice_line = _one_line(notice["text"])
    digest = result.digest
    if notice["exit_code"] != night.code or notice["counts"] != digest.get("counts"):
        night.add(FaultKind.NOTICE, f"the notice has {notice['exit_code']} and {notice['counts']}")
    if needs_person is not None and notice["needs_person"] is not needs_person:
        night.add(FaultKind.NOTICE, f"needs_person is {notice['needs_person']}: {notice['text']}")
    for outcome in digest.get("files", ()):
        in_words = outcome["name"] in notice["text"] or outcome["status"] in ("done", "gone")
        if not in_words:
            night.add(FaultKind.NOTICE, f"{outcome['name']} is not in the notice: {notice['text']}")
    if notice_part and notice_part not in notice["text"]:
        night.add(FaultKind.NOTICE, f"the notice does not say {notice_part!r}: {notice['text']}")


def _one_line(text: str) -> str:
    """Return the first lines of a text without the names of folders, orgs and times."""
    lines = [re.sub(r"^Inbox .*?, org [^:]*: ", "", line) for line in text.splitlines()]
    kept_lines = [line for line in lines[:3] if not line.startswith(("Results:", "Exit code"))]
    line = re.sub(r"\d{8}-\d{6}-[0-9a-f]{4}", "<run>", " / ".join(kept_lines))
    return line if len(line) <= 150 else f"{line[:147]}…"
