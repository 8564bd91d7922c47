"""The commands about the orgs in the store: `batchlock orgs`."""

from pathlib import Path
from typing import NamedTuple

import click

from batchlock.cli import completion
from batchlock.cli.context import Context
from batchlock.cli.options import (
    Command,
    CommandOptions,
    Group,
    collected,
    common_options,
    json_option,
    path_type,
)
from batchlock.core.errors import UsageError


class AddOptions(NamedTuple):
    """The options of `batchlock orgs add`; None: not typed."""

    data_center: str | None
    environment: str | None
    organization_id: str | None
    api_url: str | None
    accounts_url: str | None
    max_in_flight: str | None
    four_eyes: bool | None
    settings: tuple[str, ...]
    """Each as SECTION.KEY=VALUE."""
    from_config: bool
    client_id: str | None
    client_secret_file: Path | None
    refresh_token_file: Path | None
    ask_token: bool
    client_credentials: bool
    self_client: bool
    keep_sign_in: bool
    no_test: bool
    update: bool


_name_argument = click.argument("name", metavar="NAME", shell_complete=completion.org_names)
_update_option = click.option(
    "--update", is_flag=True, help="Change an org that is there; what is not named stays."
)


@click.group(cls=Group, example="batchlock orgs add acme --data-center eu")
def orgs() -> None:
    """Keep the settings and sign-ins of several orgs in the store, for the option --org."""


@orgs.command(cls=Command, example="batchlock orgs add acme --data-center eu")
@_name_argument
@click.option("--data-center", metavar="DC", help="Such as us or eu, as zoho.data_center.")
@click.option("--environment", metavar="KIND", help="production, sandbox or developer.")
@click.option("--organization-id", metavar="ID", help="The id of the org in Zoho.")
@click.option("--api-url", metavar="URL", help="The address of the API.")
@click.option("--accounts-url", metavar="URL", help="The address of the token endpoint.")
@click.option("--max-in-flight", metavar="N", help="The most calls in flight at once.")
@click.option(
    "--four-eyes/--no-four-eyes",
    default=None,
    help="Whether another person must approve each start on the page; else web.four_eyes.",
)
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="SECTION.KEY=VALUE",
    help="Another setting of this org, such as limits.keep_credits=500; may be repeated.",
)
@click.option(
    "--from-config", is_flag=True, help="Take the section zoho of the configuration over."
)
@click.option(
    "--client-credentials", is_flag=True, help="A sign-in with client id and secret alone."
)
@click.option("--self-client", is_flag=True, help="A sign-in with a code of Zoho's API console.")
@click.option("--client-id", metavar="ID", help="Instead of a question.")
@click.option("--client-secret-file", type=path_type, help="A file with it, for no question.")
@click.option("--refresh-token-file", type=path_type, help="A file with it, for no question.")
@click.option("--ask-token", is_flag=True, help="Ask for a refresh token instead of a code.")
@click.option(
    "--keep-sign-in", is_flag=True, help="With --update: ask for nothing, change the settings."
)
@click.option("--no-test", is_flag=True, help="Store it without a call to Zoho.")
@_update_option
@common_options
@collected(AddOptions, CommandOptions)
def add(context: Context, new: AddOptions, options: CommandOptions, *, name: str) -> int:
    """Add the org NAME to the store, with its settings and its sign-in.

    It asks for the sign-in as `batchlock login` does. The secrets are sealed with the key of the
    setting `secrets`; on one machine that key is made in the state folder.
    """
    from batchlock.cli import orgs as steps

    return steps.add(context, options, new, name)


@orgs.command("list", cls=Command, example="batchlock orgs list")
@common_options
@json_option
@collected(CommandOptions)
def list_orgs(context: Context, options: CommandOptions) -> int:
    """List the orgs in the store, with what Zoho has said about each."""
    from batchlock.cli import orgs as steps

    return steps.list_orgs(context, options)


@orgs.command(cls=Command, example="batchlock orgs test --all")
@click.argument("name", metavar="[NAME]", required=False, shell_complete=completion.org_names)
@click.option("--all", "all_orgs", is_flag=True, help="Every org that is not disabled.")
@common_options
@collected(CommandOptions)
def test(context: Context, options: CommandOptions, *, name: str | None, all_orgs: bool) -> int:
    """Sign in to NAME, or to all orgs, and ask Zoho which org it is; nothing is changed.

    Exit code 5: a sign-in is refused or belongs to another org. Exit code 3: Zoho gave no answer.
    """
    from batchlock.cli import orgs as steps

    if (name is None) is not all_orgs:
        raise UsageError("Name one org, or all with --all.")
    return steps.test(context, options, name)


@orgs.command(cls=Command, example="batchlock orgs disable acme")
@_name_argument
@common_options
@collected(CommandOptions)
def disable(_: Context, options: CommandOptions, *, name: str) -> int:
    """Send nothing to NAME any more, until it is enabled again."""
    from batchlock.cli import orgs as steps

    return steps.set_disabled(options, name, disabled=True)


@orgs.command(cls=Command, example="batchlock orgs enable acme")
@_name_argument
@common_options
@collected(CommandOptions)
def enable(_: Context, options: CommandOptions, *, name: str) -> int:
    """Allow to send to NAME again."""
    from batchlock.cli import orgs as steps

    return steps.set_disabled(options, name, disabled=False)


@orgs.command(cls=Command, example="batchlock orgs remove acme")
@_name_argument
@click.option("--yes", is_flag=True, help="Remove it also when it has unfinished runs.")
@common_options
@collected(CommandOptions)
def remove(_: Context, options: CommandOptions, *, name: str) -> int:
    """Remove NAME with its sign-in, its schedules and the rights on it; its runs stay."""
    from batchlock.cli import orgs as steps

    return steps.remove(options, name)


@orgs.command("import", cls=Command, example="batchlock orgs import orgs.csv")
@click.argument("file", type=path_type)
@_update_option
@common_options
@collected(CommandOptions)
def import_orgs(_: Context, options: CommandOptions, *, file: Path, update: bool) -> int:
    """Add the orgs of a spreadsheet, one a row; with any problem, none is added.

    The columns: name, data_center, environment, api_url, accounts_url, client_id, client_secret,
    refresh_token, organization_id, grant, max_in_flight, four_eyes.
    """
    from batchlock.cli import orgs as steps

    return steps.import_orgs(options, file, update=update)


@orgs.command(cls=Command, example="batchlock orgs reseal")
@common_options
@collected(CommandOptions)
def reseal(_: Context, options: CommandOptions) -> int:
    """Seal every secret with the first key of the setting `secrets`.

    To replace a key: put the new one before it, reseal, then remove the old one.
    """
    from batchlock.cli import orgs as steps

    return steps.reseal(options)


@orgs.command("new-key", cls=Command, example="batchlock orgs new-key")
@collected()
def new_key(_: Context) -> int:
    """Print a new random key for the setting `secrets`."""
    from batchlock.cli.streams import echo
    from batchlock.store.sealing import new_key as random_key

    echo(random_key())
    return 0
