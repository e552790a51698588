"""The commands."""

from __future__ import annotations

import importlib
import os
import signal
import sys
from types import MappingProxyType

import click

from slo_guard import __version__
from slo_guard.errors import SloGuardError, UnreadableError

_COMMANDS = MappingProxyType(
    {
        "run": ("slo_guard.cli.run", "run"),
        "demo": ("slo_guard.cli.demo", "demo"),
        "check": ("slo_guard.cli.check", "check"),
        "eval": ("slo_guard.cli.eval", "eval_"),
        "backtest": ("slo_guard.cli.backtest", "backtest"),
        "explain": ("slo_guard.cli.explain", "explain"),
        "gate": ("slo_guard.cli.gate", "gate"),
        "send-test": ("slo_guard.cli.send_test", "send_test"),
        "deliveries": ("slo_guard.cli.deliveries", "deliveries"),
        "test": ("slo_guard.cli.test", "test"),
        "status": ("slo_guard.cli.status", "status"),
        "store": ("slo_guard.cli.store", "store"),
        "silence": ("slo_guard.cli.silence", "silence"),
        "ack": ("slo_guard.cli.ack", "ack"),
        "schema": ("slo_guard.cli.schema", "schema"),
        "sign": ("slo_guard.cli.sign", "sign"),
        "sprint": ("slo_guard.cli.sprint", "sprint"),
        "hash-password": ("slo_guard.cli.logins", "hash_password"),
        "new-token": ("slo_guard.cli.logins", "new_token_"),
    }
)


class _LazyGroup(click.Group):
    """Imports a command when it is called for, so that ``check`` does not wait for a web server's imports."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        if cmd_name not in _COMMANDS:
            return None
        if cmd_name == "run":
            # Asked to reload while its modules load, the daemon must not end: it reads the files after that anyway.
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
        module, name = _COMMANDS[cmd_name]
        command = getattr(importlib.import_module(module), name)
        assert isinstance(command, click.Command)
        return command


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="slo-guard")
def group() -> None:
    """Guard a sprint's KPIs and SLOs: collect, judge, show to Prometheus, tell Slack."""


def main() -> None:
    """Run the command line; errors that users can cause end in one clear message, never in a traceback."""
    try:
        group(prog_name="slo-guard")
    except UnreadableError as error:
        _leave(str(error), 2)
    except SloGuardError as error:
        _leave(str(error), 1)
    except BrokenPipeError:
        # The reader of a pipe (head, less) went away: that is no error of ours.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)


def _leave(message: str, code: int) -> None:
    click.echo(message, err=True)
    sys.exit(code)
