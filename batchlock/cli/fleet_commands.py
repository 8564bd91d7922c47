"""The commands of many orgs on many machines."""

import click

from batchlock.cli.context import Context
from batchlock.cli.options import Command, CommandOptions, collected, common_options
from batchlock.cli.runner import load_settings
from batchlock.cli.streams import echo_error


@click.command(cls=Command, example="batchlock worker --orgs-at-once 50")
@common_options
@click.option("--orgs-at-once", metavar="N", help="The most orgs whose runs are sent at once.")
@collected(CommandOptions)
def worker(context: Context, options: CommandOptions, *, orgs_at_once: str | None) -> int:
    """Send the runs of all orgs that wait in the database of the setting `database`.

    Any number of workers may run, on any machines. SIGTERM or Ctrl-C lets the calls in flight
    finish and gives all runs back, for other workers to go on with them at once.
    """
    from batchlock.cli.json_log import json_line
    from batchlock.cli.logs import log_to
    from batchlock.store.store import Store

    settings = load_settings(options, {("worker", "orgs_at_once"): orgs_at_once})
    context.state_folder, context.logs_json = settings.state, settings.log.format == "json"
    signals = context.signals
    with (
        log_to(
            settings.state,
            verbose=options.verbose,
            quiet=options.quiet,
            is_json=context.logs_json,
        ),
        Store(settings.state, settings.database_url) as store,
    ):
        # Only now, since the store says which packages are missing.
        from batchlock.fleet.worker import Worker

        process = Worker(settings, store)
        cancel_token = signals.cancel_token

        def stop() -> None:
            assert cancel_token.reason is not None
            process.stop(cancel_token.reason)

        async def work() -> None:
            cancel_token.add_callback(stop)
            await process.run()

        sentence = f"Worker {process.name} takes runs. Stop it with Ctrl-C."
        if context.logs_json:
            sentence = json_line(sentence, level="info", event="worker.started")
        echo_error(sentence)
        signals.run_async(work())
    context.clear_signal()
    return 0
