"""One batchlock of one org: its folder, its files, its nights, and the checks after each."""

import json
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks.nights import files
from benchmarks.nights.checks import FaultKind, Night, check_notices, check_rows
from benchmarks.nights.files import Action, InputFile, Row
from benchmarks.nights.notice_server import NoticeServer
from benchmarks.nights.process import InboxProcess, ProcessResult
from benchmarks.nights.stand_in import ZohoOrg
from benchmarks.nights.tcp_proxy import TcpProxy

# The clock is behind the real one, so that no file comes from its future: batchlock would take it
# for the draft of a process that has ended long ago.
_FIRST_NIGHT_DAYS_AGO = 400
_LATENCY_SECONDS = 0.03
_HOUR, _MINUTE = 22, 30
# Short waits, so that an outage is over in seconds.
_RETRY = {"attempts": 6, "first_wait": 0.05, "longest_wait": 0.4, "give_up_after": 1.5}
MODULES = ("Leads", "Contacts", "Deals", "Accounts")
# Of every module: required field missing, lock id invalid, already locked, limit, error with 200.
REFUSED_RECORDS = tuple(f"990000000000000{number}" for number in (101, 104, 109, 113, 117))


@dataclass(slots=True)
class Installation:
    """The folder and the settings of one org."""

    zoho: ZohoOrg
    home: Path
    proxy: TcpProxy
    notices: NoticeServer
    random: random.Random
    rows: tuple[int, int]
    """The fewest and the most rows of a file."""
    inputs: list[InputFile] = field(default_factory=list)
    nights: list[Night] = field(default_factory=list)
    today: int = 0
    """Days since the first night."""
    _serial: int = 0

    def __post_init__(self) -> None:
        """Make the folders."""
        self.folder.mkdir(parents=True)

    @property
    def name(self) -> str:
        """The name of the org."""
        return f"org-{self.zoho.number:03}"

    @property
    def folder(self) -> Path:
        """The folder of the inbox."""
        return self.home / "in"

    # -- files

    def new_rows(
        self,
        count: int | None = None,
        *,
        action: Action = Action.UPDATE,
        module: str | None = None,
        refused: int = 0,
    ) -> list[Row]:
        """Return rows of records that no other file has; the last ones are refused by Zoho."""
        count = count or self.random.randint(*self.rows)
        rows = []
        for _ in range(count - refused):
            self._serial += 1
            record_id = f"58431{self.zoho.number:03}{self._serial:010}"
            where = module or self.random.choice(MODULES)
            reason = f"Night {len(self.nights)}, reason {self._serial}, geprüft"
            rows.append(Row(action, where, record_id, reason))
        for record_id in self.random.sample(REFUSED_RECORDS, refused):
            self._serial += 1
            rows.append(Row(action, "Leads", record_id, f"Reason {self._serial}", is_refused=True))
        return rows

    def put(
        self,
        rows: Sequence[Row] | None = None,
        name: str | None = None,
        *,
        age: float | None = None,
        folder: Path | None = None,
    ) -> InputFile:
        """Put a file into the folder. Many have the same names, as exports do."""
        rows = self.new_rows() if rows is None else rows
        path = self._free_path(name, folder or self.folder)
        # Later files are younger, so that they are taken in the order in which they were put.
        age = 7200.0 - len(self.inputs) if age is None else age
        return self._add(files.write_rows(path, rows, age=age))

    def put_bytes(self, content: bytes, name: str, *, age: float = 3600.0) -> InputFile:
        """Put a file that is no table."""
        return self._add(files.write_bytes(self._free_path(name, self.folder), content, age=age))

    def put_back(self, file: InputFile) -> None:
        """Move a file from attention/ to where it was, as a person does."""
        for path in (self.folder / "attention").iterdir():
            if path.suffix != ".txt" and files.sha256_of(path) == file.sha256:
                path.with_name(f"{path.name}.txt").unlink()
                path.rename(file.path)
                return
        raise AssertionError(f"{file.name} is not in attention/")

    def wait_for_changes(self, process: InboxProcess, count: int) -> None:
        """Wait until a process has changed so many locks more, or has ended."""
        goal = self.zoho.changes + count
        while process.is_running and self.zoho.changes < goal:
            time.sleep(0.02)

    def correct(self, file: InputFile) -> InputFile:
        """Put the results of a file into the folder, as a person does who has corrected them."""
        path = self.folder / f"corrected {len(self.inputs)}.xlsx"
        newest = files.results_of(self.home, file)[-1]
        results = files.write_bytes(path, newest.read_bytes())
        results.rows = file.rows
        file.is_superseded = True
        return self._add(results)

    def _free_path(self, name: str | None, folder: Path) -> Path:
        names = [name] if name else ["orders.csv", "leads.csv", "Größe 1.csv", "export.csv"]
        free = [one for one in names if not (folder / one).exists()]
        return folder / (self.random.choice(free) if free else f"more-{len(self.inputs)}.csv")

    def _add(self, file: InputFile) -> InputFile:
        self.inputs.append(file)
        return file

    # -- nights

    def slow_down(self) -> None:
        """Let each call take some time, so that there is a middle of the night."""
        self.zoho.behave(latency=_LATENCY_SECONDS)

    def recover(self) -> None:
        """Let Zoho answer well and at once."""
        self.proxy.listen()
        self.zoho.behave(latency=0, faults={})

    def start(
        self,
        *options: str,
        at: datetime | None = None,
        settings: Mapping[str, Mapping[str, object]] | None = None,
        notices: str = "ok",
        folder: Path | None = None,
        quiet: bool = True,
    ) -> tuple[InboxProcess, str]:
        """Start an inbox; return it with the first part of the paths of its notices."""
        prefix = f"/{notices}/{self.name}/{len(self.nights)}-{time.monotonic_ns()}"
        address = self.notices.url + prefix
        low, high = self.rows
        values: dict[str, dict[str, object]] = {
            "zoho": {**self.zoho.sign_in, "api_url": self.proxy.url},
            "retry": {**_RETRY},
            "input": {"custom_modules": ["Not_Configured"]},
            "inbox": {"max_age": "36h", "usual_rows": f"{(low + 1) // 2}-{max(50, high * 5)}"},
            "notify": {
                "ping_url": f"{address}/ping",
                "webhook": f"{address}/hook",
                "timeout": 5,
            },
        }
        for section, changes in (settings or {}).items():
            values[section] = {**values.get(section, {}), **changes}
        content = {"org": self.name, "state_directory": "state", **values}
        # JSON is YAML.
        (self.home / "config.yaml").write_text(json.dumps(content), "utf-8")
        typed = [str(folder or self.folder), "--json", *(["-q"] if quiet else []), *options]
        name = f"night-{len(self.nights)}-{time.monotonic_ns()}"
        return InboxProcess(self.home, name, typed, at or self.evening), prefix

    @property
    def evening(self) -> datetime:
        """When the inbox starts today."""
        days_ago = timedelta(days=_FIRST_NIGHT_DAYS_AGO - self.today)
        day = datetime.now(UTC) - days_ago
        return day.replace(hour=_HOUR, minute=_MINUTE, second=0, microsecond=0)

    def night(
        self,
        kind: str,
        codes: set[int],
        places: Mapping[InputFile, str],
        *options: str,
        guard: str | None = None,
        needs_person: bool | None = None,
        while_running: Callable[[InboxProcess], None] | None = None,
        notice_part: str = "",
        **start: Any,
    ) -> Night:
        """Run an inbox to its end, and check everything after it.

        `places` says where files are afterwards; every other file is where it was. `notice_part` is
        a part of the text that the administrator gets.
        """
        process, prefix = self.start(*options, **start)
        if while_running is not None:
            while_running(process)
        return self.end_night(
            kind,
            process.wait(),
            prefix,
            codes,
            places,
            guard=guard,
            needs_person=needs_person,
            notice_part=notice_part,
        )

    def end_night(
        self,
        kind: str,
        result: ProcessResult,
        prefix: str,
        codes: set[int],
        places: Mapping[InputFile, str],
        *,
        guard: str | None = None,
        needs_person: bool | None = None,
        notice_part: str = "",
    ) -> Night:
        """Check an inbox that has ended, and everything that it has left."""
        night = Night(self.name, kind, result.code)
        self.nights.append(night)
        self.today += 1
        if result.code not in codes:
            night.add(
                FaultKind.CODE, f"exit code {result.code}, not {sorted(codes)}: {result.err[-600:]}"
            )
        digest = result.digest if result.code >= 0 else {}
        if result.code >= 0 and digest.get("exit_code") != result.code:
            night.add(FaultKind.CODE, f"the digest has the exit code {digest.get('exit_code')}")
        self._follow(digest)
        self._check_places(night, places)
        if guard is not None:
            self._check_guard(night, digest, guard)
        locks, changes = self.zoho.locks(), self.zoho.changes_of_records()
        check_rows(night, self.inputs, locks, changes, self.home, digest)
        check_notices(
            night, self.notices, prefix, result, needs_person=needs_person, notice_part=notice_part
        )
        return night

    def _follow(self, digest: Mapping[str, Any]) -> None:
        for outcome in digest.get("files", ()):
            run = outcome["run"]
            for file in self.inputs:
                if run is None or file.name != outcome["name"]:
                    continue
                if file.run_id == run["run_id"] or (
                    file.run_id is None and run["rows"] == len(file.rows) and file.place != "done"
                ):
                    file.run_id = run["run_id"]
                    break

    def _check_places(self, night: Night, places: Mapping[InputFile, str]) -> None:
        folders = {file.path.parent for file in self.inputs}
        there = {folder: files.places_of(folder) for folder in folders}
        for file in self.inputs:
            is_new = not file.place
            expected = places.get(file, file.place or "left").split("|")
            # A file of the same content is in a place of its own.
            same = [one for one in self.inputs if one.sha256 == file.sha256]
            its = there[file.path.parent].get(file.sha256, [])
            actual = sorted(its) or ["gone"]
            if len(same) == 1 and len(actual) > 1:
                night.add(FaultKind.LOST, f"{file.name} is in {actual}")
            if len(same) > 1 and len(actual) == len(same):
                actual = [one for one in actual if one in expected] or actual
            if actual[0] not in expected:
                night.add(FaultKind.PLACE, f"{file.name} is in {actual}, not in {expected}")
            moved = actual[0] != file.place
            file.place = actual[0]
            if is_new or moved or file in places:
                night.places_of_files[file.place] += 1
            if file.place == "attention" and len(same) == 1:
                note = files.note_beside(file.path.parent, file.sha256)
                if not (note or "").strip():
                    night.add(FaultKind.NOTICE, f"{file.name} is in attention/ without a text")

    def _check_guard(self, night: Night, digest: Mapping[str, Any], guard: str) -> None:
        outcomes = [one for one in digest.get("files", ()) if one["guard"] == guard]
        if not outcomes:
            night.add(FaultKind.NOTICE, f"no file has the guard {guard}")
        for outcome in outcomes:
            if "Nothing was sent" not in outcome["message"] or outcome["run"] is not None:
                night.add(FaultKind.NOTICE, f"{outcome['name']}: {outcome['message']}")
