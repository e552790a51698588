"""``python -m slo_guard``: the same as the ``slo-guard`` command."""

from slo_guard.cli import main

main()
