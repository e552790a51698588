"""The jobs of a config, stepped by hand in simulated time instead of by the scheduler."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from slo_guard.collect import COLLECTORS
from slo_guard.demo.stepper import JobStepper, SimulatedClock
from slo_guard.loaded import Loaded, past_wanted
from slo_guard.notify import RECEIVERS, policy_of, route_of
from slo_guard.store import open_store


@contextmanager
def stepping(loaded: Loaded, clock: SimulatedClock) -> Iterator[JobStepper]:
    """Give a stepper over the store, collectors and receivers of ``loaded``, and close them at the end.

    It goes on where the store says, as a daemon does after a restart. Raises ``StartError`` or ``StoreError``.
    """
    config, plan = loaded.config, loaded.plan
    with ExitStack() as stack:
        store = open_store(config.store.path, retention_seconds=config.store.retention, max_bytes=config.store.max_size)
        stack.callback(store.close)
        collectors = [
            COLLECTORS[options.type].build(options, past_wanted(options.specs(), plan, clock()))
            for options in config.collectors
        ]
        receivers = [
            (RECEIVERS[options.type].build(options), policy_of(options), route_of(options))
            for options in config.receivers
        ]
        for collector in collectors:
            stack.callback(collector.close)
        for receiver, _, _ in receivers:
            stack.callback(receiver.close)
        yield JobStepper(plan, store, collectors, receivers, clock)
