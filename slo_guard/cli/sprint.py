"""``slo-guard sprint new``: the next sprint's rules from the last one's."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import click

from slo_guard.errors import SloGuardError, UnreadableError
from slo_guard.rulebook import load_rules
from slo_guard.rulebook.calendar import parse_date
from slo_guard.rulebook.next_sprint import Moved, moved, sprint_of

_SUFFIXES = {".yaml", ".yml"}


@click.group()
def sprint() -> None:
    """Prepare sprints."""


@sprint.command("new")
@click.argument("name")
@click.option(
    "--from", "source", type=click.Path(path_type=Path), required=True, metavar="DIR", help="The last sprint's rules."
)
@click.option("--start", "start_text", required=True, metavar="DATE", help="The new sprint's first day: 2026-07-20.")
@click.option(
    "--to",
    "target",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Where to write.  [NAME beside the old folder]",
)
def new(name: str, source: Path, start_text: str, target: Path | None) -> None:
    """Write the rules of sprint NAME: those of DIR, with the sprint's name changed and every date moved.

    Comments and order stay. Exit code 1: the rules have errors, or the folder is there already; 2: wrong use, or a
    file that cannot be read.
    """
    try:
        start = parse_date(start_text)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--start") from None
    if not name.strip() or name != name.strip() or "/" in name or name.startswith("."):
        raise click.BadParameter(f"{name!r} will not do; write a name such as sprint-41", param_hint="NAME")
    texts = _texts(source)
    before, first_day = _sprint(texts, source)
    if name == before:
        raise click.BadParameter(f"{name} is the name of the sprint in {source}; write another one", param_hint="NAME")
    folder = target if target is not None else source.resolve().parent / name
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise SloGuardError(f"{folder} is there already; remove it, or write --to another folder")
    files = {
        relative: moved(text, str(folder / relative), name, before, start - first_day)
        for relative, text in texts.items()
    }
    _write(folder, files)
    _report(folder, files, start - first_day)
    if _faults(folder):
        raise SystemExit(1)


def _texts(source: Path) -> dict[Path, str]:
    if not source.is_dir():
        raise UnreadableError(f"{source} is not a folder; name the folder of the last sprint's rules")
    found = sorted(path for path in source.rglob("*") if path.suffix in _SUFFIXES and path.is_file())
    try:
        return {path.relative_to(source): path.read_text(encoding="utf-8") for path in found}
    except (OSError, UnicodeDecodeError) as error:
        raise UnreadableError(f"{source}: a rule file cannot be read: {error}") from None


def _sprint(texts: dict[Path, str], source: Path) -> tuple[str, date]:
    stated = [found for path, text in texts.items() if (found := sprint_of(text, str(source / path))) is not None]
    if len(stated) != 1:
        what = "no file states a sprint" if not stated else f"{len(stated)} files state a sprint"
        raise SloGuardError(f"{source}: {what}; name the folder of one sprint, with its sprint.yaml")
    return stated[0]


def _write(folder: Path, files: dict[Path, Moved]) -> None:
    try:
        for relative, file in files.items():
            (folder / relative).parent.mkdir(parents=True, exist_ok=True)
            (folder / relative).write_text(file.text, encoding="utf-8")
    except OSError as error:
        raise SloGuardError(f"{folder} cannot be written: {error.strerror or error}") from None


def _report(folder: Path, files: dict[Path, Moved], days: timedelta) -> None:
    changes = sum(len(file.changes) for file in files.values())
    click.echo(f"{len(files)} files in {folder}: {changes} values changed, dates {days.days:+d} days")
    for relative, file in sorted(files.items()):
        for change in sorted(file.changes, key=lambda change: change.line):
            click.echo(f"  {relative}:{change.line}: {change.path}: {change.before} -> {change.after}")
    excluded = [
        f"{folder / relative}:{change.line}"
        for relative, file in files.items()
        for change in file.changes
        if change.path.endswith(".from")
    ]
    for place in excluded:
        click.echo(f"{place}: an exclusion was moved as well; remove it if the new sprint has none", err=True)
    for file in files.values():
        for place in file.stuck:
            click.echo(f"{place}: is written in a way that could not be moved; move it by hand", err=True)
    click.echo("Read the titles and objectives once more, then add the folder to the config's rules.")


def _faults(folder: Path) -> bool:
    loaded = load_rules([folder], None)
    for finding in loaded.findings:
        click.echo(str(finding), err=True)
    return loaded.plan is None
