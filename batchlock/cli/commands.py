"""The commands and their options."""

from pathlib import Path
from typing import Any

import click

from batchlock import __version__
from batchlock.cli import options
from batchlock.cli.context import Context
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


@commands.command(cls=options.Command, example="batchlock run orders.xlsx")
@options.file
@options.common
@options.output
@options.reading
@options.simulate
@click.option("--strict", is_flag=True, help="Send nothing if any row has a problem.")
@options.sending
@click.option("--fresh", is_flag=True, help="Start anew, even if an unfinished run is there.")
@options.json
@click.pass_obj
def run(session: Context, /, file: Path, **given: Any) -> int:
    """Send every row of FILE to Zoho and write what became of each.

    An unfinished run of the same file goes on where it stopped.
    """
    from batchlock.cli.output import print_result

    with options.runner(session, given, reads=file) as runner:
        finished = session.signals.run_async(runner.run(file))
    return print_result(session, finished)


@commands.command(cls=options.Command, example="batchlock check orders.xlsx")
@options.file
@options.common
@options.reading
@options.json
@click.pass_obj
def check(session: Context, /, file: Path, **given: Any) -> int:
    """Find every problem in FILE; nothing is sent, and no sign-in is needed."""
    from batchlock.cli.output import print_check

    with options.runner(session, given, reads=file) as runner:
        found = session.signals.run_async(runner.check(file))
    return print_check(session, found)


@commands.command(cls=options.Command, example="batchlock resume")
@click.argument("run_id", metavar="[RUN]", required=False)
@options.common
@options.output
@options.simulate
@options.sending
@options.json
@click.pass_obj
def resume(session: Context, /, run_id: str | None, **given: Any) -> int:
    """Go on with a run that did not come to its end: RUN, or the newest such."""
    from batchlock.cli.output import print_result

    with options.runner(session, given) as runner:
        finished = session.signals.run_async(runner.resume(run_id))
    return print_result(session, finished, nothing="There is no unfinished run to resume.")


@commands.command(cls=options.Command, example="batchlock retry 20260314-020304-1f3a")
@click.argument("run_id", metavar="RUN")
@click.option(
    "--only", type=click.Choice(["failed"]), help="failed: leave out the rows that Zoho refused."
)
@options.common
@options.output
@options.sending
@options.json
@click.pass_obj
def retry(session: Context, /, run_id: str, *, only: str | None, **given: Any) -> int:
    """Send the rows of RUN again that were not updated, as a new run."""
    from batchlock.cli.output import print_result

    with options.runner(session, given) as runner:
        finished = session.signals.run_async(runner.retry(run_id, refused=only is None))
    but = "" if only is None else ", but for those that Zoho refused"
    return print_result(
        session,
        finished,
        nothing=f"Every row of run {run_id} is as its file asks{but}.",
    )


@commands.command(cls=options.Command, example="batchlock report 20260314-020304-1f3a -o new.csv")
@click.argument("run_id", metavar="RUN")
@options.common
@options.output
@options.json
@click.pass_obj
def report(session: Context, /, run_id: str, **given: Any) -> int:
    """Write the results of RUN again."""
    from batchlock.cli.output import print_result

    with options.runner(session, given) as runner:
        finished = runner.report(run_id)
    return print_result(session, finished)


@commands.command(cls=options.Command, example="batchlock runs")
@options.common
@options.json
@click.pass_obj
def runs(session: Context, /, **given: Any) -> int:
    """List the runs of this org and the rehearsals, newest first."""
    from batchlock.cli.output import print_runs

    with options.runner(session, given) as runner:
        found = runner.runs()
    print_runs(found, as_json=given["as_json"])
    return 0


@commands.command(cls=options.Command, example="batchlock show 20260314-020304-1f3a")
@click.argument("run_id", metavar="RUN")
@options.common
@options.json
@click.pass_obj
def show(session: Context, /, run_id: str, **given: Any) -> int:
    """Show what became of RUN so far."""
    from batchlock.cli.output import print_run

    with options.runner(session, given) as runner:
        summary, output = runner.show(run_id)
    print_run(summary, output, as_json=given["as_json"])
    return 0


@commands.command(cls=options.Command, example="batchlock template locks.xlsx")
@options.file
@options.common
@click.option("--force", is_flag=True, help="Overwrite FILE if it is there.")
@click.pass_obj
def template(_: Context, /, file: Path, *, force: bool, **given: Any) -> int:
    """Write a blank input workbook to FILE, an .xlsx file."""
    from batchlock.core.rows import MODULES
    from batchlock.report.template import write_template

    if file.suffix.lower() != ".xlsx":
        raise UsageError(f"A template is an .xlsx workbook, not {file.name}.")
    if file.exists() and not force:
        raise UsageError(f"{file} is there already. Name another file, or add --force.")
    try:
        write_template(file, (*MODULES, *options.settings(given).input.custom_modules))
    except OSError as error:
        raise UsageError(f"{file} cannot be written: {error.strerror}.") from None
    echo(f"Fill in {file}, then: batchlock run {file}")
    return 0


