"""The fixtures of the journal's tests."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from support.journals import INFO, Home, OpenPlan

from batchlock.core.rows import Update
from batchlock.core.runs import RunInfo
from batchlock.store.journal import Journal
from batchlock.store.journals import JournalFiles


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where a journal may be made."""
    return tmp_path / "run.journal"


@pytest.fixture
def home(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Home]:
    """Return where journals are kept: in files, unless the test says `server`."""
    if getattr(request, "param", "embedded") == "embedded":
        files = JournalFiles(tmp_path / "runs")
        files.prepare(INFO.org)
        yield Home(files, tmp_path)
        return
    from batchlock.store.journal_tables import JournalTables
    from batchlock.store.postgres import open_postgres

    engine = open_postgres(request.getfixturevalue("database_url"))
    yield Home(JournalTables(engine), tmp_path)
    engine.dispose()


@pytest.fixture
def open_plan(home: Home) -> Iterator[OpenPlan]:
    """Return a function that plans updates and opens the journal."""
    with ExitStack() as journals:

        def open_journal(
            updates: Sequence[Update], info: RunInfo = INFO, **options: Any
        ) -> Journal:
            return journals.enter_context(home.open(home.plan(updates, info, **options)))

        yield open_journal
