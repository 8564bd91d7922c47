"""The commands of the web page: `batchlock serve`, and `batchlock work` for one of its runs."""

import click

from batchlock.cli.context import Context
from batchlock.cli.options import (
    Command,
    CommandOptions,
    ServeOptions,
    collected,
    common_options,
    org_option,
    run_argument,
    simulate_option,
)
from batchlock.cli.runner import load_settings, open_engine


@click.command(cls=Command, example="batchlock serve --simulate")
@common_options
@org_option
@simulate_option
@click.option("--host", default="127.0.0.1", metavar="ADDRESS", help="The address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8765, help="0 is any free port.")
@click.option("--add-user", metavar="NAME", help="Let NAME sign in, or change the password.")
@click.option("--remove-user", metavar="NAME", help="Remove NAME from those who may sign in.")
@click.option("--users", "list_users", is_flag=True, help="List who may sign in, and for what.")
@click.option(
    "--grant",
    metavar="NAME=ORG[:ROLE]",
    help="Let NAME see ORG (* is every org), as viewer, preparer, sender or administrator.",
)
@click.option("--revoke", metavar="NAME=ORG", help="Take the right to see ORG from NAME.")
@collected(CommandOptions, ServeOptions)
def serve(context: Context, options: CommandOptions, page: ServeOptions) -> int:
    """Serve a page to upload, check, run and watch, for people without a terminal.

    It listens on this machine only and prints a link that lets one person in. Once there are
    users, everybody signs in, and it may listen on other addresses.
    """
    from batchlock.cli import serve as steps

    signals = context.signals
    if page.add_user is not None:
        steps.require_web_extra()
        with signals.interruptible():
            steps.add_user(load_settings(options), page.add_user)
    elif page.remove_user is not None:
        steps.remove_user(load_settings(options), page.remove_user)
    elif page.grant is not None:
        steps.grant(load_settings(options), page.grant)
    elif page.revoke is not None:
        steps.revoke(load_settings(options), page.revoke)
    elif page.list_users:
        steps.list_users(load_settings(options))
    else:
        steps.require_web_extra()
        with open_engine(context, options) as engine:
            serving = steps.serve(
                engine.settings,
                engine.options,
                host=page.host,
                port=page.port,
                cancel_token=signals.cancel_token,
            )
            signals.run_async(serving)
        context.clear_signal()
    return 0


@click.command(cls=Command, example="batchlock work RUN", hidden=True)
@run_argument
@common_options
@org_option
@collected(CommandOptions)
def work(context: Context, options: CommandOptions, *, run_id: str) -> int:
    """Send RUN for the web page, if it still waits in the queue."""
    from batchlock.cli.output import print_result
    from batchlock.web.worker import work as send_run

    with open_engine(context, options) as engine:
        try:
            result = context.signals.run_async(send_run(engine, run_id))
        finally:
            if context.notices is not None:
                context.notices.follow_page_run(engine.store.runs.get(run_id))
    return print_result(context, result, nothing="The run does not wait any more.")
