"""How a package loads what it names when that is first used: ``import greenroom`` stays cheap, and so do its parts."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from types import ModuleType
from typing import Any

__all__ = ["later"]

# What is being loaded with the collector off, and whether all that there is is frozen for a moment.
_loading: list[str] = []
_freezing: list[bool] = []


def later(package: dict[str, Any], homes: Mapping[str, str]) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """The ``__getattr__`` and the ``__dir__`` of a package that loads names when they are first used.

    Args:
        package: its ``globals()``, with ``__all__``.
        homes: name → the module that has it, or is it, as seen from the package: ``".supervisor"``.
    """
    own_name: str = package["__name__"]

    def find(name: str) -> object:
        home = homes.get(name)
        if home is None:
            raise AttributeError(f"module {own_name!r} has no attribute {name!r}")
        module = _load(home, own_name)
        value: object = module if home.endswith("." + name) else getattr(module, name)
        package[name] = value
        return value

    def names() -> list[str]:
        return sorted({*package, *package["__all__"]})

    return find, names


def _load(home: str, package: str) -> ModuleType:
    """Load a module, with the collector off: what is loaded stays, and it would look for garbage hundreds of times."""
    if package + home in sys.modules or not (gc.isenabled() or _loading):
        return import_module(home, package)
    try:
        _loading.append(home)
        gc.disable()
        return import_module(home, package)
    finally:
        try:
            if len(_loading) == 1:
                _let_it_be_old()
        finally:
            del _loading[-1:]
            if not _loading:
                gc.enable()


def _let_it_be_old() -> None:
    """What was loaded counts as old: the next look at what is young would go through all of it, for 10 ms.

    Freezing takes all objects out of the generations, and what is thawed is put into the oldest; neither looks at any.
    """
    if gc.get_freeze_count():
        # Somebody has frozen what there was, and it would be thawed too.
        return
    try:
        _freezing.append(True)
        gc.freeze()
    finally:
        gc.unfreeze()
        _freezing.clear()


def _go_on_in_child() -> None:
    """In a forked child nobody ends what another thread was loading."""
    if _freezing:
        _freezing.clear()
        gc.unfreeze()
    if _loading:
        _loading.clear()
        gc.enable()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_go_on_in_child)
