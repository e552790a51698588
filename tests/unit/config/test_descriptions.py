"""Every option of the config has a sentence: `slo-guard schema config` is its reference."""

from __future__ import annotations

import typing
from collections.abc import Iterator

import pytest
from pydantic import BaseModel

from slo_guard.collect import COLLECTORS
from slo_guard.config.models import ConfigFile
from slo_guard.notify import RECEIVERS

ROOTS = [ConfigFile, *(kind.options for kind in (*COLLECTORS.values(), *RECEIVERS.values()))]


def models_in(annotation: object) -> Iterator[type[BaseModel]]:
    """Yield the models that a field's type names."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in typing.get_args(annotation):
        yield from models_in(part)


def reachable(model: type[BaseModel]) -> set[type[BaseModel]]:
    """Return the model and all that it holds."""
    found: set[type[BaseModel]] = set()
    waiting = [model]
    while waiting:
        each = waiting.pop()
        if each not in found:
            found.add(each)
            waiting += [inner for field in each.model_fields.values() for inner in models_in(field.annotation)]
    return found


@pytest.mark.parametrize("root", ROOTS, ids=lambda model: model.__name__)
def test_every_option_has_a_sentence(root):
    """An editor shows the sentence where the option is typed; an option without one is a riddle."""
    silent = [
        f"{model.__name__}.{name}"
        for model in reachable(root)
        for name, field in model.model_fields.items()
        if not field.description
    ]

    assert silent == []
