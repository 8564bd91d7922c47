"""The plan file: what `check --plan` found, for `run --plan` to send exactly that.

check ─▶ plan file: the file, the org, how the file is read, and a digest of the updates
plan file ─▶ run: file, org and mapping are compared, and the digest of the updates before the first
call; any difference ends the command, and nothing is sent
"""

import hashlib
import json
import os
import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from batchlock import __version__
from batchlock.core.errors import UnreadableFile, UsageError
from batchlock.core.options import RunOptions
from batchlock.core.results import Result
from batchlock.core.rows import Action
from batchlock.report.json_preview import preview_json
from batchlock.report.preview import preview_of

if TYPE_CHECKING:
    from batchlock.core.org import OrgFacts
    from batchlock.core.runs import RunInfo
    from batchlock.store.journal import Journal

FORMAT = "batchlock-plan"
VERSION = 1
# A plan has one line for each module, so that a larger file is something else.
_MAX_BYTES = 1 << 20
# What of `read_as` decides which update goes to which lock, by the words of a message.
_MAPPING = {
    "sheet": "the sheet",
    "encoding": "the encoding",
    "delimiter": "the delimiter",
    "header_row": "the row of the titles",
    "archive_member": "the file in the archive",
    "rows_left_out": "the number of hidden rows that are left out",
}
# The options in a plan become those of the command. Any other one, such as --config or --yes, would
# let whoever has made the plan decide what only whoever sends it may decide.
_TEXT_OPTIONS = frozenset({"sheet", "encoding", "delimiter", "module", "reason", "action"})


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanFile:
    """What a check found, as a plan file has it; the names of the fields are its keys."""

    file: str
    """The absolute path of the input."""
    size: int
    """In bytes."""
    sha256: str
    org: str
    org_id: str
    """The id of the org in Zoho; empty when it was not known."""
    environment: str
    api_url: str
    options: Mapping[str, Any] = field(default_factory=dict)
    """How the file is to be read, by the names of the options; those that were typed only."""
    action: str
    read_as: Mapping[str, Any]
    """As `--json` of `check` has it."""
    rows: int
    """The rows that are sent, with those that an earlier run has done."""
    invalid: int
    duplicate: int
    digest: str
    """See `Journal.digest`, with the rows that are done."""

    @property
    def path(self) -> Path:
        """The input."""
        return Path(self.file)

    def refuse_other_source(self, info: "RunInfo", facts: "OrgFacts | None") -> None:
        """Raise UsageError unless a run has the file and the org of the plan.

        `facts` are what Zoho has said about the org, if it has.
        """
        name = info.file_name
        if info.sha256 != self.sha256:
            now = Path(info.file).stat().st_size
            raise _changed(
                f"The content of {name} is not the one that was checked ({self.size:,} bytes "
                f"then, {now:,} now)."
            )
        for label, then, now_ in (
            ("org", self.org, info.org),
            ("environment", self.environment, info.environment),
            ("address of the API", self.api_url, info.api_url),
        ):
            if then != now_:
                raise _changed(f"The {label} was {then} and is {now_}.")
        self.refuse_other_org(facts)

    def refuse_other_org(self, facts: "OrgFacts | None") -> None:
        """Raise UsageError when the sign-in belongs to another org than that of the plan."""
        if self.org_id and facts is not None and facts.ids and self.org_id not in facts.ids:
            raise _changed(
                f"The org {self.org} was {self.org_id} in Zoho, and is {facts.ids[0]} now."
            )

    def refuse_other_rows(self, journal: "Journal") -> None:
        """Raise UsageError unless the journal of a run sends the updates of the plan."""
        if journal.digest(with_done=True) == self.digest:
            return
        now = preview_json(preview_of(journal))["read_as"]
        assert now is not None
        changes = _differences(self.read_as, now)
        if changes:
            raise _changed(f"The file is read in another way: {'; '.join(changes)}.")
        rows = sum(one.rows for one in journal.rows_to_send(with_done=True))
        raise _changed(
            f"Other rows would be sent, or with other values: {self.rows:,} then, {rows:,} now. "
            "The names of modules and the settings under input decide that, too."
        )


def plan_of(
    journal: "Journal", options: RunOptions, typed: Mapping[str, str | None], org_id: str
) -> PlanFile:
    """Return the plan of a checked file; `typed` are the options that settings stand for."""
    info, counts = journal.info, journal.counts()
    preview = preview_json(preview_of(journal))
    values = {
        "sheet": options.sheet,
        "columns": dict(options.columns),
        **options.constants,
        "visible_only": options.visible_only,
        **typed,
    }
    assert preview["read_as"] is not None
    return PlanFile(
        file=info.file,
        size=Path(info.file).stat().st_size,
        sha256=info.sha256,
        org=info.org,
        org_id=org_id,
        environment=info.environment,
        api_url=info.api_url,
        options={name: value for name, value in values.items() if value},
        action=info.action,
        read_as=preview["read_as"],
        rows=sum(one.rows for one in journal.rows_to_send(with_done=True)),
        invalid=counts[Result.INVALID],
        duplicate=counts[Result.DUPLICATE],
        digest=journal.digest(with_done=True),
    )


def refuse_existing(path: Path, file: Path, output: Path | None, *, overwrite: bool) -> None:
    """Raise UsageError for a plan file that cannot be written, before a file is read."""
    if path.is_dir():
        raise UsageError(f"{path} is a folder. Name a file in it, such as {path / 'plan.json'}.")
    if path.resolve() == file.resolve():
        raise UsageError(f"The plan would overwrite the input {file}. Name another.")
    if output is not None and path.resolve() == output.resolve():
        raise UsageError(f"{path} cannot be both the plan and the checked file. Name two files.")
    if path.exists() and not overwrite:
        raise UsageError(f"{path} exists already. Name another file, or add --overwrite.")


