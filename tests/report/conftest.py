from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from support.journals import OpenPlan, plan_journal

from batchlock.core.rows import Update
from batchlock.store.journal import Journal


@pytest.fixture
def open_plan(tmp_path: Path) -> Iterator[OpenPlan]:
    """Return a function that plans updates and opens the journal."""
    with ExitStack() as journals:

        def open_journal(updates: Sequence[Update], **options: Any) -> Journal:
            path = plan_journal(tmp_path / "a.journal", updates, **options)
            return journals.enter_context(Journal.open(path))

        yield open_journal
