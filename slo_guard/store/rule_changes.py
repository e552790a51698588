"""How rules changed in mid-sprint, in SQL. It is kept for good: rows are few, and a sprint is judged by them."""

from __future__ import annotations

import json

from sqlalchemy import Connection, select

from slo_guard.domain.rule_changes import RuleChange, RuleField, RuleForm, RuleForms, RuleLog
from slo_guard.store.schema import RULE_CHANGES, RULE_FORMS
from slo_guard.store.statements import replace_rows


def save_rules(connection: Connection, log: RuleLog) -> None:
    """Store what is new: changes are added, forms take the place of those before."""
    forms = [
        {"sprint": sprint, "kpi": kpi, "original": _text(each.original), "latest": _text(each.latest)}
        for (sprint, kpi), each in log.forms.items()
    ]
    replace_rows(connection, RULE_FORMS, ("sprint", "kpi"), forms)
    changes = [
        {
            "at": each.at,
            "sprint": each.sprint,
            "kpi": each.kpi,
            "field": each.field,
            "before": each.before,
            "after": each.after,
        }
        for each in log.changes
    ]
    if changes:
        connection.execute(RULE_CHANGES.insert(), changes)


def load_rules(connection: Connection) -> RuleLog:
    """Return all forms, and all changes in the order in which they were stored."""
    forms = {
        (row.sprint, row.kpi): RuleForms(_form(row.original), _form(row.latest))
        for row in connection.execute(select(RULE_FORMS))
    }
    changes = connection.execute(select(RULE_CHANGES).order_by(RULE_CHANGES.c.id))
    return RuleLog(
        forms, tuple(RuleChange(row.sprint, row.kpi, row.at, row.field, row.before, row.after) for row in changes)
    )


def _text(form: RuleForm) -> str:
    return json.dumps({name: [each.value, each.text] for name, each in form.items()})


def _form(text: str) -> RuleForm:
    return {name: RuleField(value, words) for name, (value, words) in json.loads(text).items()}
