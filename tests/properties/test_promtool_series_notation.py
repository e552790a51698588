"""Series are written as promtool's unit tests write them: promtool itself reads the same values."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slo_guard.replay.series_notation import parse_series, parse_values
from tests.support.promtool import promtool_major, promtool_test

pytestmark = pytest.mark.peer

numbers = st.sampled_from(["0", "1", "-2", "3.5", "1e3", ".5", "+4"])
words = st.one_of(
    numbers,
    st.just("_"),
    st.builds("_x{}".format, st.integers(1, 3)),
    st.builds(
        "{}{}{}x{}".format, numbers, st.sampled_from("+-"), st.sampled_from(["1", "2.5", "10"]), st.integers(0, 4)
    ),
    st.builds("{}x{}".format, numbers, st.integers(0, 4)),
)


@settings(max_examples=6)
@given(texts=st.lists(st.lists(words, min_size=1, max_size=6).map(" ".join), min_size=5, max_size=10))
def test_promtool_reads_the_same_values(texts: list[str], tmp_path_factory: pytest.TempPathFactory) -> None:
    """Tests that are copied from Prometheus's mean here what they meant there."""
    promtool_major()
    folder = tmp_path_factory.mktemp("notation")
    case = {
        "interval": "10m",  # beyond the look-back of 5m, so that a gap shows
        "input_series": [{"series": f'm{number}{{a="b"}}', "values": text} for number, text in enumerate(texts)],
        "promql_expr_test": [
            {
                "expr": f"m{number}",
                "eval_time": f"{10 * step}m",
                "exp_samples": [] if value is None else [{"labels": f'm{number}{{a="b"}}', "value": value}],
            }
            for number, text in enumerate(texts)
            for step, value in enumerate((*parse_values(text), None))
        ],
    }

    answer = promtool_test(folder, [], case, "10m")

    assert answer.returncode == 0, answer.stdout + answer.stderr


def test_a_series_is_its_name_and_its_labels() -> None:
    """Labels are compared as the sources give them."""
    assert parse_series('up{job="a b", x="\\"q\\""}') == ("up", (("job", "a b"), ("x", '"q"')))
    assert parse_series("up") == ("up", ())
