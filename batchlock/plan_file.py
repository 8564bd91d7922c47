"""The plan: what `check --plan` found, for `run --plan` to send exactly that.

check ─▶ plan: the file, the org, how the file is read, and a digest of the updates
plan ─▶ run: file, org and mapping are compared, and the digest of the updates before the first
call; any difference ends the command, and nothing is sent
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from batchlock.core.errors import UsageError
from batchlock.core.options import RunOptions
from batchlock.core.results import Result
from batchlock.report.json_preview import preview_json
from batchlock.report.preview import preview_of

if TYPE_CHECKING:
    from batchlock.core.org import OrgFacts
    from batchlock.core.runs import RunInfo
    from batchlock.store.journal import Journal

# What of `read_as` decides which update goes to which lock, by the words of a message.
_MAPPING = {
    "sheet": "the sheet",
    "encoding": "the encoding",
    "delimiter": "the delimiter",
    "header_row": "the row of the titles",
    "archive_member": "the file in the archive",
    "rows_left_out": "the number of hidden rows that are left out",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanFile:
    """What a check found; the names of the fields are the keys of the file."""

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
            size = Path(info.file).stat().st_size
            raise _changed(
                f"The content of {name} is not the one that was checked ({self.size:,} bytes "
                f"then, {size:,} now)."
            )
        for label, then, now in (
            ("org", self.org, info.org),
            ("environment", self.environment, info.environment),
            ("address of the API", self.api_url, info.api_url),
        ):
            if then != now:
                raise _changed(f"The {label} was {then} and is {now}.")
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
