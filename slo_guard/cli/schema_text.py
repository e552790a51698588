"""A JSON Schema as a reference in Markdown: a table for each kind of entry, a row for each field."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from slo_guard.units import format_duration

Schema: TypeAlias = Mapping[str, Any]

_DURATION = {"type": ["string", "number"], "examples": ["30s", "5m", "1h30m"]}
_SIZE = {"type": ["string", "integer"], "examples": ["10MiB", "512KiB"]}
_WORDS = {"string": "text", "integer": "whole number", "number": "number", "boolean": "true or false"}
_ENDINGS = ("Options", "Settings", "Fields", "File")


@dataclass(frozen=True, slots=True)
class FieldRow:
    """One field of an entry: its dotted ``path`` within it, and its other columns as Markdown."""

    path: str
    kind: str
    default: str
    means: str


@dataclass(frozen=True, slots=True)
class Section:
    """One kind of entry with its fields, in the order in which the model has them."""

    title: str
    about: str
    rows: tuple[FieldRow, ...]


def sections(schema: Schema) -> tuple[Section, ...]:
    """Return the kinds of entries of ``schema``, the outermost first.

    What stands in one place only is part of the table there, by its dotted path; what stands in several, and what a
    list has several kinds of, has a table of its own.
    """
    return tuple(_Walk(schema).sections())


def as_markdown(schema: Schema) -> str:
    """Return the whole reference, each section under a heading of the second level."""
    parts = [f"# {schema['title']}: every field", "Written by `slo-guard schema … --format markdown`."]
    for section in sections(schema):
        parts += [f"## {section.title}", section.about]
        rows = [f"| `{row.path}` | {row.kind} | {row.default} | {row.means} |" for row in section.rows]
        parts.append("\n".join(["| field | is | default | means |", "|---|---|---|---|", *rows]))
    return "\n\n".join(part for part in parts if part) + "\n"


class _Walk:
    def __init__(self, schema: Schema) -> None:
        self._root = schema
        self._definitions: Schema = schema.get("$defs", {})
        self._uses = Counter(_references({key: part for key, part in schema.items() if key != "$defs"}))
        for definition in self._definitions.values():
            self._uses.update(_references(definition))
        self._wanted: list[str] = []

    def sections(self) -> Iterator[Section]:
        if "properties" in self._root:
            yield Section("The file", "", tuple(self._rows(self._root, "")))
        for option in self._root.get("anyOf", ()):
            self._own_section(_name(option["$ref"]))
        done = 0
        while done < len(self._wanted):
            definition = self._definitions[self._wanted[done]]
            rows = tuple(self._rows(definition, ""))
            yield Section(self._title(self._wanted[done]), _means(definition), rows)
            done += 1

    def _rows(self, definition: Schema, prefix: str) -> Iterator[FieldRow]:
        required = definition.get("required", ())
        for name, field in definition["properties"].items():
            path, inner = f"{prefix}{name}", _without_null(field)
            brackets, target = _entry(inner)
            if target is not None and self._is_part(target):
                part = self._definitions[target]
                alike = next((each for each in definition["properties"] if self._repeats(name, each, definition)), None)
                kind = "as below" if alike is None else f"any fields of `{prefix}{alike}`"
                means = _means(field) or _means(part)
                yield FieldRow(path, kind, "required" if name in required else "", means)
                if alike is None:
                    yield from self._rows(part, f"{path}{brackets}.")
                continue
            default = "required" if name in required else self._default(inner)
            yield FieldRow(path, self._kind(inner), default, _means(field))

    def _is_part(self, name: str) -> bool:
        return self._uses[name] == 1 and "properties" in self._definitions[name]

    def _repeats(self, name: str, other: str, definition: Schema) -> bool:
        """Whether entries of ``name`` are those of ``other``, all fields optional, but for one field at most."""
        part, model = (self._part(_without_null(definition["properties"][each])) for each in (name, other))
        fields, others = part.get("properties", {}), model.get("properties", {})
        new = [key for key, field in fields.items() if others.get(key) != field]
        return name != other and "required" not in part and len(new) <= 1 < len(fields) <= len(others)

    def _part(self, field: Schema) -> Schema:
        target = _entry(field)[1]
        found: Schema = self._definitions.get(target, {}) if target is not None else {}
        return found

    def _own_section(self, name: str) -> str:
        if name not in self._wanted:
            self._wanted.append(name)
        title = self._title(name)
        return f"[{title}](#{title.lower().replace(' ', '-').replace(':', '').replace('`', '')})"

    def _title(self, name: str) -> str:
        kind = self._definitions[name].get("properties", {}).get("type", {}).get("const")
        words = name
        for ending in _ENDINGS:
            words = words.removesuffix(ending)
        spaced = "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in words).strip()
        return f"type: {kind}" if kind is not None else spaced

    def _kind(self, field: Schema) -> str:
        field = _without_null(field)
        if "$ref" in field:
            target = self._definitions[_name(field["$ref"])]
            return self._own_section(_name(field["$ref"])) if "properties" in target else self._kind(target)
        if _is(field, _DURATION):
            return "duration"
        if _is(field, _SIZE):
            return "size"
        if "const" in field:
            return f"`{field['const']}`"
        if "enum" in field:
            return ", ".join(f"`{each}`" for each in field["enum"])
        options = field.get("anyOf") or field.get("oneOf")
        if options:
            return " or ".join(dict.fromkeys(self._kind(option) for option in options))
        kind = field.get("type")
        if kind == "array":
            return f"list of {self._kind(field['items'])}" if field.get("items") else "list"
        if kind == "object":
            values = field.get("additionalProperties")
            return f"mapping to {self._kind(values)}" if isinstance(values, Mapping) and values else "mapping"
        if field.get("format") == "path":
            return "path"
        kinds = kind if isinstance(kind, list) else [kind]
        return " or ".join(_WORDS.get(str(each), "anything") for each in kinds)

    def _default(self, field: Schema) -> str:
        given = field.get("default")
        if given in (None, "") or isinstance(given, dict | list):
            return ""
        if _is(field, _DURATION):
            return f"`{format_duration(given)}`"
        if _is(field, _SIZE):
            return f"`{_size(given)}`"
        return f"`{str(given).lower() if isinstance(given, bool) else given}`"


def _entry(field: Schema) -> tuple[str, str | None]:
    """Return which entries a field holds, with ``[]`` for each list around them; None where they are of no one kind."""
    brackets = ""
    while field.get("type") == "array" and isinstance(field.get("items"), Mapping):
        brackets, field = f"{brackets}[]", _without_null(field["items"])
    return brackets, _name(field["$ref"]) if "$ref" in field else None


def _means(field: Schema) -> str:
    examples = field.get("examples")
    text = str(field.get("description", "")).replace("``", "`").replace("|", "\\|").replace("\n", " ")
    if examples and not _is(field, _DURATION) and not _is(field, _SIZE):
        return f"{text} Such as {', '.join(f'`{each}`' for each in examples)}."
    return text


def _without_null(field: Schema) -> Schema:
    """Return a field that may be left out without the null that stands for that."""
    options = [option for option in field.get("anyOf", ()) if option != {"type": "null"}]
    if len(options) != 1:
        return {**field, "anyOf": options} if options else field
    return {**{key: part for key, part in field.items() if key != "anyOf"}, **options[0]}


def _is(field: Schema, shape: Schema) -> bool:
    return all(field.get(key) == part for key, part in shape.items())


def _size(count: int) -> str:
    for unit, factor in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if count % factor == 0:
            return f"{count // factor}{unit}"
    return str(count)


def _references(part: Any) -> Iterator[str]:
    if isinstance(part, Mapping):
        if isinstance(part.get("$ref"), str):
            yield _name(part["$ref"])
        for inner in part.values():
            yield from _references(inner)
    elif isinstance(part, list):
        for inner in part:
            yield from _references(inner)


def _name(reference: str) -> str:
    return reference.rsplit("/", 1)[-1]
