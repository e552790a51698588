"""YAML as plain values, with the line and column of every key and value.

Values are what people mean rather than what YAML 1.1 makes of them: only ``true`` and ``false`` are bools,
dates and ``on``/``yes``/``017`` stay the text that was written, keys are always text.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO, TypeAlias

import yaml

from slo_guard import yaml_mistakes
from slo_guard.errors import Finding
from slo_guard.yaml_nodes import MAX_DEPTH, Node, Position, Refused, compose

KeyPath: TypeAlias = tuple[str | int, ...]
"""Where a value stands: keys and list positions from the top, as in pydantic's ``loc``."""

__all__ = ["KeyPath", "LocatedYaml", "Position", "load_file", "load_stream", "load_text", "path_text", "plain_scalar"]

MAX_FILE_BYTES = 5 * 2**20
_MAX_ALIAS_NODES = 10_000
_MAX_MENDS = 50

_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9_]{0,30})")
_FLOAT = re.compile(r"[-+]?(?:[0-9][0-9_]*)?\.?[0-9]+(?:[eE][-+]?[0-9]{1,3})?|[-+]?[0-9]+\.")
_WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_TEXT_TAG = "tag:yaml.org,2002:str"


@dataclass(frozen=True, slots=True)
class LocatedYaml:
    """A YAML document: its plain value, what is wrong with it as YAML, and where everything stands.

    ``value`` is None when the text cannot be parsed (then there is a finding) or is empty. ``keys`` and
    ``values`` give positions by path; ``written`` the text of numbers, bools and nulls as it stands in the
    file. ``mended_lines`` were guessed to go on after a syntax error: what else is wrong there is noise.
    ``undecodable``: the file is not text. ``digest``: SHA-256 of the file's bytes, in hex; empty for bare text.
    """

    file: str
    value: Any = None
    findings: tuple[Finding, ...] = ()
    keys: Mapping[KeyPath, Position] = field(default_factory=dict)
    values: Mapping[KeyPath, Position] = field(default_factory=dict)
    written: Mapping[KeyPath, str] = field(default_factory=dict)
    mended_lines: frozenset[int] = frozenset()
    undecodable: bool = False
    digest: str = ""

    def existing(self, loc: Iterable[str | int]) -> KeyPath:
        """Return the part of a pydantic ``loc`` that stands in the file; names of union branches drop out."""
        path: KeyPath = ()
        for step in loc:
            if (*path, step) in self.values:
                path = (*path, step)
        return path

    def position(self, path: KeyPath, *, key: bool = False) -> Position:
        """Return where the value at ``path`` (or its key) stands; for one that does not, where its parent does."""
        places = self.keys if key else self.values
        for length in range(len(path), -1, -1):
            found = places.get(path[:length]) or self.values.get(path[:length])
            if found is not None:
                return found
        return Position()

    def finding(self, path: KeyPath, message: str, *, key: bool = False, severity: str = "error") -> Finding:
        """Return a finding about the value at ``path``, or about its key."""
        place = self.position(path, key=key)
        return Finding(self.file, place.line, place.column, path_text(path), message, severity)

    def with_findings(self, more: Iterable[Finding]) -> tuple[Finding, ...]:
        """Return the document's own findings and ``more``, sorted, each once, without the noise of mended lines."""
        kept = (item for item in more if item.file != self.file or item.line not in self.mended_lines)
        return tuple(sorted({*self.findings, *kept}))


