"""A remediator is found by being there."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest

from remediators import registry
from sereno.errors import SerenoError
from sereno.ports import Param, Permission, Remediator


def test_the_remediators_are_the_public_modules_in_actions():
    assert {"open_incident", "raise_concurrency"} <= set(registry.names())
    assert registry.names() == sorted(registry.names())
    assert not [name for name in registry.names() if name.startswith("_")]


@pytest.mark.parametrize("name", registry.names())
def test_every_remediator_says_what_it_is(name):
    remediator = registry.load(name)
    assert isinstance(remediator, Remediator)
    assert remediator.name == name
    assert remediator.summary.endswith(".")
    assert all(isinstance(one, Permission) for one in remediator.permissions)
    for knob, param in remediator.params.items():
        assert isinstance(param, Param)
        assert param.doc, knob
        if isinstance(param.default, (int, float)) and param.minimum is not None and param.maximum is not None:
            assert param.minimum <= param.default <= param.maximum, knob


def test_a_name_that_does_not_exist_is_answered_with_those_that_do():
    with pytest.raises(SerenoError, match=r'remediator "raise_cash" does not exist \(there are: .*raise_concurrency'):
        registry.load("raise_cash")


def test_a_file_without_its_remediator_is_told(monkeypatch):
    broken = ModuleType("remediators.actions.raise_concurrency")
    broken.REMEDIATOR = "soon"
    monkeypatch.setitem(sys.modules, "remediators.actions.raise_concurrency", broken)
    with pytest.raises(SerenoError, match=r"raise_concurrency.py: REMEDIATOR must be a Remediator named"):
        registry.load("raise_concurrency")


def test_all_are_loaded_by_name():
    assert list(registry.all_remediators()) == registry.names()
