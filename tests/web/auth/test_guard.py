"""The check of a password while somebody changes who may sign in."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from batchlock.store.people import People
from batchlock.store.store import Store
from batchlock.web.auth.guard import PasswordGuard, PasswordRefusedError
from batchlock.web.auth.passwords import hash_password
from batchlock.web.observer import PageObserver

OLD, NEW = "the old password", "a newer password"


@pytest.mark.parametrize(
    "change",
    [
        lambda people: people.remove("Anna"),
        lambda people: people.put("Anna", hash_password(NEW)),
    ],
    ids=["removed", "new password"],
)
def test_a_change_during_the_check_of_a_password_counts(
    tmp_path: Path, change: Callable[[People], object]
) -> None:
    async def sign_in(store: Store) -> None:
        guard = PasswordGuard(store, PageObserver(), org="default")
        checking = asyncio.create_task(guard.check("Anna", OLD, "127.0.0.1"))
        await asyncio.sleep(0)  # the hash is being made in a thread now
        change(store.people)
        await checking

    with Store(tmp_path / "state") as store:
        store.people.put("Anna", hash_password(OLD))
        with pytest.raises(PasswordRefusedError, match="not right"):
            asyncio.run(sign_in(store))
