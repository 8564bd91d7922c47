"""What the statements of a journal need of its database: SQLite or PostgreSQL.

Both run the same statements. Placeholders are `?`. The tables are `run`, `rows`, `progress` and
`problems`; those of another journal have its name before them (`earlier.rows`). What the common
subset of both does not have is in `Dialect`.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, Self

from batchlock.core.errors import BatchlockError

Place = Path | str
"""Where a journal is: the path of its file, or the id of its run in PostgreSQL."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """What SQLite and PostgreSQL write in different ways; `{}` stands for an expression."""

    like: str
    """LIKE that takes the letters A to Z for a to z."""
    is_same: str
    """Between two lists of values in parentheses: whether they are equal, also where both lack."""
    cells_as_text: str
    """The JSON in the column `cells` as text."""
    bytes_of: str
    """The number of bytes of a text in UTF-8."""
    whole: str
    """A number without its fraction, for numbers that are not negative."""
    minute: str
    """A Unix time as the minute that messages show."""
    json_pair: str
    """The function that returns two values as a JSON list."""
    repeats_commits: bool
    """Whether a commit may be repeated, because its answer can be lost on the way."""


SQLITE = Dialect(
    like="LIKE",
    is_same="IS",
    # LIKE does not search a BLOB without the cast.
    cells_as_text="CAST({} AS TEXT)",
    bytes_of="length(CAST({} AS BLOB))",
    whole="CAST({} AS INTEGER)",
    minute="strftime('%Y-%m-%d at %H:%M UTC', {}, 'unixepoch')",
    json_pair="as_json",
    repeats_commits=False,
)
POSTGRESQL = Dialect(
    like="ILIKE",
    is_same="IS NOT DISTINCT FROM",
    # The collation makes ILIKE compare as SQLite does.
    cells_as_text="""(convert_from({}, 'UTF8') COLLATE "C")""",
    bytes_of="octet_length({})",
    whole="CAST(floor({}) AS INTEGER)",
    minute="to_char(to_timestamp({}) AT TIME ZONE 'UTC', 'YYYY-MM-DD \"at\" HH24:MI \"UTC\"')",
    json_pair="json_build_array",
    repeats_commits=True,
)


class Rows(Protocol):
    """The result of a statement."""

    @property
    def rowcount(self) -> int:
        """How many rows the statement has changed."""
        ...

    def fetchone(self) -> Any:
        """Return the next row; None after the last one."""
        ...

    def fetchall(self) -> list[Any]:
        """Return the rows that are left."""
        ...

    def __iter__(self) -> Iterator[Any]: ...


class Sql(Protocol):
    """A connection on which the statements of a journal run."""

    @property
    def dialect(self) -> Dialect:
        """What the database writes in its own way."""
        ...

    def execute(self, statement: str, values: Sequence[object] = (), /) -> Rows:
        """Run a statement."""
        ...

    def executemany(self, statement: str, values: Iterable[Sequence[object]], /) -> Rows:
        """Run a statement once for each of some lists of values."""
        ...

    def stream(self, statement: str, values: Sequence[object] = (), /) -> Iterable[Any]:
        """Return the rows of a query that may have as many as the file, without keeping them."""
        ...


class Database(Protocol):
    """The database of a journal. Two threads must not use it at the same time.

    The methods turn the errors of the database into BatchlockError, and into Stopped when its disk
    is full.
    """

    @property
    def name(self) -> str:
        """The journal as messages name it, at the beginning of a sentence."""
        ...

    @property
    def place(self) -> Place:
        """Where the journal is."""
        ...

    def close(self) -> None:
        """Close the journal."""
        ...

    def reading(self) -> AbstractContextManager[Sql]:
        """Yield a connection for queries."""
        ...

    def transaction(self) -> AbstractContextManager[Sql]:
        """Commit what the block writes, or nothing when it raises."""
        ...

    def snapshot(self) -> AbstractContextManager[None]:
        """Let every read in the block see the same moment, while another process writes."""
        ...

    def session(self) -> AbstractContextManager[Sql]:
        """Run the block on one connection, so that it can use temporary tables."""
        ...

    def attached(self, places: Mapping[str, Place]) -> AbstractContextManager[Sql]:
        """Run the block in a transaction, with other journals attached by name."""
        ...

    def reading_from(self, name: str, place: Place) -> AbstractContextManager[Sql]:
        """Attach another journal that is only read, under a name.

        Raises BatchlockError when it cannot be read.
        """
        ...

    def open_other(self, place: Place) -> Self:
        """Open another journal of the same kind."""
        ...

    def create_other(self, place: Place) -> Self:
        """Create another journal of the same kind, without any fact."""
        ...

    def count(self, rows: str, values: Sequence[object] = ()) -> int:
        """Count rows; `rows` is the SQL that follows FROM."""
        ...

    def no_journal(self) -> BatchlockError:
        """Return the error for something that is no journal."""
        ...

    def wrong_version(self) -> BatchlockError:
        """Return the error for a journal that another version of batchlock made."""
        ...