def path_text(path: Sequence[str | int]) -> str:
    """Return a path as people write it: ``kpis[0].objective``."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def load_file(path: Path) -> LocatedYaml:
    """Read and parse a file; raises ``OSError`` when it cannot be read, and nothing for what it holds."""
    with path.open("rb") as stream:
        return load_stream(stream, str(path))


def load_stream(stream: BinaryIO, file: str) -> LocatedYaml:
    """Parse what an open file holds; raises ``OSError`` when it cannot be read. ``file`` names it in findings."""
    content = stream.read(MAX_FILE_BYTES + 1)
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        if len(content) <= MAX_FILE_BYTES:
            line = content.count(b"\n", 0, error.start) + 1
            column = error.start - content.rfind(b"\n", 0, error.start)
            return LocatedYaml(
                file,
                findings=(Finding(file, line, column, "", "is not UTF-8 text; save the file as UTF-8"),),
                undecodable=True,
            )
        text = " " * (MAX_FILE_BYTES + 1)
    return replace(load_text(text, file), digest=hashlib.sha256(content).hexdigest())


def load_text(text: str, file: str) -> LocatedYaml:
    """Parse ``text``, named ``file`` in findings; never raises, whatever the text is."""
    if len(text) > MAX_FILE_BYTES or len(text.encode("utf-8", "surrogatepass")) > MAX_FILE_BYTES:
        return _refused(file, f"is larger than {MAX_FILE_BYTES // 2**20} MiB; split it")
    text = text.removeprefix("\ufeff")
    strange = _UNPRINTABLE.search(text)
    if strange is not None:
        ahead = yaml_mistakes.split_lines(text[: strange.start()])
        place = Position(len(ahead), len(ahead[-1]) + 1)
        return _refused(file, f"holds the control character {ord(strange[0]):#06x}; remove it", place)
    findings: list[Finding] = []
    mended: frozenset[int] = frozenset()
    for _ in range(_MAX_MENDS):
        try:
            root = compose(text)
        except Refused as refused:
            findings.append(Finding(file, refused.place.line, refused.place.column, "", refused.message))
        except yaml.YAMLError as error:
            mistake = yaml_mistakes.explain(error, text)
            # After a guess the next error may be of our own making: it is told only if it is as clear as the first.
            if not findings or mistake.mended is not None:
                findings.append(Finding(file, mistake.line, mistake.column, "", mistake.message))
            if mistake.mended is not None and mistake.mended != text:
                text, mended = mistake.mended, mended | mistake.lines
                continue
        else:
            return _Reader(file, findings, mended).read(root)
        break
    return LocatedYaml(file, findings=tuple(findings), mended_lines=mended)


def _refused(file: str, message: str, place: Position | None = None) -> LocatedYaml:
    at = place or Position()
    return LocatedYaml(file, findings=(Finding(file, at.line, at.column, "", message),))


class _Reader:
    """Turns nodes into plain values and notes where each stands."""

    def __init__(self, file: str, findings: list[Finding], mended: frozenset[int]) -> None:
        self._file = file
        self._findings = findings
        self._mended = mended
        self._keys: dict[KeyPath, Position] = {}
        self._values: dict[KeyPath, Position] = {}
        self._written: dict[KeyPath, str] = {}
        self._through_aliases = 0

    def read(self, root: Node | None) -> LocatedYaml:
        value = None
        try:
            if root is not None:
                value = self._value(root, (), aliased=False)
        except Refused as refused:
            self._report(refused.place, (), refused.message)
        by_place = {place: path for path, place in self._values.items()}
        named = (
            replace(item, path=path_text(by_place.get(Position(item.line, item.column), ())))
            if item.line in self._mended and not item.path
            else item
            for item in self._findings
        )
        return LocatedYaml(
            self._file,
            value,
            tuple(named),
            MappingProxyType(self._keys),
            MappingProxyType(self._values),
            MappingProxyType(self._written),
            self._mended,
        )

    def _report(self, place: Position, path: KeyPath, message: str) -> None:
        self._findings.append(Finding(self._file, place.line, place.column, path_text(path), message))

    def _value(self, node: Node, path: KeyPath, *, aliased: bool) -> Any:
        if len(path) > MAX_DEPTH:
            raise Refused(node.place, "aliases nest too deeply or refer to themselves; write the values out")
        if aliased:
            self._through_aliases += 1
            if self._through_aliases > _MAX_ALIAS_NODES:
                raise Refused(node.place, f"aliases expand to more than {_MAX_ALIAS_NODES:,} values; write them out")
        if node.alias_of is not None:
            return self._value(node.alias_of, path, aliased=True)
        self._values[path] = node.place
        if node.text is not None:
            return self._scalar(node, path)
        if node.tag is not None:
            self._report(node.place, path, f"the tag {node.tag!r} is not supported; remove it")
        if node.is_mapping:
            return self._mapping(node, path, aliased=aliased)
        return [self._value(item, (*path, at), aliased=aliased) for at, item in enumerate(node.items)]

    def _scalar(self, node: Node, path: KeyPath) -> Any:
        assert node.text is not None
        if node.tag is not None and node.tag != _TEXT_TAG:
            # The text after the tag may be somebody's password: only the tag is shown.
            self._report(node.place, path, f'{node.tag!r} is a tag in YAML; put the text in quotes: "{node.tag}"')
            return f"{node.tag} {node.text}".strip()
        if not node.plain:
            return node.text
        value = plain_scalar(node.text)
        if not isinstance(value, str):
            self._written[path] = node.text
        return value

    def _mapping(self, node: Node, path: KeyPath, *, aliased: bool) -> dict[str, Any]:
        mapping: dict[str, Any] = {}
        merged: list[Node] = []
        for key_node, value_node in zip(node.items[::2], node.items[1::2], strict=True):
            key_target = key_node.alias_of or key_node
            key = key_target.text
            if key is None:
                hint = 'put a template in quotes: "{{ … }}"' if key_target.is_mapping else "write a name"
                self._report(key_node.place, path, f"a field's name is a text, not a list or a mapping; {hint}")
                self._mended |= {key_node.place.line}
                continue
            if key == "<<" and key_target.plain:
                merged.append(value_node)
                continue
            if key in mapping:
                first = self._keys[(*path, key)].line
                message = f"{key!r} is given twice, first on line {first}; keep one of them"
                self._report(key_node.place, (*path, key), message)
                continue
            self._keys[(*path, key)] = key_node.place
            mapping[key] = self._value(value_node, (*path, key), aliased=aliased)
        for source in merged:
            self._merge(source, mapping, path)
        return mapping

    def _merge(self, source: Node, mapping: dict[str, Any], path: KeyPath) -> None:
        """Add the fields of ``<<: *anchor`` (or of a list of them) that the mapping does not give itself."""
        target = source.alias_of or source
        if target.text is None and not target.is_mapping:
            for item in target.items:
                self._count_merge(item)
                self._merge(item, mapping, path)
            return
        if not target.is_mapping:
            self._report(source.place, path, "'<<' merges mappings; write <<: *name of a mapping's anchor")
            return
        for key_node, value_node in zip(target.items[::2], target.items[1::2], strict=True):
            key = (key_node.alias_of or key_node).text
            self._count_merge(key_node)
            if key == "<<":
                self._report(key_node.place, path, "'<<' within what is merged is not supported; write the fields out")
            elif key is not None and key not in mapping:
                self._keys[(*path, key)] = key_node.place
                mapping[key] = self._value(value_node, (*path, key), aliased=True)

    def _count_merge(self, node: Node) -> None:
        self._through_aliases += 1
        if self._through_aliases > _MAX_ALIAS_NODES:
            raise Refused(node.place, f"aliases expand to more than {_MAX_ALIAS_NODES:,} values; write them out")


def plain_scalar(text: str) -> Any:
    """Return what an unquoted scalar means: None, a bool, an int, a float, or the text itself."""
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text.replace("_", ""))
    # A number such as 007 is a name to people; 1e999 stays text, since it would become infinite.
    if _FLOAT.fullmatch(text) and not re.match(r"[-+]?0[0-9_]", text) and not re.fullmatch(r"[-+]?[0-9_]+", text):
        number = float(text.replace("_", ""))
        return number if abs(number) != float("inf") else text
    return text
