"""The concurrency limit that an org has shown, stored between runs."""

import json
import os
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

from batchlock.send.pacing.window import START, Ceiling

# Long enough for a weekly job. The figure is not critical: a ceiling that is no longer true is
# tested again after `Window._ceiling_ttl`.
_MAX_AGE = timedelta(days=7)


def load_ceiling(path: Path, now: datetime) -> Ceiling | None:
    """Return the ceiling that an earlier run stored, dated `now`; None if it is too old.

    The run treats it as new (`at` is `now`), so it does not test a higher concurrency at once.
    A damaged file counts as no file.
    """
    try:
        match json.loads(path.read_text("utf-8")):
            # Every edition allows START calls in flight, so a lower ceiling came from a 429 that
            # had another reason.
            case {"refused": int(refused), "at": str(at_text)} if refused > START:
                at = datetime.fromisoformat(at_text)
                return Ceiling(refused, now) if now - at < _MAX_AGE else None
    except (OSError, ValueError, TypeError):  # TypeError: `at` has no time zone
        pass
    return None


def save_ceiling(path: Path, ceiling: Ceiling | None) -> None:
    """Store the ceiling for the next run; None deletes it. A failure is ignored.

    Without the file the next run starts as on a new org, which costs a few 429s and nothing else.
    """
    # The process id keeps the drafts of two processes apart until the atomic rename.
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    with suppress(OSError):
        if ceiling is None:
            path.unlink()
            return
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            draft.write_text(json.dumps({"refused": ceiling.refused, "at": ceiling.at.isoformat()}))
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
