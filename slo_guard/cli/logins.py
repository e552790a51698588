"""``slo-guard hash-password`` and ``slo-guard new-token``: what a config keeps of a login, and nothing more."""

from __future__ import annotations

import sys

import click

from slo_guard.errors import UnreadableError
from slo_guard.passwords import PasswordHash, new_token, token_digest

_NAME = click.argument("name", default="NAME")
_MOST_CHARACTERS = 512


@click.command("hash-password")
@_NAME
def hash_password(name: str) -> None:
    """Ask for the password of the user NAME, or read a line of standard input, and print the lines of the config.

    A password is no argument: others on this machine can see those.
    """
    if sys.stdin.isatty():
        password = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    else:
        try:
            password = sys.stdin.readline().rstrip("\r\n")
        except UnicodeDecodeError:
            raise UnreadableError("the password on standard input is not UTF-8") from None
    if not 8 <= len(password) <= _MOST_CHARACTERS:
        raise click.UsageError(f"a password has 8 to {_MOST_CHARACTERS} characters")
    click.echo("# under server: auth: users:", err=True)
    click.echo(f'- name: {name}\n  password_hash: "{PasswordHash.of(password)}"')


@click.command("new-token")
@_NAME
def new_token_(name: str) -> None:
    """Print a new token for NAME, this once, and the lines of the config that let it in.

    The token goes to standard output, the lines to standard error: `slo-guard new-token ci > token` keeps it.
    """
    token = new_token()
    click.echo(token)
    click.echo(
        f"# Keep the token above, it is shown this once. Under server: auth: tokens:\n"
        f'- name: {name}\n  sha256: "{token_digest(token)}"',
        err=True,
    )
