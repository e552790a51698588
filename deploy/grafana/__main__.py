"""``python -m deploy.grafana``: write the dashboards that are committed, or one of a team's own rules.

python -m deploy.grafana                                  # what `make dashboard` does
python -m deploy.grafana --config slo-guard.yaml --uid my-team --title "My team" --out my-team.json
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from deploy.grafana.dashboard import ANY_UID, SPRINT_UID, as_json, of_any_rules, of_rules
from slo_guard.domain.builtin import COLLECTOR_UP
from slo_guard.domain.kpi import KPI
from slo_guard.errors import SloGuardError
from slo_guard.loaded import load_files

HERE = Path(__file__).parent
SHIPPED_CONFIG = HERE.parents[1] / "config" / "slo-guard.yaml"


def built(config: Path = SHIPPED_CONFIG) -> dict[str, str]:
    """Return the committed files' texts by name, from the rules that ``config`` names; raises ``ConfigError``."""
    return {
        f"{SPRINT_UID}.json": as_json(of_rules(_kpis(config))),
        f"{ANY_UID}.json": as_json(of_any_rules()),
    }


def _kpis(config: Path) -> list[KPI]:
    return [kpi for kpi in load_files(config).plan.kpis if kpi.id != COLLECTOR_UP]


def main() -> None:
    """Write the files."""
    parser = argparse.ArgumentParser(prog="python -m deploy.grafana", description=__doc__.split("\n")[0])
    parser.add_argument("--config", type=Path, help="a daemon's config, whose rules become the rows")
    parser.add_argument("--uid", default=SPRINT_UID, help="the dashboard's uid in Grafana")
    parser.add_argument("--title", default="slo_guard: sprint")
    parser.add_argument("--out", type=Path, help="where to write the dashboard of --config")
    asked = parser.parse_args()
    if (asked.config is None) != (asked.out is None):
        parser.error("--config and --out go together")
    try:
        if asked.config is not None:
            asked.out.write_text(as_json(of_rules(_kpis(asked.config), asked.uid, asked.title)), encoding="utf-8")
            return
        for name, text in built().items():
            (HERE / "dashboards" / name).write_text(text, encoding="utf-8")
    except (SloGuardError, OSError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
