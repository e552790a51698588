"""The commands."""

from __future__ import annotations

import errno
import importlib
import os
import signal
import sys
from pathlib import Path
from types import MappingProxyType

import click

from slo_guard import __version__
from slo_guard.errors import SloGuardError, UnreadableError

_COMMANDS = MappingProxyType(
    {
        "run": ("slo_guard.cli.run", "run", "The daemon, until SIGTERM or Ctrl-C."),
        "demo": ("slo_guard.cli.demo", "demo", "The daemon on a simulated Mission Control."),
        "status": ("slo_guard.cli.status", "status", "How the sprint stands, in the terminal."),
        "explain": ("slo_guard.cli.explain", "explain", "Why a verdict is what it is."),
        "gate": ("slo_guard.cli.gate", "gate", "Go or no-go of a sprint."),
        "sign": ("slo_guard.cli.sign", "sign", "Record that evidence is there."),
        "silence": ("slo_guard.cli.silence", "silence", "Keep the messages of alerts back for a while."),
        "ack": ("slo_guard.cli.ack", "ack", "Say that you have an alert in hand."),
        "deliveries": ("slo_guard.cli.deliveries", "deliveries", "Who was told what; dead letters sent again."),
        "send-test": ("slo_guard.cli.send_test", "send_test", "A marked message on the real path."),
        "check": ("slo_guard.cli.check", "check", "Every mistake of config and rules."),
        "test": ("slo_guard.cli.test", "test", "Unit tests of rules."),
        "eval": ("slo_guard.cli.eval", "eval_", "The verdicts at an instant, from samples."),
        "backtest": ("slo_guard.cli.backtest", "backtest", "The alerts that would have fired."),
        "sprint": ("slo_guard.cli.sprint", "sprint", "Prepare the next sprint."),
        "schema": ("slo_guard.cli.schema", "schema", "JSON Schema, or tables of all fields."),
        "store": ("slo_guard.cli.store", "store", "Copy, check or look into the store."),
        "hash-password": ("slo_guard.cli.logins", "hash_password", "A password's hash, for server.auth.users."),
        "new-token": ("slo_guard.cli.logins", "new_token_", "A token and its digest, for server.auth.tokens."),
    }
)


_OUTPUT_GONE = frozenset({errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.EFBIG})


class _LazyGroup(click.Group):
    """Imports a command when it is called for, so that ``check`` does not wait for a web server's imports."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(_COMMANDS)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - as above
        """List the commands with their lines of the table: nothing is imported, and nothing is cut off."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, words) for name, (_, _, words) in _COMMANDS.items()])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        if cmd_name not in _COMMANDS:
            return None
        if cmd_name == "run":
            # Asked to reload while its modules load, the daemon must not end: it reads the files after that anyway.
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
        module, name, _ = _COMMANDS[cmd_name]
        command = getattr(importlib.import_module(module), name)
        assert isinstance(command, click.Command)
        return command


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="slo-guard")
def group() -> None:
    """Guard a sprint's KPIs and SLOs: collect, judge, show to Prometheus, tell Slack."""


def main() -> None:
    """Run the command line; errors that users can cause end in one clear message, never in a traceback."""
    if sys.stdout is None:  # closed by whoever called: then nobody wants it
        sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - for as long as the process runs
    try:
        group(prog_name="slo-guard")
    except UnreadableError as error:
        _leave(str(error), 2)
    except SloGuardError as error:
        _leave(str(error), 1)
    except BrokenPipeError:
        # The reader of a pipe (head, less) went away: that is no error of ours.
        _write_nowhere()
        sys.exit(0)
    except OSError as error:
        if error.errno not in _OUTPUT_GONE or error.filename is not None:
            raise
        _write_nowhere()
        _leave(f"standard output cannot be written: {error.strerror}", 1)


def _write_nowhere() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _leave(message: str, code: int) -> None:
    click.echo(message, err=True)
    sys.exit(code)
