"""What `check` says of an sql collector, without a database."""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError

from slo_guard.collect import COLLECTORS
from slo_guard.collect.sql_options import SqlOptions
from slo_guard.collect.sql_text import Bind, parse_query
from slo_guard.collect.sql_url import parse_url, scrubbed, sqlite_file
from slo_guard.config import load_config

GOOD = {"type": "gauge", "query": "SELECT 1 AS value"}
NEW = {"type": "event", "query": "SELECT * FROM t WHERE id > :since", "incremental": {"column": "id"}}


def options(*, url="sqlite:///a.db", folder=None, indicator=None, **more):
    one = {"name": "m", **(GOOD if indicator is None else indicator)}
    document = {"name": "db", "type": "sql", "url": url, "indicators": [one], **more}
    return SqlOptions.model_validate(document, context={"folder": folder} if folder else None)


@pytest.mark.parametrize(
    "query",
    [
        "select 1 as value",
        "  -- how many\n/* of; them */ SELECT count(*) AS value FROM t ; -- done\n",
        "WITH x AS (SELECT 1 AS value) SELECT * FROM x",
        "VALUES (1)",
        "TABLE metrics",
        "(SELECT 1 AS value) UNION (SELECT 2)",
        "SELECT ';' AS \"a;b\", $$ ; $$, $x$ ' $x$, E'\\';' , 'it''s; ', `;` FROM t",
        "SELECT a::text, updated, x[1:2] FROM t WHERE name LIKE '%:since%'",
        "WITH deleted AS (SELECT 1 AS value) SELECT value FROM deleted -- delete",
    ],
)
def test_a_statement_that_reads_is_taken(query):
    """Semicolons, colons and words in texts, names and comments are none of the statement's own."""
    assert not parse_query(query).has_since


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("DELETE FROM t", "begins with DELETE; a query may only read, write a SELECT"),
        ("drop table t", "begins with DROP"),
        ("PRAGMA query_only = OFF", "begins with PRAGMA"),
        ("EXPLAIN ANALYZE DELETE FROM t", "begins with EXPLAIN"),
        ("/* SELECT */ INSERT INTO t VALUES (1)", "begins with INSERT"),
        ("WITH x AS (SELECT 1) DELETE FROM t", r"writes \(DELETE\)"),
        ("with x as (select 1) insert into t select * from x", r"writes \(INSERT\)"),
        ("SELECT 1; DROP TABLE t", "several statements; write one"),
        ("SELECT 1;;", "several statements"),
        ("SELECT 'a", "has a ' without its end"),
        ('SELECT "a', 'has a " without its end'),
        ("SELECT 1 /* a", r"has a /\* without its end"),
        ("SELECT :tenant", "has the parameter :tenant; the only one is :since"),
        ("SELECT 1\x00", "control characters"),
        ("", "is empty"),
        (" -- nothing\n", "is empty"),
    ],
)
def test_what_is_no_single_statement_that_reads_is_refused(query, says):
    """A query that writes is found before it meets a database."""
    with pytest.raises(ValueError, match=says):
        parse_query(query)


def test_the_parameter_is_found_where_it_is_one_and_nowhere_else():
    """Each driver has its own notation; a percent sign must not become one of them."""
    query = parse_query("SELECT ':since', x::int FROM t WHERE a LIKE '5%' AND id > :since AND :since < 9;")

    assert query.parts.count(Bind("since")) == 2
    assert query.render(":{}".format).endswith("AND id > :since AND :since < 9")
    assert "':since', x::int" in query.render("%({})s".format, lambda text: text.replace("%", "%%"))
    assert "LIKE '5%%' AND id > %(since)s" in query.render("%({})s".format, lambda text: text.replace("%", "%%"))


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("postgresql+psycopg://u:hunter2@h/d", r"a password may not stand in the config; write url: \{env: NAME\}"),
        ("postgresql+psycopg://h/d?password=hunter2", "a password may not stand"),
        ("postgresql+psycopg://h/d?sslpassword=hunter2", "a password may not stand"),
        ("mysql://u:hunter2@h/d", r"the databases are sqlite and postgresql\+psycopg"),
        ("postgresql+psycopg2://u@h/d", "the databases are sqlite"),
        ("hunter2", "not a database URL; write one such as"),
        ("postgresql://h:hunter2/d", "not a database URL"),
        ("sqlite://", "names a file"),
        ("sqlite:///:memory:", "names a file"),
        ("sqlite:///a.db?mode=rw", "a path and no more"),
        ("sqlite://user:hunter2@h/a.db", "a path and no more"),
    ],
)
def test_a_url_that_will_not_do_says_what_to_write_and_does_not_show_itself(url, says):
    """A password that somebody pasted must not be spread further by the message about it."""
    with pytest.raises(ValidationError, match=says) as caught:
        options(url=url)

    assert "hunter2" not in caught.value.errors()[0]["msg"]


