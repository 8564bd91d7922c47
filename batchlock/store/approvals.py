"""Requests to start something, which another person approves or sends back.

waiting ─▶ approved    another person has started what was asked for
        ├▶ returned    another person has sent it back
        └▶ withdrawn   the person took it back, or what would be sent has changed

A subject has at most one request that waits.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from batchlock.core.preview import ModuleRows
from batchlock.store.database import reading, upsert, writing
from batchlock.store.people import folded
from batchlock.store.schema import approvals as table
from batchlock.store.schema import upload_editors


class ApprovalState(StrEnum):
    """What became of a request."""

    WAITING = "waiting"
    APPROVED = "approved"
    RETURNED = "returned"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """A request to start something, and the answer to it."""

    id: str
    org: str
    subject: str
    """What it is about: `files/<upload id>` or `runs/<run id>`, which is also the path of its page
    below that of the org.
    """
    title: str
    """The name of the file."""
    start: str
    """What is to be started, such as `new` or `retry`."""
    digest: str
    """A text that stays equal as long as the same rows would be sent."""
    counts: tuple[ModuleRows, ...]
    """What would be sent; the module is empty where it is not known."""
    excluded: frozenset[str]
    """Who may not approve it: who asks, has uploaded the file, or has changed how it is read."""
    requested_by: str
    requested_at: datetime
    comment: str
    state: ApprovalState = ApprovalState.WAITING
    decided_by: str = ""
    decided_at: datetime | None = None
    answer: str = ""
    """The comment of the person who has decided."""
    run: str | None = None
    """The id of the run that was started; None before."""

    @property
    def subject_upload(self) -> str | None:
        """The id of the upload that it is about; None when it is about a run."""
        return _id_after("files/", self.subject)

    @property
    def subject_run(self) -> str | None:
        """The id of the run that it is about; None when it is about an upload."""
        return _id_after("runs/", self.subject)

    @property
    def rows(self) -> int:
        """How many rows would be sent."""
        return sum(one.rows for one in self.counts)

    def may_be_decided_by(self, person: str) -> bool:
        """Return whether a person with the right to send may approve it or send it back."""
        return self.state is ApprovalState.WAITING and not self.excludes(person)

    def excludes(self, person: str) -> bool:
        """Return whether a person took part in it, also under the same name in another case."""
        return folded(person) in map(folded, self.excluded)


def subject_of_upload(upload_id: str) -> str:
    """Return the subject of requests about an upload."""
    return f"files/{upload_id}"


def subject_of_run(run_id: str) -> str:
    """Return the subject of requests about a run."""
    return f"runs/{run_id}"


def _id_after(prefix: str, subject: str) -> str | None:
    return subject.removeprefix(prefix) if subject.startswith(prefix) else None


class ApprovalTable:
    """The tables `approvals` and `upload_editors`."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def add(self, approval: Approval) -> None:
        """Add a request, which takes the place of one of the same subject that waits."""
        with writing(self._engine) as connection:
            _lock_subject(connection, approval.org, approval.subject)
            withdraw_waiting(connection, approval.org, approval.subject)
            connection.execute(table.insert().values(_to_columns(approval)))

    def get(self, org: str, approval_id: str) -> Approval | None:
        """Return a request of an org; None when there is none with this id."""
        return self._first(table.c.org == org, table.c.id == approval_id)

    def waiting(self, org: str) -> list[Approval]:
        """Return the requests of an org that wait, the oldest first."""
        is_waiting = table.c.state == ApprovalState.WAITING.value
        return self._select(table.c.org == org, is_waiting)[::-1]

    def newest(self, org: str, subject: str) -> Approval | None:
        """Return the newest request about a subject, whatever became of it."""
        return self._first(table.c.org == org, table.c.subject == subject)

    def of_uploads(self, org: str, upload_ids: Sequence[str]) -> dict[str, Approval]:
        """Return the newest request about each of some uploads, by the id of the upload."""
        subjects = {subject_of_upload(upload_id): upload_id for upload_id in upload_ids}
        approvals = self._select(table.c.org == org, table.c.subject.in_(subjects))
        return {subjects[approval.subject]: approval for approval in reversed(approvals)}

    def of_run(self, run_id: str) -> Approval | None:
        """Return the approved request by which a run was started; None without one."""
        is_approved = table.c.state == ApprovalState.APPROVED.value
        return self._first(table.c.run == run_id, is_approved)

    def decide(self, approval_id: str, state: ApprovalState, person: str, answer: str = "") -> bool:
        """Record what became of a request that waits; return False when it does not wait."""
        with writing(self._engine) as connection:
            return _decide(connection, table.c.id == approval_id, state, person, answer) > 0

    def reopen(self, approval_id: str) -> None:
        """Let a request wait again that was approved, since nothing could be started.

        It is withdrawn instead if somebody has asked again about the same meanwhile.
        """
        is_it = table.c.id == approval_id
        with writing(self._engine) as connection:
            org, subject = connection.execute(
                sa.select(table.c.org, table.c.subject).where(is_it)
            ).one()
            _lock_subject(connection, org, subject)
            is_newer = (table.c.org == org) & (table.c.subject == subject)
            is_newer &= table.c.state == ApprovalState.WAITING.value
            state = ApprovalState.WAITING
            if connection.scalar(sa.select(table.c.id).where(is_newer).limit(1)) is not None:
                state = ApprovalState.WITHDRAWN
            values = {"state": state.value, "decided_by": "", "decided_at": None, "answer": ""}
            connection.execute(table.update().where(is_it).values(values))

    def set_run(self, approval_id: str, run_id: str) -> None:
        """Record which run was started by a request."""
        with writing(self._engine) as connection:
            connection.execute(table.update().where(table.c.id == approval_id).values(run=run_id))

    def editors(self, upload_id: str) -> list[str]:
        """Return who has changed what is sent of an upload, beside the person who uploaded it."""
        query = sa.select(upload_editors.c.person).where(upload_editors.c.upload == upload_id)
        with reading(self._engine) as connection:
            return list(connection.scalars(query))

    def record_change(self, org: str, upload_id: str, person: str) -> bool:
        """Record that a person changed what is sent of an upload.

        A request that waits is withdrawn; return whether there was one.
        """
        with writing(self._engine) as connection:
            key = {"upload": upload_id, "person": person}
            upsert(connection, upload_editors, key, key)
            return withdraw_waiting(connection, org, subject_of_upload(upload_id), person)

    def _first(self, *conditions: sa.ColumnElement[bool]) -> Approval | None:
        """Return the newest request that fits; None without one."""
        return next(iter(self._select(*conditions, limit=1)), None)

    def _select(
        self, *conditions: sa.ColumnElement[bool], limit: int | None = None
    ) -> list[Approval]:
        """Return requests, the newest first."""
        query = table.select().where(*conditions).order_by(table.c.requested_at.desc()).limit(limit)
        with reading(self._engine) as connection:
            return [_to_approval(row) for row in connection.execute(query).mappings()]


