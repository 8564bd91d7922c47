"""What the shell offers while a command is typed: runs, orgs, modules and words of options.

click answers the shell (`_BATCHLOCK_COMPLETE`) and knows commands, options and files; here are the
names that only batchlock knows. The functions return nothing when a name cannot be found out, and
never raise, since a message in the middle of a line that is typed helps nobody.
"""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click
from click.shell_completion import CompletionItem

if TYPE_CHECKING:
    from batchlock.config import Settings

_T = TypeVar("_T")

# As many as a person looks through; the newest come first.
_OFFERED_RUNS = 30


def run_ids(context: click.Context, _: click.Parameter, typed: str) -> list[CompletionItem]:
    """Return the newest runs of the org and the newest rehearsals whose ids begin as typed."""

    def find(settings: "Settings", state: Path) -> list[CompletionItem]:
        from batchlock.store.listing import newest_runs
        from batchlock.zoho.settings import SIMULATOR

        org = context.params.get("org") or settings.org
        runs = newest_runs(state, (org, SIMULATOR), typed, _OFFERED_RUNS)
        return [CompletionItem(run.run_id, help=f"{run.file_name}, {run.state}") for run in runs]

    return _from_store(context, find)


def org_names(context: click.Context, _: click.Parameter, typed: str) -> list[CompletionItem]:
    """Return the orgs of the store whose names begin as typed."""

    def find(_: "Settings", state: Path) -> list[CompletionItem]:
        from batchlock.store import listing

        return _beginning(listing.org_names(state), typed)

    return _from_store(context, find)


def modules(_: click.Context, __: click.Parameter, typed: str) -> list[CompletionItem]:
    """Return the modules that every org has, in any case of letters."""
    from batchlock.core.rows import MODULES

    return _beginning(MODULES, typed)


def delimiters(_: click.Context, __: click.Parameter, typed: str) -> list[CompletionItem]:
    """Return the words for the delimiter of a text file."""
    return _beginning(("auto", "comma", "semicolon", "tab", "pipe"), typed)


def _beginning(names: Sequence[str], typed: str) -> list[CompletionItem]:
    return [CompletionItem(name) for name in names if name.casefold().startswith(typed.casefold())]


def _from_store(context: click.Context, find: "Callable[[Settings, Path], list[_T]]") -> list[_T]:
    """Return what `find` gets out of the state folder of the settings; nothing if that fails.

    With the setting `database` nothing is offered: a database that is away would hold up the
    terminal.
    """
    from batchlock.config import load

    try:
        settings = load(file=context.params.get("config"), environment=os.environ)
        if settings.has_database:
            return []
        return find(settings, settings.state)
    except Exception:  # whatever it is, the person goes on typing
        return []
