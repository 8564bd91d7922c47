"""The commands: what each one calls and prints.

Modules that take long to load are imported inside the commands, so that `--help` needs only click.
"""

from pathlib import Path

import click

from batchlock import __version__
from batchlock.cli.context import Context
from batchlock.cli.db_commands import db, migrate
from batchlock.cli.doctor_command import doctor
from batchlock.cli.fleet_commands import worker
from batchlock.cli.inbox_commands import inbox
from batchlock.cli.lock_commands import lock, send_file, undo, unlock
from batchlock.cli.options import (
    Command,
    CommandOptions,
    FindOptions,
    action_option,
    change_reason_option,
    check_output_option,
    collected,
    common_options,
    detach_option,
    file_argument,
    find_options,
    fresh_option,
    json_option,
    looking_options,
    modules_argument,
    optional_file_argument,
    optional_run_argument,
    org_option,
    output_option,
    overwrite_option,
    plan_option,
    plan_output_option,
    reading_options,
    run_argument,
    sending_options,
    simulate_option,
    strict_option,
    yes_option,
)
from batchlock.cli.org_commands import orgs
from batchlock.cli.page_commands import serve, work
from batchlock.cli.run_list_options import RunListOptions, run_list_options
from batchlock.cli.runner import load_settings, open_engine
from batchlock.cli.schedule_commands import schedules
from batchlock.cli.shell_commands import completion
from batchlock.cli.sign_in_commands import login, logout
from batchlock.cli.simulate_options import (
    InventoryOptions,
    OrgsOptions,
    StandInOptions,
    stand_in_options,
)
from batchlock.cli.streams import echo
from batchlock.core.errors import UsageError


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Every command has --help, which begins with an example.",
)
@click.version_option(__version__, prog_name="batchlock")
def commands() -> None:
    """Update the locking reasons of many Zoho CRM records from a spreadsheet.

    To see it at work without an org: batchlock run samples/lock_updates.xlsx --simulate
    """


@commands.command(cls=Command, example="batchlock run orders.xlsx")
@optional_file_argument
@common_options
@org_option
@output_option
@reading_options
@simulate_option
@strict_option
@plan_option
@sending_options
@detach_option
@fresh_option
@change_reason_option
@yes_option
@json_option
@collected(CommandOptions)
def run(context: Context, options: CommandOptions, *, file: Path | None, plan: Path | None) -> int:
    """Send every row of FILE to Zoho and write the result of each.

    A row updates the reason of its lock; with a column `Action`, it can also say lock or unlock. An
    unfinished run of the same file is resumed.
    """
    if plan is not None:
        from batchlock.cli.plans import send_plan

        return send_plan(context, options, plan, file)
    if file is None:
        raise UsageError("Missing argument 'FILE'. See `batchlock run --help`.")
    return send_file(context, options, file, action=None)


@commands.command(cls=Command, example="batchlock check orders.xlsx")
@file_argument
@common_options
@org_option
@check_output_option
@plan_output_option
@overwrite_option
@reading_options
@action_option
@simulate_option
@json_option
@collected(CommandOptions)
def check(
    context: Context,
    options: CommandOptions,
    *,
    file: Path,
    plan: Path | None,
    action: str | None,
) -> int:
    """Show what FILE is read as, and every problem in it; nothing is sent.

    No sign-in is needed. With -v every problem has a line of its own. A file for the command lock
    or unlock is checked with --action. With --plan, another person can send exactly what you have
    checked.
    """
    from batchlock.cli.output import print_check

    with open_engine(context, options, file=file, action=action, to_send=False) as engine:
        if plan is None:
            job = engine.check(file)
        else:
            from batchlock.cli.plans import check_to_plan

            job = check_to_plan(engine, options, file, plan)
        result = context.signals.run_async(job)
    return print_check(context, result, verbose=options.verbose > 0, quiet=options.quiet)


@commands.command(cls=Command, example="batchlock locks Leads Deals -o locks.xlsx")
@modules_argument
@common_options
@org_option
@output_option
@find_options
@simulate_option
@looking_options
@detach_option
@click.option("--fresh", is_flag=True, help="Start anew, also when a search was not finished.")
@json_option
@collected(FindOptions, CommandOptions)  # in this order: both have `until`
def locks(
    context: Context, find: FindOptions, options: CommandOptions, *, modules: tuple[str, ...]
) -> int:
    """Find the locked records of each MODULE: why, by whom and since when; nothing is changed.

    A module has its API name or its label in the org; --all stands for all that can be locked.
    The workbook can be given to run, unlock, lock and check as it is.
    """
    from batchlock.cli.locks import find_request
    from batchlock.cli.output import print_result

    request = find_request(modules, find)
    with open_engine(context, options) as engine:
        result = context.signals.run_async(engine.locks(request))
    return print_result(context, result)


