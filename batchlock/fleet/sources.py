"""What a schedule takes: files of a folder, or a report of the locks.

/in/acme/*.xlsx           the files of a folder whose names match
inbox:/in/acme            every file of a folder
locks:Leads,Deals>/out    a report of the locked records of some modules, into a folder
locks:--all               of all modules, into `results.directory`
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from batchlock.config import Settings, replaced
from batchlock.core.errors import UsageError
from batchlock.core.options import RunOptions
from batchlock.core.records import FindRequest
from batchlock.inboxes.listing import DONE, FileSource

_INBOX = "inbox:"
_LOCKS = "locks:"
_ALL = "--all"
_WILDCARDS = re.compile(r"[*?\[]")

_SETTINGS = {
    "strict": ("input", "strict"),
    "encoding": ("input", "encoding"),
    "delimiter": ("input", "delimiter"),
}
SOURCE_OPTIONS = (
    *(
        "action",
        "module",
        "reason",
        "sheet",
        "columns",
        "visible_only",
        "change_reason",
        "unlocks",
        "again",
    ),
    *_SETTINGS,
)
"""The options of a schedule of files.

`unlocks`: rows that unlock records need no question. `again`: content that was finished before is
sent once more.
"""


@dataclass(frozen=True, slots=True)
class LocksSource:
    """A report of locked records."""

    modules: tuple[str, ...]
    """Empty: all modules of the org."""
    folder: Path | None = None
    """None: `results.directory`."""

    @property
    def request(self) -> FindRequest:
        """What the report asks for."""
        return FindRequest(modules=self.modules, all_modules=not self.modules)


def parse_source(text: str) -> FileSource | LocksSource:
    """Return what a person wrote as the source of a schedule. Raises UsageError."""
    if text.startswith(_LOCKS):
        return _locks(text)
    if text.startswith(_INBOX):
        return FileSource(_folder(text, text.removeprefix(_INBOX)))
    path = _absolute(text, text)
    if _WILDCARDS.search(str(path.parent)):
        raise UsageError(
            f'The source "{text}" has *, ? or [ in the name of a folder. Only the name of the '
            "file may have them; add a schedule for each folder."
        )
    if path.is_dir():
        raise UsageError(f"{text} is a folder. Write {_INBOX}{text} for every file in it.")
    return FileSource(path.parent, path.name)


def options_of(
    settings: Settings, options: Mapping[str, Any], source: FileSource | LocksSource
) -> tuple[Settings, RunOptions]:
    """Return the settings and options with which a schedule makes its runs.

    Raises UsageError for a setting that is refused.
    """
    values: dict[tuple[str, ...], Any] = {
        path: options[name] for name, path in _SETTINGS.items() if name in options
    }
    # Not beside the input: its folder would give the results to the next due time.
    folder = source.folder / DONE if isinstance(source, FileSource) else source.folder
    if folder is not None:
        values["results", "directory"] = folder
    constants = {name: options[name] for name in ("module", "reason", "action") if name in options}
    run_options = RunOptions(
        sheet=options.get("sheet"),
        columns=options.get("columns", {}),
        constants=constants,
        visible_only=options.get("visible_only", False),
        change_reason=options.get("change_reason", False),
    )
    return (
        replaced(settings, values, source=lambda path: f"The schedule: {'.'.join(path)}"),
        run_options,
    )


def _locks(text: str) -> LocksSource:
    names, arrow, folder = text.removeprefix(_LOCKS).partition(">")
    modules = tuple(name.strip() for name in names.split(",") if name.strip())
    if not modules or (_ALL in modules and modules != (_ALL,)):
        raise UsageError(
            f'The source "{text}" names no modules. Write {_LOCKS}Leads,Deals, or {_LOCKS}{_ALL} '
            "for every module that can be locked."
        )
    path = _folder(text, folder.strip()) if arrow else None
    return LocksSource(() if modules == (_ALL,) else modules, path)


def _folder(text: str, path: str) -> Path:
    folder = _absolute(text, path)
    if _WILDCARDS.search(path):
        raise UsageError(f'The source "{text}" has *, ? or [ in it, and names a folder.')
    return folder


def _absolute(text: str, path: str) -> Path:
    if not Path(path).is_absolute() or "\0" in path:
        raise UsageError(
            f'The source "{text}" has no absolute path. Begin it with the root, such as '
            "/in/acme/*.xlsx; workers run in folders of their own."
        )
    return Path(path)