def write_plan(path: Path, plan: PlanFile) -> None:
    """Write a plan file, which is complete or not there. Raises UsageError."""
    content = {
        "format": FORMAT,
        "version": VERSION,
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "made_by": f"batchlock {__version__}",
        **asdict(plan),
    }
    content["checksum"] = _checksum(content)
    draft = path.with_name(f".batchlock-{secrets.token_hex(4)}.part")
    try:
        with draft.open("x", encoding="ascii", newline="\n") as file:
            json.dump(content, file, indent=2)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
        raise UsageError(
            f"{path} cannot be written: {error.strerror or error}. Name a file in a folder that "
            "can be written."
        ) from None


def read_plan(path: Path) -> PlanFile:
    """Return the plan in a file.

    Raises UnreadableFile when the file cannot be opened, and UsageError when it is damaged, no plan
    or that of another version. Whoever can write the file can also write its checksum, so every
    value that is used is checked.
    """
    try:
        with path.open("rb") as file:
            text = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise UnreadableFile(
            f"{path} cannot be read: {error.strerror or error}. Check its path, and who may read "
            "it."
        ) from None
    again = "Make it again with `batchlock check --plan`."
    try:
        content = json.loads(text, object_pairs_hook=_without_repetition)
        checksum_now = _checksum(content)
    except (ValueError, RecursionError):  # UnicodeDecodeError is a ValueError
        raise UsageError(f"The plan {path} is damaged: it is no JSON. {again}") from None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise UsageError(f"{path} is no plan of batchlock. {again}")
    if content.get("version") != VERSION:
        raise UsageError(
            f"The plan {path} has the version {content.get('version')} of the format, and this "
            f"batchlock reads {VERSION}. {again}"
        )
    if content.get("checksum") != checksum_now:
        raise UsageError(
            f"The plan {path} is damaged, or was changed: its checksum does not fit. {again}"
        )
    for name, fits in _VALUES.items():
        if name not in content:
            raise UsageError(f"The plan {path} is damaged: it has no '{name}'. {again}")
        if not fits(content[name]):
            raise UsageError(f"The plan {path} is damaged: '{name}' is no such value. {again}")
    return PlanFile(**{name: content[name] for name in _VALUES})


def _checksum(content: Any) -> str:
    """Return the SHA-256 of the other values, so that a change by hand or by a fault is seen.

    Raises RecursionError for lists that are nested too deeply.
    """
    if isinstance(content, dict):
        content = {name: value for name, value in content.items() if name != "checksum"}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return a JSON object; raises ValueError for two values of one name.

    A person who reads the file would see the first one, and the last one would count.
    """
    content = dict(pairs)
    if len(content) != len(pairs):
        raise ValueError("a name stands twice in one object")
    return content


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_path(value: object) -> bool:
    """Return whether a value is a path that this machine can look for."""
    try:
        return isinstance(value, str) and b"\0" not in os.fsencode(value)
    except UnicodeEncodeError:
        return False


def _are_options(value: object) -> bool:
    """Return whether a value has options for reading a file, and no others."""
    if not isinstance(value, dict):
        return False
    values = dict(value)
    columns, visible_only = values.pop("columns", {}), values.pop("visible_only", False)
    return (
        isinstance(columns, dict)
        and all(map(_is_text, columns.values()))
        and isinstance(visible_only, bool)
        and values.keys() <= _TEXT_OPTIONS
        and all(map(_is_text, values.values()))
        and values.get("action", Action.UPDATE) in set(Action)
    )


def _is_reading(value: object) -> bool:
    if not isinstance(value, dict):
        return False
    fields = value.get("fields", {})
    return isinstance(fields, dict) and all(
        one is None or isinstance(one, dict) for one in fields.values()
    )


_VALUES: Mapping[str, Callable[[object], bool]] = {
    "file": _is_path,
    "size": _is_count,
    "sha256": _is_text,
    "org": _is_text,
    "org_id": _is_text,
    "environment": _is_text,
    "api_url": _is_text,
    "options": _are_options,
    "action": _is_text,
    "read_as": _is_reading,
    "rows": _is_count,
    "invalid": _is_count,
    "duplicate": _is_count,
    "digest": _is_text,
}


def _changed(fact: str) -> UsageError:
    return UsageError(
        f"{fact} Nothing was sent. Check the file again with `batchlock check --plan`, and let the "
        "new plan be approved."
    )


def _differences(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Return in words what of a mapping is not as it was."""
    changes = [
        f"{words} was {then.get(key)} and is {now.get(key)}"
        for key, words in _MAPPING.items()
        if then.get(key) != now.get(key)
    ]
    fields_then, fields_now = then.get("fields", {}), now.get("fields", {})
    for name in dict.fromkeys((*fields_then, *fields_now)):
        one, other = fields_then.get(name), fields_now.get(name)
        if one != other:
            changes.append(f"{name} was {_source(one)} and is {_source(other)}")
    return changes


def _source(one: Mapping[str, Any] | None) -> str:
    """Return where a field comes from, in words."""
    if one is None:
        return "not there"
    if one.get("title") is not None:
        return f'the column "{one["title"]}"'
    if one.get("value") is not None:
        return f'"{one["value"]}" in all rows'
    return "looked up"