@commands.command(cls=Command, example="batchlock resume")
@optional_run_argument
@common_options
@org_option
@output_option
@simulate_option
@sending_options
@detach_option
@json_option
@collected(CommandOptions)
def resume(context: Context, options: CommandOptions, *, run_id: str | None) -> int:
    """Continue an unfinished run: RUN, or the newest unfinished one."""
    from batchlock.cli.output import print_result

    with open_engine(context, options) as engine:
        result = context.signals.run_async(engine.resume(run_id))
    return print_result(context, result, nothing="There is no unfinished run to resume.")


@commands.command(cls=Command, example="batchlock retry 20260314-020304-1f3a")
@run_argument
@click.option(
    "--only", type=click.Choice(["failed"]), help="failed: leave out the rows that Zoho refused."
)
@common_options
@org_option
@output_option
@sending_options
@detach_option
@yes_option
@json_option
@collected(CommandOptions)
def retry(context: Context, options: CommandOptions, *, run_id: str, only: str | None) -> int:
    """Send the rows of RUN again that were not updated, as a new run."""
    from batchlock.cli.output import print_result

    with open_engine(context, options) as engine:
        result = context.signals.run_async(engine.retry(run_id, refused=only is None))
    exception = "" if only is None else ", except those that Zoho refused"
    return print_result(
        context, result, nothing=f"Every row of run {run_id} is as its file asks{exception}."
    )


@commands.command(cls=Command, example="batchlock report 20260314-020304-1f3a -o new.csv")
@run_argument
@common_options
@org_option
@output_option
@json_option
@collected(CommandOptions)
def report(context: Context, options: CommandOptions, *, run_id: str) -> int:
    """Write the results of RUN again."""
    from batchlock.cli.output import print_result

    with open_engine(context, options, to_send=False) as engine:
        result = engine.report(run_id)
    return print_result(context, result)


@commands.command(cls=Command, example="batchlock runs --failed --since 2026-03-01")
@common_options
@org_option
@run_list_options
@json_option
@collected(RunListOptions, CommandOptions)  # in this order: both have `until`
def runs(context: Context, filters: RunListOptions, options: CommandOptions) -> int:
    """List the runs of this org and the rehearsals, newest first.

    With --prune, old runs are removed that are finished, and that no later run needs to know which
    rows are done. Their results files stay.
    """
    from batchlock.cli.run_list import list_runs

    return list_runs(context, options, filters)


@commands.command(cls=Command, example="batchlock show 20260314-020304-1f3a")
@run_argument
@common_options
@org_option
@json_option
@collected(CommandOptions)
def show(context: Context, options: CommandOptions, *, run_id: str) -> int:
    """Show the result of RUN so far."""
    from batchlock.cli.output import print_run

    with open_engine(context, options, to_send=False) as engine:
        summary, run, family, story = engine.show(run_id)
    print_run(summary, run, family, story, as_json=options.as_json)
    return 0


@commands.command(cls=Command, example="batchlock template locks.xlsx")
@file_argument
@common_options
@overwrite_option
# The name that `--overwrite` had in 0.1.0.
@click.option("--force", "overwrite", is_flag=True, hidden=True)
@collected(CommandOptions)
def template(_: Context, options: CommandOptions, *, file: Path) -> int:
    """Write a blank input workbook to FILE, an .xlsx file."""
    from batchlock.core.rows import MODULES
    from batchlock.report.template import write_template

    if file.suffix.lower() != ".xlsx" and not file.is_dir():
        raise UsageError(
            f"A template is an .xlsx workbook, and {file.name} is none by its name. Let the name "
            "end in .xlsx."
        )
    if file.is_dir():
        raise UsageError(f"{file} is a folder. Name a file in it, such as {file / 'locks.xlsx'}.")
    if file.exists() and not options.overwrite:
        raise UsageError(f"{file} exists already. Name another file, or add --overwrite.")
    try:
        write_template(file, (*MODULES, *load_settings(options).input.custom_modules))
    except OSError as error:
        raise UsageError(
            f"{file} cannot be written: {error.strerror}. Name a file in a folder that can be "
            "written."
        ) from None
    echo(f"Fill in {file}, then: batchlock run {file}")
    return 0


@commands.command(cls=Command, example="batchlock simulate --port 8899 --latency 150ms")
@stand_in_options
@collected(StandInOptions, InventoryOptions, OrgsOptions)
def simulate(
    context: Context,
    options: StandInOptions,
    records: InventoryOptions,
    many: OrgsOptions,
    *,
    port: int,
) -> int:
    """Run the stand-in for Zoho on a local port, for rehearsals and tests."""
    from batchlock.cli import simulate as steps

    signals = context.signals
    orgs = steps.parse_orgs(many.orgs, steps.parse_behaviour(options), records)
    signals.run_async(
        steps.serve(orgs, many.write_orgs, port=port, cancel_token=signals.cancel_token)
    )
    context.clear_signal()
    return 0


for _command in (
    *(login, logout, lock, unlock, undo, doctor, inbox, orgs),
    *(db, migrate, worker, schedules, serve, work, completion),
):
    commands.add_command(_command)
