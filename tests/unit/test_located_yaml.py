"""YAML with positions: what people mean, where it stands, and mistakes said so that one can mend them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slo_guard.located_yaml import MAX_FILE_BYTES, Position, load_file, load_text


def messages(text: str) -> list[str]:
    return [str(finding) for finding in load_text(text, "f.yaml").findings]


def test_every_key_and_value_knows_its_line_and_column():
    """Errors are only useful with the place to mend."""
    located = load_text("kpis:\n  - kpi: a\n    objective: {at_most: 1.16s}\n", "f.yaml")

    assert located.value == {"kpis": [{"kpi": "a", "objective": {"at_most": "1.16s"}}]}
    assert located.position(("kpis", 0, "objective", "at_most")) == Position(3, 26)
    assert located.position(("kpis", 0, "objective", "at_most"), key=True) == Position(3, 17)


def test_a_value_that_is_missing_is_placed_at_its_parent():
    """A missing field has no place of its own, the mapping that lacks it has."""
    located = load_text("a:\n  b: 1\n", "f.yaml")

    assert located.position(("a", "missing", "deeper")) == Position(2, 3)


def test_columns_count_characters_not_bytes():
    """Editors count so."""
    located = load_text("größe: {é: 1}\n", "f.yaml")

    assert located.position(("größe", "é")) == Position(1, 12)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2026-07-10", "2026-07-10"),
        ("2026-07-06T17:00", "2026-07-06T17:00"),
        ("12:30", "12:30"),
        ("on", "on"),
        ("no", "no"),
        ("017", "017"),
        ("0x1f", "0x1f"),
        (".nan", ".nan"),
        ("1e999", "1e999"),
        ("true", True),
        ("False", False),
        ("12", 12),
        ("1_000", 1000),
        ("-0.5", -0.5),
        ("1e3", 1000.0),
        ("~", None),
        ("null", None),
        ("'12'", "12"),
        ("!!str 12", "12"),
    ],
)
def test_scalars_are_what_people_mean(written, meant):
    """YAML 1.1 makes dates, sexagesimal numbers and bools of what people wrote as text."""
    located = load_text(f"key: {written}\n", "f.yaml")

    assert located.value == {"key": meant}
    assert type(located.value["key"]) is type(meant)
    assert located.findings == ()


def test_keys_are_always_text():
    """A label called on, or a code 500, is a name."""
    assert load_text("{on: 1, 500: 2, true: 3}", "f.yaml").value == {"on": 1, "500": 2, "true": 3}


def test_numbers_keep_the_text_that_was_written():
    """1.10 is a version to its author; as a number it would become 1.1."""
    located = load_text("{version: 1.10}", "f.yaml")

    assert located.written[("version",)] == "1.10"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a:\n\tb: 1\n", "f.yaml:2:1: a tab is used for indentation; use spaces"),
        ("a:\n  b: 1\n\tc: 2\n", "f.yaml:3:1: a tab is used for indentation; use spaces"),
        ("o: >= 2\n", "f.yaml:1:4: o: '>=' begins a folded text in YAML, not a comparison; write {at_least: 2}"),
        ("o: > 2 # why\n", "f.yaml:1:4: o: '>' begins a folded text in YAML, not a comparison; write {above: 2}"),
        ("{at_least: >= 2}", "f.yaml:1:12: at_least: 'at_least' already says how to compare; write at_least: 2"),
        ("a: %x\n", "f.yaml:1:4: a: a value may not begin with '%' in YAML; put it in quotes"),
        ("a: @x\n", "f.yaml:1:4: a: a value may not begin with '@' in YAML; put it in quotes"),
        ("a: !drill\n", "f.yaml:1:4: a: '!drill' is a tag in YAML; put the text in quotes: \"!drill\""),
        ("a: *.html\n", "f.yaml:1:4: a: a value may not begin with '*' in YAML; put it in quotes"),
        ("a: *gone\n", "f.yaml:1:4: '*gone' refers to an anchor that does not exist; put a text in quotes"),
        ("a: b: c\n", "f.yaml:1:5: a ':' is not expected here; put a text that holds ': ' in quotes"),
        ("a: {{ x }}\n", "f.yaml:1:5: a: a field's name is a text, not a list or a mapping; put a template in quotes"),
        ("a: [1, 2\n", "f.yaml:2:1: a '[' or '{' is opened and not closed properly"),
        ("a: 'x\n", "f.yaml:2:1: a quote is opened and never closed; close it"),
        ("- 1\nb: 2\n", "f.yaml:2:1: the indentation does not fit the lines above"),
        ("a: 1\nb: 2\na: 3\n", "f.yaml:3:1: a: 'a' is given twice, first on line 1; keep one of them"),
        ("--- 1\n--- 2\n", "f.yaml:2:1: a second document begins here ('---'); one file holds one document"),
        ("a: x\x00y\n", "f.yaml:1:5: holds the control character 0x0000; remove it"),
        ("a: &a [*a]\n", "f.yaml:1:8: aliases nest too deeply or refer to themselves; write the values out"),
        ("[" * 5000, "f.yaml:1:65: is nested more than 64 levels deep; flatten it"),
        ("<<: 1\n", "f.yaml:1:5: '<<' merges mappings"),
    ],
)
def test_a_mistake_is_said_with_its_place_and_what_to_write(text, said):
    """The author need not know YAML's own words for it."""
    [found] = messages(text)

    assert found.startswith(said)