def test_urls_without_a_password_stand_in_the_config():
    """A peer, a certificate or a password file may be all that is needed."""
    assert parse_url("postgresql://reader@h/d").drivername == "postgresql"
    assert options(url="postgresql+psycopg://reader@h:5433/d?sslmode=require").url_text().endswith("require")
    assert options(url="sqlite:////var/lib/a.db").url_text() == "sqlite:////var/lib/a.db"


def test_a_relative_file_is_taken_from_the_folder_of_the_config(tmp_path, monkeypatch):
    """As every path of the config is, also where the URL is a secret."""
    monkeypatch.setenv("DB_URL", "sqlite:///data/a.db")

    for url in ("sqlite:///data/a.db", {"env": "DB_URL"}):
        chosen = options(url=url, folder=tmp_path)
        assert sqlite_file(parse_url(chosen.url_text()), chosen.folder) == tmp_path / "data" / "a.db"
    assert sqlite_file(parse_url("sqlite:////a.db"), tmp_path) == Path("/a.db")


def test_a_missing_driver_names_the_extra(monkeypatch):
    """SQLite needs none; whoever has PostgreSQL is told what to install."""
    monkeypatch.setitem(sys.modules, "psycopg", None)

    with pytest.raises(ValidationError, match=r"install the extra postgres: pip install 'mc-slo-guard\[postgres\]'"):
        options(url="postgresql+psycopg://h/d")
    assert options(url="sqlite:///a.db")


@pytest.mark.parametrize(
    ("indicator", "says"),
    [
        ({**GOOD, "type": "event"}, r"an event is read once; write incremental: \{column: COLUMN\}"),
        ({**GOOD, "query": "SELECT 1 AS value WHERE 1 > :since"}, "has :since; write incremental"),
        ({**GOOD, "incremental": {"column": "id"}}, "does not use :since; write WHERE id > :since in it"),
        ({**GOOD, "labels": ["value"]}, "labels names value"),
        ({**NEW, "incremental": {"column": "id", "start": 2**63}}, "no database has a whole number as large"),
        ({**NEW, "incremental": {"column": "id", "start": "a\x00"}}, "control characters"),
        ({**NEW, "incremental": {"column": "id", "overlap": "ten"}}, "is not a duration"),
        ({**NEW, "incremental": {"column": "id", "overlap": -1}}, "has no unit"),
        ({**GOOD, "time": {"zone": "Mars"}}, "not an IANA time zone"),
        ({**GOOD, "type": "histogram"}, "Input should be"),
    ],
)
def test_options_that_do_not_fit_together_say_what_to_write(indicator, says):
    """The query and its options are two halves of one thing."""
    with pytest.raises(ValidationError, match=says):
        options(indicator=indicator)


def test_an_overlap_is_a_duration_or_a_number():
    """Times are looked back at by time, ids by number."""

    def overlap(given):
        return options(indicator={**NEW, "incremental": {"column": "id", "overlap": given}}).indicators[0].incremental

    assert overlap("10m").overlap == timedelta(minutes=10)
    assert overlap(1000).overlap == 1000
    assert overlap(None).overlap is None


def test_secrets_are_taken_out_of_what_a_database_says():
    """Drivers repeat connection strings in their messages."""
    url = parse_url("postgresql://u:p%40ss@h/d?sslpassword=other")
    said = f"cannot connect with {url.render_as_string(hide_password=False)}: p@ss, p%40ss, other"

    assert scrubbed(said, url) == "cannot connect with …: …, …, …"


def test_the_config_shows_where_the_password_stands(tmp_path):
    """As every finding: file, line, column."""
    (tmp_path / "c.yaml").write_text(
        "version: 1\nrules: [.]\ncollectors:\n  - name: db\n    type: sql\n    url: postgresql+psycopg://u:hunter2@h/d\n"
        "    indicators:\n      - {name: m, type: gauge, query: SELECT 1 AS value}\nreceivers: []\n"
    )

    loaded = load_config(tmp_path / "c.yaml", {name: kind.options for name, kind in COLLECTORS.items()}, {})

    [finding] = loaded.findings
    assert (finding.line, finding.path) == (6, "collectors[0].url")
    assert "hunter2" not in str(finding)
