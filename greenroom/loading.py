"""How a package loads what it names when that is first used: ``import greenroom`` stays cheap, and so do its parts."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Mapping
from importlib import import_module
from types import ModuleType
from typing import Any

__all__ = ["later"]

# What is being loaded with the collector off.
_loading: list[str] = []


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
    if not (gc.isenabled() or _loading):
        return import_module(home, package)
    _loading.append(home)
    gc.disable()
    try:
        return import_module(home, package)
    finally:
        del _loading[-1:]
        if not _loading:
            _let_it_be_old()
            gc.enable()


def _let_it_be_old() -> None:
    """What was loaded counts as old: the next look at what is young would go through all of it, for 10 ms.

    Freezing takes all objects out of the generations, and what is thawed is put into the oldest; neither looks at any.
    """
    if not gc.get_freeze_count():
        # Nobody has frozen anything, which would be thawed too.
        gc.freeze()
        gc.unfreeze()


def _go_on_in_child() -> None:
    """In a forked child nobody ends what another thread was loading."""
    if _loading:
        _loading.clear()
        gc.enable()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_go_on_in_child)
