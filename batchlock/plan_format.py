"""Write a plan to a file, and read it."""

import hashlib
import json
import os
import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from batchlock import __version__
from batchlock.core.errors import UnreadableFile, UsageError
from batchlock.core.rows import Action
from batchlock.plan_file import PlanFile

FORMAT = "batchlock-plan"
VERSION = 1
# A plan has one line for each module, so that a larger file is something else.
_MAX_BYTES = 1 << 20
# The options in a plan become those of the command. Any other one, such as --config or --yes, would
# let whoever has made the plan decide what only whoever sends it may decide.
_TEXT_OPTIONS = frozenset({"sheet", "encoding", "delimiter", "module", "reason", "action"})


def refuse_existing(path: Path, file: Path, output: Path | None, *, overwrite: bool) -> None:
    """Raise UsageError for a plan file that cannot be written, before a file is read."""
    if path.is_dir():
        raise UsageError(f"{path} is a folder. Name a file in it, such as {path / 'plan.json'}.")
    if path.resolve() == file.resolve():
        raise UsageError(f"The plan would overwrite the input {file}. Name another.")
    if output is not None and path.resolve() == output.resolve():
        raise UsageError(f"{path} cannot be both the plan and the checked file. Name two files.")
    if path.exists() and not overwrite:
        raise UsageError(f"{path} exists already. Name another file, or add --overwrite.")


def write_plan(path: Path, plan: PlanFile) -> None:
    """Write a plan file, which is complete or not there. Raises UsageError."""
    content = {
        "format": FORMAT,
        "version": VERSION,
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "made_by": f"batchlock {__version__}",
        **asdict(plan),
    }
    content["checksum"] = _checksum(content)
    draft = path.with_name(f".batchlock-{secrets.token_hex(4)}.part")
    try:
        with draft.open("x", encoding="ascii", newline="\n") as file:
            json.dump(content, file, indent=2)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
        raise UsageError(
            f"{path} cannot be written: {error.strerror or error}. Name a file in a folder that "
            "can be written."
        ) from None


def read_plan(path: Path) -> PlanFile:
    """Return the plan in a file.

    Raises UnreadableFile when the file cannot be opened, and UsageError when it is damaged, no plan
    or that of another version. Whoever can write the file can also write its checksum, so every
    value that is used is checked.
    """
    try:
        with path.open("rb") as file:
            text = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise UnreadableFile(
            f"{path} cannot be read: {error.strerror or error}. Check its path, and who may read "
            "it."
        ) from None
    again = "Make it again with `batchlock check --plan`."
    try:
        content = json.loads(text, object_pairs_hook=_without_repetition)
        checksum_now = _checksum(content)
    except (ValueError, RecursionError):  # UnicodeDecodeError is a ValueError
        raise UsageError(f"The plan {path} is damaged: it is no JSON. {again}") from None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise UsageError(f"{path} is no plan of batchlock. {again}")
    if content.get("version") != VERSION:
        raise UsageError(
            f"The plan {path} has the version {content.get('version')} of the format, and this "
            f"batchlock reads {VERSION}. {again}"
        )
    if content.get("checksum") != checksum_now:
        raise UsageError(
            f"The plan {path} is damaged, or was changed: its checksum does not fit. {again}"
        )
    for name, fits in _VALUES.items():
        if name not in content:
            raise UsageError(f"The plan {path} is damaged: it has no '{name}'. {again}")
        if not fits(content[name]):
            raise UsageError(f"The plan {path} is damaged: '{name}' is no such value. {again}")
    return PlanFile(**{name: content[name] for name in _VALUES})


def _checksum(content: Any) -> str:
    """Return the SHA-256 of the other values, so that a change by hand or by a fault is seen.

    Raises RecursionError for lists that are nested too deeply.
    """
    if isinstance(content, dict):
        content = {name: value for name, value in content.items() if name != "checksum"}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return a JSON object; raises ValueError for two values of one name.

    A person who reads the file would see the first one, and the last one would count.
    """
    content = dict(pairs)
    if len(content) != len(pairs):
        raise ValueError("a name stands twice in one object")
    return content


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_path(value: object) -> bool:
    """Return whether a value is a path that this machine can look for."""
    try:
        return isinstance(value, str) and b"\0" not in os.fsencode(value)
    except UnicodeEncodeError:
        return False


def _are_options(value: object) -> bool:
    """Return whether a value has options for reading a file, and no others."""
    if not isinstance(value, dict):
        return False
    values = dict(value)
    columns, visible_only = values.pop("columns", {}), values.pop("visible_only", False)
    return (
        isinstance(columns, dict)
        and all(map(_is_text, columns.values()))
        and isinstance(visible_only, bool)
        and values.keys() <= _TEXT_OPTIONS
        and all(map(_is_text, values.values()))
        and values.get("action", Action.UPDATE) in set(Action)
    )


def _is_reading(value: object) -> bool:
    if not isinstance(value, dict):
        return False
    fields = value.get("fields", {})
    return isinstance(fields, dict) and all(
        one is None or isinstance(one, dict) for one in fields.values()
    )


_VALUES: Mapping[str, Callable[[object], bool]] = {
    "file": _is_path,
    "size": _is_count,
    "sha256": _is_text,
    "org": _is_text,
    "org_id": _is_text,
    "environment": _is_text,
    "api_url": _is_text,
    "options": _are_options,
    "action": _is_text,
    "read_as": _is_reading,
    "rows": _is_count,
    "invalid": _is_count,
    "duplicate": _is_count,
    "digest": _is_text,
}
