"""Bring a database to the schema of this version, or say why that cannot be."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from slo_guard.errors import StartError
from slo_guard.store.schema import HEAD

_VERSIONS = "alembic_version"


def is_current(connection: Connection) -> bool:
    """Whether the schema is this version's already: one query, without loading Alembic."""
    return _revision(connection) == HEAD


def bring_up_to_date(connection: Connection, path: Path) -> None:
    """Run the migrations that are missing, inside the connection's transaction: all of them or none.

    Raises ``StartError`` for a database of another program or of a newer slo_guard.
    """
    # Alembic takes longer to load than the rest of the store together, and is needed once a release.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    revision = _revision(connection)
    if revision is None and inspect(connection).get_table_names():
        raise StartError(f"{path} is a database of another program; name another path for the store")
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.attributes["connection"] = connection
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if revision is not None and revision not in known:
        raise StartError(
            f"the store {path} has the schema {revision}, which is newer than this version's {HEAD}; "
            "run the newer slo_guard, or name another path for the store"
        )
    command.upgrade(config, "head")


def _revision(connection: Connection) -> str | None:
    """Return the schema's number, None for a database without one."""
    if not inspect(connection).has_table(_VERSIONS):
        return None
    number = connection.execute(text(f"SELECT version_num FROM {_VERSIONS}")).scalar()  # noqa: S608 - a constant
    return None if number is None else str(number)
