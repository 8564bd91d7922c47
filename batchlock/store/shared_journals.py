"""The connection on which a worker commits what all of its runs have to record."""

import secrets
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import psycopg

from batchlock.core.errors import DatabaseUnavailable, Stopped
from batchlock.core.rows import Update
from batchlock.store.journal.shared import (
    Batch,
    claimed_since,
    commit_batches,
    wait_for_commit,
)
from batchlock.store.postgres import connect_arguments

# Each statement of a commit reads a few rows by their keys. PostgreSQL cannot know how many rows a
# run has of which state, and has read whole tables for each claim: 47 to 113 ms with two runs of
# 200,000 rows, before and after ANALYZE, instead of one.
_PLANS = "".join(
    f" -c enable_{plan}=off" for plan in ("seqscan", "bitmapscan", "hashjoin", "mergejoin")
)


class SharedJournals:
    """Commits batches on a connection of its own. One thread at a time may use it."""

    def __init__(self, url: str) -> None:
        """Connect to the database at `url` with the first commit."""
        self._url = url
        self._connection: psycopg.Connection[Any] | None = None
        self.lock = secrets.randbits(63)
        """The number of the advisory lock that each commit holds to its end."""
        self._is_uncertain = False
        """Whether the answer to the last commit was lost."""

    def commit(
        self, batches: Sequence[Batch], in_doubt: Sequence[frozenset[int]]
    ) -> list[list[Update] | None]:
        """Commit batches; return what they claim, None for each whose lease was lost.

        `in_doubt` are the rows of each run that were in doubt before its session. After an error
        the same batches may be passed again, among others: what the lost commit has claimed was
        not sent, so it is released first. That waits for the end of the lost commit on the server.

        Raises DatabaseUnavailable when the connection is lost, Stopped when the disk is full.
        """
        try:
            connection = self._open()
            if self._is_uncertain:
                wait_for_commit(connection, self.lock)
                batches = [
                    _with_lost_claims(connection, batch, rows)
                    for batch, rows in zip(batches, in_doubt, strict=True)
                ]
            self._is_uncertain = True
            committed = commit_batches(connection, batches, lock=self.lock)
            self._is_uncertain = False
        except psycopg.errors.DiskFull as error:
            raise Stopped(
                "The disk of the database is full. What was recorded is safe; make room, then "
                "resume."
            ) from error
        except (psycopg.OperationalError, psycopg.InterfaceError, psycopg.InternalError) as error:
            self.close()
            reason = str(error).strip().split("\n")[0].rstrip(".")
            raise DatabaseUnavailable(
                f"The database cannot be used: {reason}.",
                page_message="The database cannot be used at the moment. Try again in a minute.",
            ) from error
        return committed

    def close(self) -> None:
        """Close the connection; the next commit opens another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _open(self) -> "psycopg.Connection[Any]":
        if self._connection is None:
            self._connection = commit_connection(self._url)
        return self._connection


def commit_connection(url: str) -> "psycopg.Connection[Any]":
    """Return a connection for `commit_batches`, in autocommit. Raises psycopg.Error, UsageError."""
    arguments: Any = connect_arguments(url, is_brief=True)
    arguments["options"] += _PLANS
    return psycopg.connect(autocommit=True, **arguments)


def _with_lost_claims(
    connection: "psycopg.Connection[Any]", batch: Batch, in_doubt: frozenset[int]
) -> Batch:
    rows = claimed_since(connection, batch.run_id, batch.after_row)
    lost = [row for row in rows if row not in in_doubt]
    return replace(batch, released=(*batch.released, *lost))