@commands.command(cls=options.Command, example="batchlock login")
@options.common
@click.pass_obj
def login(session: Context, /, **given: Any) -> int:
    """Turn the code of a Zoho Self Client into a refresh token.

    It asks for the client id, the client secret and the code, and says where to get them.
    """
    from batchlock.cli import login as steps

    steps.login(session, options.settings(given))
    return 0


@commands.command(cls=options.Command, example="batchlock simulate --port 8899 --latency 150ms")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="0 is any free port.")
@click.option("--latency", metavar="TIME", help="Until a call is answered, such as 150ms.")
@click.option("--jitter", metavar="TIME", help="What the latency varies by, up or down.")
@click.option("--in-flight-cap", metavar="N", help="Calls under way at once; none: no cap.")
@click.option("--credits", type=int, help="What the org may spend.")
@click.option("--token-lifetime", metavar="TIME", help="How long an access token is good.")
@click.option("--retry-after", metavar="TIME", help="The wait that every 429 asks for.")
@click.option("--throttle-at", metavar="N,N", help="Which calls, from 1, are answered 429.")
@click.option("--faults", multiple=True, metavar="FAULT=SHARE", help="Such as bad_gateway=0.05.")
@click.option("--fail-from", type=int, help="From this PUT on, every call is answered 500.")
@click.option("--fail-calls", type=int, help="How many calls that lasts.")
@click.option("--seed", type=int, help="The same seed meets the same faults.")
@click.pass_obj
def simulate(session: Context, /, port: int, **given: Any) -> int:
    """Run the stand-in for Zoho on a local port, for rehearsals and tests."""
    from batchlock.cli import simulate as steps

    signals = session.signals
    shall = steps.behaviour(given)
    signals.run_async(steps.serve(shall, port=port, cancel_token=signals.cancel_token))
    session.clear_signal()
    return 0


@commands.command(cls=options.Command, example="batchlock serve --simulate")
@options.common
@options.simulate
@click.option("--host", default="127.0.0.1", metavar="ADDRESS", help="Where it listens.")
@click.option("--port", type=click.IntRange(0, 65535), default=8765, help="0 is any free port.")
@click.option("--add-user", metavar="NAME", help="Let NAME sign in, or change the password.")
@click.option("--remove-user", metavar="NAME", help="Let NAME sign in no longer.")
@click.option("--users", "list_users", is_flag=True, help="List who may sign in.")
@click.pass_obj
def serve(
    session: Context,
    /,
    *,
    host: str,
    port: int,
    add_user: str | None,
    remove_user: str | None,
    list_users: bool,
    **given: Any,
) -> int:
    """Serve a page to upload, check, run and watch, for people without a terminal.

    It listens on this machine only and prints a link that lets one person in. Once there are
    users, everybody signs in, and it may listen elsewhere.
    """
    from batchlock.cli import serve as steps

    signals = session.signals
    if add_user is not None:
        with signals.interruptible():
            steps.add_user(options.settings(given), add_user)
    elif remove_user is not None:
        steps.remove_user(options.settings(given), remove_user)
    elif list_users:
        steps.users(options.settings(given))
    else:
        steps.need_the_extra()
        with options.runner(session, given) as runner:
            page = steps.serve(
                runner.settings,
                runner.options,
                host=host,
                port=port,
                cancel_token=signals.cancel_token,
            )
            signals.run_async(page)
        session.clear_signal()
    return 0


@commands.command(cls=options.Command, example="batchlock work RUN FOLDER", hidden=True)
@click.argument("run_id", metavar="RUN")
@click.argument("folder", type=click.Path(path_type=Path))
@options.common
@click.pass_obj
def work(session: Context, /, run_id: str, folder: Path, **given: Any) -> int:
    """Bring RUN to its end for the page, which leaves word and is told in FOLDER."""
    from batchlock.cli.output import print_result
    from batchlock.web.worker import HeartbeatObserver, WorkerFolder
    from batchlock.web.worker import work as bring

    desk = WorkerFolder(folder)
    with options.runner(session, given, observer=HeartbeatObserver(desk)) as runner:
        finished = session.signals.run_async(bring(runner, run_id, desk))
    return print_result(session, finished, nothing="Nothing is left of this run.")
