"""What an org has shown of its limits, kept between runs."""

import json
import os
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

from batchlock.send.pacing.window import START, Ceiling

_KEPT = timedelta(days=7)


def load_ceiling(path: Path, now: datetime) -> Ceiling | None:
    """Return the number of calls in flight that was refused last, if that is not long ago.

    It counts as new, so that a run begins by believing it; but with fewer than every edition
    allows no run begins.
    """
    try:
        match json.loads(path.read_text("utf-8")):
            case {"refused": int(refused), "at": str(told)} if refused > START:
                at = datetime.fromisoformat(told)
                return Ceiling(refused, now) if now - at < _KEPT else None
    except (OSError, ValueError, TypeError):  # a time without its zone
        pass
    return None


def save_ceiling(path: Path, ceiling: Ceiling | None) -> None:
    """Keep it for the next run, or that there is none; a run is not worse for not being able to."""
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