def _lock_subject(connection: sa.Connection, org: str, subject: str) -> None:
    """Let no other transaction add a request about a subject before this one has ended."""
    if connection.dialect.name == "postgresql":  # SQLite has one writing transaction at a time
        key = sa.func.hashtextextended(f"batchlock approval {org} {subject}", 0)
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(key)))


def withdraw_waiting(connection: sa.Connection, org: str, subject: str, person: str = "") -> bool:
    """Withdraw the request about a subject that waits; return whether there was one."""
    condition = (table.c.org == org) & (table.c.subject == subject)
    return _decide(connection, condition, ApprovalState.WITHDRAWN, person, "") > 0


def remove_upload(connection: sa.Connection, upload_id: str) -> None:
    """Forget who has changed an upload, and withdraw the request about it."""
    connection.execute(upload_editors.delete().where(upload_editors.c.upload == upload_id))
    condition = table.c.subject == subject_of_upload(upload_id)
    _decide(connection, condition, ApprovalState.WITHDRAWN, "", "")


def remove_run(connection: sa.Connection, run_id: str) -> None:
    """Withdraw the request about a run, whose page is gone."""
    _decide(connection, table.c.subject == f"runs/{run_id}", ApprovalState.WITHDRAWN, "", "")


def _decide(
    connection: sa.Connection,
    condition: sa.ColumnElement[bool],
    state: ApprovalState,
    person: str,
    answer: str,
) -> int:
    is_waiting = table.c.state == ApprovalState.WAITING.value
    values: dict[str, Any] = {"state": state.value, "decided_by": person, "answer": answer}
    values["decided_at"] = datetime.now(UTC)
    return connection.execute(table.update().where(condition, is_waiting).values(values)).rowcount


def _to_columns(approval: Approval) -> dict[str, Any]:
    names = (
        *("id", "org", "subject", "title", "start", "digest", "requested_by", "requested_at"),
        *("comment", "decided_by", "decided_at", "answer", "run"),
    )
    return {
        **{name: getattr(approval, name) for name in names},
        "counts": [[one.module, one.action, one.rows] for one in approval.counts],
        "excluded": sorted(approval.excluded),
        "state": approval.state.value,
    }


def _to_approval(row: sa.RowMapping) -> Approval:
    return Approval(
        **{
            **row,
            "counts": tuple(
                ModuleRows(module=module, action=action, rows=rows)
                for module, action, rows in row["counts"]
            ),
            "excluded": frozenset(row["excluded"]),
            "state": ApprovalState(row["state"]),
        }
    )
