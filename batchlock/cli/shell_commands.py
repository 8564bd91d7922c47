"""The command for the shell in which the others are typed: `batchlock completion`."""

import click

from batchlock.cli.context import Context
from batchlock.cli.options import Command, collected

SHELLS = ("bash", "zsh", "fish")
# A paragraph that begins with `\b` is not wrapped.
_INSTALLATION = """\b
bash, with the package bash-completion:
  batchlock completion bash > ~/.local/share/bash-completion/completions/batchlock
zsh, into a folder of $fpath:
  batchlock completion zsh > ~/.zfunc/_batchlock
fish:
  batchlock completion fish > ~/.config/fish/completions/batchlock.fish

Then open a new terminal. With a PostgreSQL database, runs and orgs are not completed.
"""


@click.command(cls=Command, example="batchlock completion bash", epilog=_INSTALLATION)
@click.argument("shell", type=click.Choice(SHELLS))
@collected()
def completion(_: Context, *, shell: str) -> int:
    """Print what a shell needs to complete commands, options, files, runs and orgs.

    It needs bash 4.4, zsh or fish 3. Put it where the shell looks for it:
    """
    from click.shell_completion import get_completion_class

    from batchlock.cli.streams import echo

    kind = get_completion_class(shell)
    assert kind is not None  # click knows each of SHELLS
    root = click.get_current_context().find_root().command
    # click derives the name of this variable from that of the program when it answers the shell.
    echo(kind(root, {}, "batchlock", "_BATCHLOCK_COMPLETE").source())
    return 0
