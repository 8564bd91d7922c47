"""The commands of the sign-in: `batchlock login` and `batchlock logout`."""

from pathlib import Path
from typing import NamedTuple

import click

from batchlock.cli.context import Context
from batchlock.cli.options import (
    Command,
    CommandOptions,
    collected,
    common_options,
    json_option,
    org_option,
    path_type,
)
from batchlock.core.errors import UsageError


class LoginOptions(NamedTuple):
    """The options that only `batchlock login` has; None: not typed."""

    client_credentials: bool
    self_client: bool
    file: Path | None
    data_center: str | None
    environment: str | None
    organization_id: str | None
    keyring: bool
    ask: bool

    @property
    def values(self) -> dict[tuple[str, ...], str]:
        """The settings that are options, by path."""
        names = ("data_center", "environment", "organization_id")
        typed = {("zoho", name): getattr(self, name) for name in names}
        return {path: value for path, value in typed.items() if value is not None}


@click.command(cls=Command, example="batchlock login --data-center eu")
@click.option(
    "--client-credentials",
    is_flag=True,
    help="Sign in with client id and secret alone, which suits cron: nothing has to be renewed.",
)
@click.option(
    "--self-client", is_flag=True, help="With a code that you generate at Zoho's API console."
)
@click.option(
    "--from",
    "file",
    type=path_type,
    metavar="FILE",
    help="With the sdk_tokens.txt of Zoho's SDK, or a .env with ZOHO_CLIENT_ID, "
    "ZOHO_CLIENT_SECRET and ZOHO_REFRESH_TOKEN.",
)
@click.option("--data-center", metavar="DC", help="Such as us or eu, as in your CRM's address.")
@click.option("--environment", metavar="KIND", help="production, sandbox or developer.")
@click.option(
    "--organization-id", metavar="ID", help="The number of the org; another one is refused."
)
@click.option("--keyring", is_flag=True, help="Keep the secrets in the system's keyring.")
@click.option("--ask", is_flag=True, help="Ask for client id and secret, also when they are set.")
@click.option("--status", is_flag=True, help="Change nothing; say how the sign-in stands.")
@click.option("--yes", is_flag=True, help="Change the configuration without a question.")
@common_options
@org_option
@json_option
@collected(LoginOptions, CommandOptions)
def login(context: Context, new: LoginOptions, options: CommandOptions, *, status: bool) -> int:
    """Sign in to Zoho, so that every other command works.

    It asks for client id and secret, shows a short code that you accept in any browser, tries the
    sign-in, stores the secrets in files that only you can read, and puts the rest into the
    configuration, which it makes if there is none. With --org, the store keeps it all. No secret
    is ever an option: it is asked for, or comes from the settings.

    --status exits with 0 when the sign-in works, 5 when a person must act, 2 for a wrong setting,
    and 6 when Zoho gives no answer.
    """
    if status:
        from batchlock.cli.login_status import print_status

        return print_status(context, options)
    if options.as_json:
        raise UsageError("--json belongs to --status. Add it, or leave --json out.")
    from batchlock.cli.login import login as sign_in

    return sign_in(context, options, new)


@click.command(cls=Command, example="batchlock logout")
@click.option(
    "--local", is_flag=True, help="Remove it here only; it stays valid at Zoho, for other programs."
)
@click.option("--yes", is_flag=True, help="Do it without a question.")
@common_options
@org_option
@collected(CommandOptions)
def logout(context: Context, options: CommandOptions, *, local: bool) -> int:
    """Revoke the sign-in at Zoho, and remove its token and secrets from this machine.

    What it did not make itself, such as a variable of the environment, it names and leaves. While
    Zoho gives no answer, nothing is removed.
    """
    from batchlock.cli.logout import logout as sign_out

    return sign_out(context, options, is_local=local)
