"""What it costs to read 100,000 series, beside what others would pay: run as a script, prints a table.

CPU time, since nothing here waits; ratios carry over to other machines, absolute times do not. Each figure is the
median of several rounds, in which the numbers change and the series do not, as in a daemon's life.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Callable, Sequence
from statistics import median
from time import process_time

import orjson
from prometheus_client.parser import text_string_to_metric_families

from slo_guard.collect.exposition import PageParser
from slo_guard.collect.prometheus_answer import VectorParser


def answers(series: int, rounds: int) -> list[bytes]:
    """Return answers of a query API, one a round."""
    made = []
    for number in range(rounds):
        draw = random.Random(number)
        rows = ",".join(
            f'{{"metric":{{"__name__":"ga_e2e_p95","system":"fs","tenant":"tenant-{row:06d}"}},'
            f'"value":[{1_784_196_000 + number}.781,"{draw.random()!r}"]}}'
            for row in range(series)
        )
        made.append(f'{{"status":"success","data":{{"resultType":"vector","result":[{rows}]}}}}'.encode())
    return made


def pages(series: int, rounds: int) -> list[bytes]:
    """Return metrics pages, one a round."""
    made = []
    for number in range(rounds):
        draw = random.Random(number)
        lines = "\n".join(
            f'ga_e2e_p95{{system="fs",tenant="tenant-{row:06d}"}} {draw.random()!r}' for row in range(series)
        )
        made.append(f"# HELP ga_e2e_p95 Latency.\n# TYPE ga_e2e_p95 gauge\n{lines}\n".encode())
    return made


def plain_vector(body: bytes) -> dict[tuple[tuple[str, str], ...], float]:
    """Read an answer as one would without caring: dictionaries and a sorted key for each series."""
    result = orjson.loads(body)["data"]["result"]
    return {tuple(sorted(item["metric"].items())): float(item["value"][1]) for item in result}


def plain_page(body: bytes) -> list[object]:
    """Read a page with the client library."""
    return [sample for family in text_string_to_metric_families(body.decode()) for sample in family.samples]


def timed(parse: Callable[[bytes], object], bodies: Sequence[bytes]) -> list[float]:
    """Return the CPU seconds that each body took."""
    seconds = []
    for body in bodies:
        started = process_time()
        parse(body)
        seconds.append(process_time() - started)
    return seconds


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--series", type=int, default=100_000)
    arguments.add_argument("--rounds", type=int, default=7)
    chosen = arguments.parse_args()
    print(f"{chosen.series} series, median of {chosen.rounds} rounds")
    page_parser = PageParser(["ga_e2e_p95"])
    cases: list[tuple[str, list[bytes], Callable[[bytes], object], str, Callable[[bytes], object], int]] = [
        (
            "query answer",
            answers(chosen.series, chosen.rounds),
            VectorParser().parse,
            "orjson and dicts",
            plain_vector,
            7,
        ),
        (
            "metrics page",
            pages(chosen.series, chosen.rounds),
            lambda body: page_parser.parse(body, openmetrics=False),
            "prometheus_client",
            plain_page,
            2,
        ),
    ]
    for name, bodies, ours, other, theirs, their_rounds in cases:
        cold, *warm = timed(ours, bodies)
        beside = median(timed(theirs, bodies[:their_rounds]))
        print(
            f"{name} ({len(bodies[0]) / 1e6:.1f} MB): cold {cold * 1e3:.0f} ms, warm {median(warm) * 1e3:.0f} ms; "
            f"{other} {beside * 1e3:.0f} ms, {beside / cold:.1f} and {beside / median(warm):.1f} times as long"
        )


if __name__ == "__main__":
    main()
