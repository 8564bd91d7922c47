"""The command `batchlock doctor`, and what it prints."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from batchlock.cli.context import Context
from batchlock.cli.options import (
    Command,
    CommandOptions,
    any_path_type,
    collected,
    json_option,
    org_option,
    overwrite_option,
    path_type,
)
from batchlock.cli.streams import echo
from batchlock.core.errors import UsageError

if TYPE_CHECKING:
    from batchlock.doctor.checks import Check, Diagnosis


class DoctorOptions(NamedTuple):
    """The options that only `batchlock doctor` has."""

    inbox: Path | None = None
    offline: bool = False
    notify: bool = False
    bundle: Path | None = None


# A state and two spaces: `doubtful  `.
_STATE_WIDTH = 10
_INDENT = 2


@click.command(cls=Command, example="batchlock doctor")
@click.option(
    "-c", "--config", type=any_path_type, help="The configuration; see config.example.yaml."
)
@org_option
@click.option(
    "--inbox",
    type=any_path_type,
    metavar="FOLDER",
    help="Check this folder for `batchlock inbox`, too.",
)
@click.option("--offline", is_flag=True, help="Check nothing that needs the network.")
@click.option("--notify", is_flag=True, help="Send a test to every place that notices go to.")
@click.option(
    "--bundle",
    type=path_type,
    metavar="FILE.zip",
    help="Write a file for a bug report, without secrets, ids, names and reasons.",
)
@overwrite_option
@click.option("-q", "--quiet", is_flag=True, help="Show only what is bad or doubtful.")
@json_option
@collected(DoctorOptions, CommandOptions)
def doctor(context: Context, only: DoctorOptions, options: CommandOptions) -> int:
    """Check everything that a run depends on; nothing is changed.

    Each line is good, doubtful or bad, and says what to do. Exit code 0: nothing is bad; 2:
    configuration, a folder or the store is; 5: Zoho does not take the sign-in; 6: Zoho cannot be
    reached.
    """
    from contextlib import ExitStack

    from batchlock.core.cancel import until_cancelled
    from batchlock.doctor.examination import Request, examine

    if only.bundle is not None and only.bundle.suffix.lower() != ".zip":
        raise UsageError(f"{only.bundle}: a bundle is a .zip file. Let its name end in .zip.")
    if only.offline and only.notify:
        raise UsageError("--notify sends a test, which --offline forbids. Leave one of them out.")
    request = Request(
        config=options.config,
        org=options.org,
        inbox=only.inbox,
        offline=only.offline,
        notify=only.notify,
    )
    signals = context.signals
    with ExitStack() as stack:
        diagnosis, findings = signals.run_async(
            until_cancelled(examine(request, stack), signals.cancel_token)
        )
        if only.bundle is not None:
            from batchlock.doctor.bundle import write_bundle

            write_bundle(
                only.bundle,
                diagnosis,
                findings.configuration,
                findings.settings,
                findings.view,
                overwrite=options.overwrite,
            )
    return print_diagnosis(context, diagnosis, only.bundle, quiet=options.quiet)


def print_diagnosis(
    context: Context, diagnosis: "Diagnosis", bundle: Path | None, *, quiet: bool
) -> int:
    """Print all checks by group; return the exit code. With `quiet` only what is not good."""
    import json

    from batchlock.cli.wrapping import indented, width_of
    from batchlock.doctor.as_json import doctor_json
    from batchlock.doctor.checks import State

    code = context.exit_code(diagnosis.exit_code)
    if context.as_json:
        echo(json.dumps(doctor_json(diagnosis, exit_code=code, bundle=bundle)))
        return code
    width = width_of(sys.stdout)
    group = None
    for check in diagnosis.checks:
        if quiet and check.state in (State.GOOD, State.SKIPPED):
            continue
        if check.group is not group:
            if group is not None:
                echo("")
            group = check.group
            echo(group.heading)
        for line in _lines(check, width):
            echo(line)
    if group is not None:
        echo("")
    echo(indented(diagnosis.sentence, width, 0))
    if bundle is not None:
        echo(f"For a bug report: {bundle}. Look at it before you send it to somebody.")
    return code


def _lines(check: "Check", width: int | None) -> list[str]:
    from batchlock.cli.wrapping import indented, on_one_line
    from batchlock.doctor.checks import State

    state = "BAD" if check.state is State.BAD else check.state.value
    indent = _INDENT + _STATE_WIDTH
    lines = [
        " " * _INDENT
        + state.ljust(_STATE_WIDTH)
        + indented(on_one_line(check.message), width, indent)
    ]
    if check.what_to_do:
        what_to_do = indented(on_one_line(check.what_to_do), width, indent)
        lines.append(" " * indent + what_to_do)
    return lines
