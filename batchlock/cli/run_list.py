"""List the runs, and remove old ones: `batchlock runs`."""

import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from batchlock.cli.context import Context
from batchlock.cli.locks import moment
from batchlock.cli.options import CommandOptions
from batchlock.cli.output import print_pruned, print_runs
from batchlock.cli.run_list_options import RunListOptions
from batchlock.cli.runner import open_engine
from batchlock.config import seconds
from batchlock.core.errors import UsageError
from batchlock.core.run_filter import RunFilter

if TYPE_CHECKING:
    from batchlock.engine import Engine


def list_runs(context: Context, options: CommandOptions, filters: RunListOptions) -> int:
    """Print the runs that match the options, or remove old ones."""
    _refuse_mixture(options, filters)
    if filters.prune is not None:
        before = _age(filters.prune)
        with open_engine(context, options, to_send=False) as engine:
            return _prune(context, options, engine, before, is_trial=filters.dry_run)
    run_filter = RunFilter(
        state=filters.state,
        since=moment("--since", filters.since),
        until=moment("--until", filters.until, at_end=True),
        only_failed=filters.failed,
        file=filters.file_part or "",
        limit=filters.limit,
    )
    with open_engine(context, options, to_send=False) as engine:
        runs = engine.runs(run_filter)
    is_filtered = run_filter != RunFilter()
    print_runs(runs, engine.options, as_json=options.as_json, is_filtered=is_filtered)
    return 0


def _refuse_mixture(options: CommandOptions, filters: RunListOptions) -> None:
    if filters.prune is None:
        if filters.dry_run or options.yes:
            raise UsageError("--dry-run and --yes belong to --prune. Add --prune 90d.")
    elif filters != RunListOptions(prune=filters.prune, dry_run=filters.dry_run):
        raise UsageError(
            "--prune removes all old runs, so it takes no filter. Leave the filter out, or --prune."
        )


def _age(text: str) -> datetime:
    """Return the moment so long ago."""
    try:
        age = timedelta(seconds=seconds(text))
        before = datetime.now(UTC) - age
    except OverflowError:
        raise UsageError(
            f'--prune "{text}": that is too long. Write it like --prune 90d.'
        ) from None
    except ValueError as error:
        raise UsageError(f'--prune "{text}": {error}. Write it like --prune 90d.') from None
    if age < timedelta(days=1):
        raise UsageError(
            f'--prune "{text}": runs of the last day are not removed. Write at least 1d.'
        )
    return before


def _prune(
    context: Context,
    options: CommandOptions,
    engine: "Engine",
    before: datetime,
    *,
    is_trial: bool,
) -> int:
    old = engine.old_runs(before)
    removed = old.removable
    if not is_trial and removed:
        _confirm(context, len(removed), before, yes=options.yes)
        removed = engine.prune(before)
    print_pruned(
        removed, needed=len(old.needed), before=before, is_trial=is_trial, as_json=options.as_json
    )
    return 0


def _confirm(context: Context, count: int, before: datetime, *, yes: bool) -> None:
    """Ask at a terminal whether to remove runs. Raises UsageError when the answer is no."""
    if yes:
        return
    if not (sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError(
            "Without a terminal nobody can be asked whether old runs are to be removed. Add --yes, "
            "or see with --dry-run what would be removed."
        )
    import click

    runs = "1 run that" if count == 1 else f"{count:,} runs that"
    question = f"Remove {runs} ended before {before:%Y-%m-%d %H:%M} UTC?"
    with context.signals.interruptible():
        if not click.confirm(question, err=True):
            raise UsageError("Nothing was removed.")