def test_after_a_slip_that_can_be_guessed_the_rest_is_still_read():
    """All errors at once: a comparison without quotes must not hide the next one."""
    located = load_text("a: >= 2\nb: '> 3'\nc: > 4\n", "f.yaml")

    assert [finding.line for finding in located.findings] == [1, 3]
    assert located.value == {"a": ">= 2", "b": "> 3", "c": "> 4"}
    assert located.mended_lines == {1, 3}


def test_an_alias_bomb_is_refused_before_it_grows():
    """Nine lines can hold a billion values."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]

    [found] = messages("\n".join(lines))

    assert "aliases expand to more than 10,000 values; write them out" in found


def test_aliases_and_merge_keys_are_read():
    """Honest uses of anchors stay possible."""
    located = load_text("base: &base {for: 5m, by: [system]}\nkpi:\n  <<: *base\n  for: 1m\n", "f.yaml")

    assert located.value["kpi"] == {"for": "1m", "by": ["system"]}
    assert located.position(("kpi", "by")) == Position(1, 27)


def test_a_tag_does_not_show_the_text_behind_it():
    """That text may be somebody's password."""
    [found] = messages("password: !secret hunter2\n")

    assert "hunter2" not in found


def test_a_file_that_is_too_large_is_refused(tmp_path):
    """A rule folder that points at a log file must not fill the memory."""
    path = tmp_path / "big.yaml"
    path.write_bytes(b"#" * (MAX_FILE_BYTES + 1))

    [found] = load_file(path).findings

    assert "is larger than 5 MiB" in found.message


def test_a_file_that_is_not_text_is_refused_with_the_place(tmp_path):
    """Latin-1 umlauts are the usual case."""
    path = tmp_path / "latin.yaml"
    path.write_bytes("a: 1\nb: größe\n".encode("latin-1"))

    [found] = load_file(path).findings

    assert (found.line, found.column) == (2, 6)
    assert "UTF-8" in found.message


@given(st.text(alphabet=st.one_of(st.characters(), st.sampled_from("\t\n :-{}[]&*!|>'\"%@`#?,<ab1")), max_size=200))
def test_no_text_whatever_raises(text):
    """Whoever edits a rule file while the daemon runs must not be able to stop it."""
    located = load_text(text, "f.yaml")

    assert located.value is None or located.values
