"""``slo-guard send-test``: whether a receiver can be reached, tried with a message on the real path."""

from __future__ import annotations

import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import uuid4

import click

from slo_guard import logs
from slo_guard.cli.config_file import config_option
from slo_guard.cli.recorded import Seconds, ending_the_command, load_daemon, tell
from slo_guard.cli.stored import daemon_seems_to_run, open_to_write, refuse
from slo_guard.clock import iso, to_unix, utcnow
from slo_guard.domain.ports import Store
from slo_guard.loaded import Loaded
from slo_guard.notify import RECEIVERS, Courier, policy_of, trial_message, what_to_do
from slo_guard.trying import Trial, TrialOutcome, try_receiver
from slo_guard.validation import nearest

_DAEMON_LOOKS_WITHIN_SECONDS = 5.0
_DELIVERED, _NOT_DELIVERED = 0, 1


@click.command("send-test")
@click.argument("receiver")
@click.option(
    "--timeout", type=Seconds(min=1.0, max=86400.0), default=60.0, show_default=True, help="Seconds to wait for it."
)
@config_option
def send_test(*, receiver: str, timeout: float, config_path: Path) -> None:
    """Send RECEIVER a message that is marked as a test, on the path of all messages, and say what became of it.

    A daemon that runs sends it, in its turn; without one this command does. If it cannot be delivered it is taken
    back: it stands before no alert.

    Exit code 0: delivered; 1: not delivered, with the reason and what to do; 2: wrong use, or a file or a store that
    cannot be read.
    """
    loaded = load_daemon(config_path)
    options = {each.name: each for each in loaded.config.receivers}
    if receiver not in options:
        refuse(f"the config has no receiver {receiver!r}{nearest(receiver, options)}")
    logs.say_nothing()  # what happens is said below
    with ending_the_command(), closing(open_to_write(loaded)) as store:
        trial = _try(loaded, store, options[receiver], timeout)
    if trial.outcome is TrialOutcome.DELIVERED:
        tries = trial.record.attempts
        click.echo(
            f"delivered to {receiver} in {trial.seconds:.1f} s, {_by_whom(trial)}"
            + (f", at attempt {tries}" if tries > 1 else "")
        )
        sys.exit(_DELIVERED)
    tell(_why_not(receiver, trial))
    sys.exit(_NOT_DELIVERED)


def _try(loaded: Loaded, store: Store, options: Any, timeout: float) -> Trial:
    receiver = RECEIVERS[options.type].build(options)
    policy = policy_of(options)
    runs = daemon_seems_to_run(loaded, store, _now())
    try:
        return try_receiver(
            store,
            Courier(store, receiver, policy),
            trial_message(options, f"test-{uuid4().hex}", _now()),
            clock=_now,
            pause=time.sleep,
            seconds=timeout,
            daemon_has=_DAEMON_LOOKS_WITHIN_SECONDS + policy.min_interval_seconds if runs else 0.0,
        )
    finally:
        receiver.close()


def _by_whom(trial: Trial) -> str:
    return "by the daemon" if trial.by_daemon else "by this command"


def _why_not(receiver: str, trial: Trial) -> list[str]:
    lines = [f"not delivered to {receiver}: {_what_happened(trial)}"]
    if trial.error is not None:
        lines.append(f"  what to do: {what_to_do(trial.error[0])}")
    if trial.outcome in (TrialOutcome.FAILED, TrialOutcome.BEHIND_OTHERS, TrialOutcome.NOT_TAKEN):
        lines.append("  the test message was taken back")
    return lines


def _what_happened(trial: Trial) -> str:
    reason, words = trial.error or ("", "")
    match trial.outcome:
        case TrialOutcome.REFUSED:
            return f"refused for good ({reason}), {words}"
        case TrialOutcome.RECEIVER_REMOVED:
            return "the running daemon has no such receiver; reload it, so that it reads the config as it is now"
        case TrialOutcome.BEHIND_OTHERS:
            return _behind(trial)
        case TrialOutcome.NOT_TAKEN:
            return f"nothing took it within {trial.seconds:.0f} s; look at the daemon's log"
    tries = trial.record.attempts
    return f"{tries} attempt{'s' if tries != 1 else ''} {_by_whom(trial)} failed, the last by {reason}: {words}"


def _behind(trial: Trial) -> str:
    head, number = trial.ahead[0], len(trial.ahead)
    text = f"{number} message{'s' if number != 1 else ''} wait{'s' if number == 1 else ''} before it, "
    text += f"the oldest since {iso(int(head.created_at))}"
    if not head.attempts:
        return f"{text}; is the daemon running?"
    again = "" if head.next_attempt_at is None else f", to be tried again at {iso(int(head.next_attempt_at))}"
    times = "once" if head.attempts == 1 else f"{head.attempts} times, the last time"
    return f"{text}; that one failed {times} by {head.last_error}{again}"


def _now() -> float:
    return to_unix(utcnow())
