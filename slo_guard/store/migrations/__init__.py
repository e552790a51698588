"""Alembic's scripts, shipped in the package: an installed slo_guard brings its store up to date by itself."""
