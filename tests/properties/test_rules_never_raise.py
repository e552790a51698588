"""Whatever stands in a rule file or a config, loading gives findings and never raises."""

from __future__ import annotations

from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from slo_guard.collect import COLLECTORS
from slo_guard.config import load_config
from slo_guard.notify import RECEIVERS
from slo_guard.rulebook import load_rules
from tests.support.rule_files import SPRINT

ROOT = Path(__file__).parents[2]
LANE = (ROOT / "rules" / "sprint-40" / "ga-ops.yaml").read_text()
CONFIG = (ROOT / "config" / "slo-guard.yaml").read_text()
TYPES = (
    {name: kind.options for name, kind in COLLECTORS.items()},
    {name: kind.options for name, kind in RECEIVERS.items()},
)
ODD = (
    *("null", "[]", "{}", "5", "-1", "1e400", "true", "~", "\t", "\n", "- ", ": ", ">= 2", "!x", "*a", "&a [*a]"),
    *("2026-13-45", "9999-12-31", "0s", "99999999999999999999d", "{{", "sprint_end", "{is: true}", "ratio over 5m"),
    *("{at_most: .inf}", "0001-01-01T00:00", "9999-12-31T23:59", "{bad: a, total: a}", "1" * 400, "\x00", "\ud800"),
)
PIECES = st.one_of(st.text(max_size=12), st.sampled_from(ODD))
ALL = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@st.composite
def mutations(draw, text: str) -> str:
    """Draw ``text`` with values, lines or spans of it replaced by something else."""
    for _ in range(draw(st.integers(1, 4))):
        piece = draw(PIECES)
        lines = text.split("\n")
        at = draw(st.integers(0, len(lines) - 1))
        match draw(st.sampled_from(["value", "line", "span", "cut", "twice"])):
            case "value" if ":" in lines[at]:
                lines[at] = lines[at].split(":", 1)[0] + ": " + piece
            case "line":
                lines[at] = piece
            case "span":
                begin = draw(st.integers(0, len(lines[at])))
                lines[at] = lines[at][:begin] + piece + lines[at][begin + draw(st.integers(0, 5)) :]
            case "cut":
                del lines[at]
            case _:
                lines.insert(at, lines[at])
        text = "\n".join(lines)
    return text


def written(path: Path, text: str) -> Path:
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    return path


@ALL
@given(st.one_of(st.text(max_size=200), mutations(LANE)))
def test_a_lane_never_raises(tmp_path, text):
    """A reload must survive every file that an editor can save."""
    written(tmp_path / "sprint.yaml", SPRINT)
    written(tmp_path / "lane.yaml", text)

    loaded = load_rules([tmp_path], None)

    assert (loaded.plan is None) == any(finding.severity == "error" for finding in loaded.findings)


@ALL
@given(mutations(LANE), st.data())
def test_a_lane_never_raises_with_known_indicators(tmp_path, text, data):
    """Types and units come from elsewhere then."""
    written(tmp_path / "sprint.yaml", data.draw(mutations(SPRINT)))
    written(tmp_path / "lane.yaml", text)
    known = load_config(ROOT / "config" / "slo-guard.yaml", *TYPES).indicators

    loaded = load_rules([tmp_path], known)

    assert (loaded.plan is None) == any(finding.severity == "error" for finding in loaded.findings)


@ALL
@given(st.one_of(st.text(max_size=200), mutations(CONFIG)))
def test_a_config_never_raises(tmp_path, text):
    """The same for the config."""
    loaded = load_config(written(tmp_path / "slo-guard.yaml", text), *TYPES)

    assert (loaded.config is None) == any(finding.severity == "error" for finding in loaded.findings)
