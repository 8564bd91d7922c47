"""Small JSON files that one run leaves for the next; a run works as well without them."""

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any


def read_json(path: Path) -> dict[str, Any]:
    """Return the object in a file; an empty one when it is missing or damaged."""
    try:
        content = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Replace a file, or remove it when there is no content. A failure is ignored."""
    # The process id keeps the drafts of two processes apart until the atomic rename.
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    with suppress(OSError):
        if not content:
            path.unlink()
            return
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            draft.write_text(json.dumps(content))
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
