"""The fixtures of the journal's tests."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from support.journals import OpenPlan, plan_journal

from batchlock.core.rows import Update
from batchlock.store.journal import Journal


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where a journal may be made."""
    return tmp_path / "run.journal"


@pytest.fixture
def open_plan(path: Path) -> Iterator[OpenPlan]:
    """Return a function that plans updates and opens the journal."""
    with ExitStack() as journals:

        def open_journal(updates: Sequence[Update], **options: Any) -> Journal:
            return journals.enter_context(Journal.open(plan_journal(path, updates, **options)))

        yield open_journal
