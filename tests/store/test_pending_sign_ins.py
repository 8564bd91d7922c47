"""Sign-ins to orgs that are begun and not confirmed."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from batchlock.store.pending_sign_ins import StoredSignIn
from batchlock.store.sealing import make_key_file, require_keys
from batchlock.store.settings import SecretsSettings
from batchlock.store.store import Store

NOW = datetime(2026, 3, 14, 12, tzinfo=UTC)
INTERVAL = timedelta(seconds=30)


def test_an_answer_about_an_older_sign_in_does_not_replace_the_newer_one(
    store: Store, tmp_path: Path
) -> None:
    make_key_file(tmp_path)
    keys = require_keys(SecretsSettings(), tmp_path, is_shared=False)
    older = StoredSignIn(
        content={"code": "older"}, ends_at=NOW + timedelta(minutes=5, microseconds=7), poll_at=NOW
    )
    newer = replace(
        older, content={"code": "newer"}, ends_at=older.ends_at + timedelta(microseconds=1)
    )
    pending = store.pending_sign_ins
    pending.put("acme", older, keys)
    assert pending.reserve_poll("acme", NOW, INTERVAL, ends_at=older.ends_at)
    assert not pending.reserve_poll("acme", NOW, INTERVAL, ends_at=older.ends_at)
    pending.put("acme", newer, keys)  # while the older one is read and asked about
    assert not pending.reserve_poll("acme", NOW, INTERVAL, ends_at=older.ends_at)
    pending.update("acme", replace(older, poll_at=NOW + INTERVAL), keys)
    assert pending.get("acme", keys) == newer
    assert pending.reserve_poll("acme", NOW, INTERVAL, ends_at=newer.ends_at)
