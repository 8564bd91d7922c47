"""Write and send plan files: `batchlock check --plan` and `batchlock run --plan`."""

from collections.abc import Coroutine
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from batchlock.cli.context import Context
from batchlock.cli.options import CommandOptions
from batchlock.cli.runner import open_engine
from batchlock.core.errors import UnreadableFile, UsageError
from batchlock.core.options import RunOptions
from batchlock.plan_file import plan_of
from batchlock.plan_format import read_plan, refuse_existing, write_plan

if TYPE_CHECKING:
    from batchlock.core.results import CheckResult
    from batchlock.engine import Engine
    from batchlock.store.journal import Journal

CheckJob = Coroutine[Any, Any, "CheckResult"]

# The plan says all that decides which update goes to which lock.
_OPTIONS = {
    "sheet": "--sheet",
    "columns": "--column",
    "encoding": "--encoding",
    "delimiter": "--delimiter",
    "module": "--module",
    "reason": "--reason",
    "visible_only": "--visible-only",
    "change_reason": "--change-reason",
}


def check_to_plan(engine: "Engine", options: CommandOptions, file: Path, path: Path) -> CheckJob:
    """Return the check of a file that also writes its plan. Raises UsageError."""
    refuse_existing(path, file, options.output, overwrite=options.overwrite)
    typed = {"encoding": options.encoding, "delimiter": options.delimiter}

    def write(journal: "Journal") -> None:
        org_id = engine.org_id(journal.info.org)
        write_plan(path, plan_of(journal, engine.options, typed, org_id))

    target = path.absolute()
    command = _send_command(options, target)

    async def check() -> "CheckResult":
        return replace(await engine.check(file, write), plan=target, plan_command=command)

    return check()


def send_plan(context: Context, options: CommandOptions, path: Path, file: Path | None) -> int:
    """Run the file of a plan, or `file`; any difference from the plan ends the command."""
    from batchlock.cli.output import print_result

    if typed := [name for field, name in _OPTIONS.items() if getattr(options, field)]:
        raise UsageError(
            f"{', '.join(typed)}: the plan says how the file is read. Leave "
            f"{'it' if len(typed) == 1 else 'them'} out, or check the file again with "
            f"{'it' if len(typed) == 1 else 'them'} and --plan."
        )
    plan = read_plan(path)
    if file is None:
        file = plan.path
        if not file.exists():
            raise UnreadableFile(
                f"{file}, which was checked for the plan, is not there. If it was moved, type its "
                f"path behind the plan: {_send_command(options, path)} FILE"
            )
    context.file = str(file.absolute())
    values = dict(plan.options)
    action = values.pop("action", None)
    columns = values.pop("columns", {})
    options = options._replace(
        **values, columns=tuple(f"{field}={title}" for field, title in columns.items())
    )
    with open_engine(context, options, file=file, action=action) as engine:
        engine.approved_plan = plan
        result = context.signals.run_async(engine.run(file))
    return print_result(context, result)


def _send_command(options: CommandOptions, plan: Path) -> str:
    """Return the command that sends a plan."""
    rehearsal = ("--simulate",) if options.simulate else ()
    run_options = RunOptions(config=options.config, org=options.org)
    return run_options.command("run", *rehearsal, "--plan", str(plan))
