"""Which functions the strict net watches: those of the table of what is forbidden, and those that they come down to."""

from __future__ import annotations

import builtins
import io
import os
import random
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from types import BuiltinFunctionType, CodeType, MethodType
from typing import Any, NamedTuple

from ..model.forbidden import GROUPS, Group, instead_of

__all__ = ["Watched", "watched_functions"]


class Watched(NamedTuple):
    """One function that is watched.

    Attributes:
        name: as a program calls it.
        group: what it is watched for.
        unless: a parameter that makes a call repeatable if it is given.
    """

    name: str
    group: Group
    unless: str = ""


# What many functions come down to, and is no public name itself: module → names → the name of what it belongs to.
_BENEATH = (
    ("_thread", "start_new_thread start_joinable_thread", "threading.Thread"),
    ("_posixsubprocess", "fork_exec", "subprocess.Popen"),
    ("_socket", "getaddrinfo gethostbyname gethostbyaddr getnameinfo", "socket.getaddrinfo"),
    ("_uuid", "generate_time_safe", "uuid.uuid1"),
    ("posix", "open stat lstat listdir scandir fork posix_spawn system", "os.open"),
)

_BY_NAME = {name: group for group in GROUPS for name in group.names}
_MODULES = (builtins, io, os, random, socket, subprocess, threading, time, uuid)


def _is_watched(name: str) -> bool:
    """Whether every call is refused. Of some names that depends on the arguments, which cannot be seen."""
    found = instead_of(name)
    return found is not None and found.repeatable_from is None


# What is watched, the module that has it, with its class if it is a method of one, and what it is called there.
_NAMED = [
    (Watched(name, group), name.rpartition(".")[0], name.rpartition(".")[2])
    for name, group in _BY_NAME.items()
    if _is_watched(name)
]


def watched_functions() -> tuple[dict[BuiltinFunctionType, Watched], dict[int, Watched]]:
    """The functions to be watched that are loaded now.

    Returns:
        Those written in C; those written in Python, by the identity of their code.
    """
    in_c: dict[BuiltinFunctionType, Watched] = {}
    in_python: dict[int, Watched] = {}
    for watched, value in (*_named(), *_beneath(), *_of_the_environment()):
        function: Any = value
        if isinstance(value, type):
            function = vars(value).get("__init__")
        if isinstance(function, BuiltinFunctionType):
            in_c.setdefault(function, watched)
        code = getattr(getattr(function, "__func__", function), "__code__", None)
        if isinstance(code, CodeType):
            in_python.setdefault(id(code), watched)
    return in_c, in_python


def _named() -> Iterator[tuple[Watched, object]]:
    for watched, path, name in _NAMED:
        module = sys.modules.get(path)
        if module is None:
            above, _, cls = path.rpartition(".")
            module = getattr(sys.modules.get(above), cls, None)
        value = getattr(module, name, None)
        # The code of a method is that of every instance, the run's own generator included. Those come down to
        # functions in C, which know their instance.
        is_method = isinstance(value, MethodType) and not isinstance(value.__self__, type)
        if value is not None and not is_method:
            yield watched, value
    yield Watched("random.Random", _BY_NAME["random.Random"], unless="x"), random.Random


def _beneath() -> Iterator[tuple[Watched, object]]:
    for module, names, name in _BENEATH:
        for each in names.split():
            value = getattr(sys.modules.get(module), each, None)
            own = f"os.{each}" if module == "posix" else name
            group = _BY_NAME.get(own) or _BY_NAME.get(name) or _BY_NAME["subprocess.*"]
            if value is not None:
                yield Watched(own, group), value


def _of_the_environment() -> Iterator[tuple[Watched, object]]:
    for name in ("__getitem__", "__setitem__", "__delitem__", "__iter__", "__len__"):
        yield Watched("os.environ", _BY_NAME["os.environ"]), getattr(type(os.environ), name)
