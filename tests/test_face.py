"""The face holds together: what is public is there, documented to its last parameter, and named in the pages."""

from __future__ import annotations

import ast
import builtins
import enum
import inspect
import queue
import re
import textwrap
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from pkgutil import iter_modules
from types import ModuleType
from typing import Any, Unpack, get_args, get_origin, get_overloads, get_type_hints

import pytest

import greenroom
from greenroom import Runtime, activity, actors, pytest_plugin, storage, testing, workflow
from greenroom.runtime.model import errors as errors_module
from greenroom.runtime.model.errors import GreenroomError
from greenroom.testing import TestRuntime
from tests.examples.test_pages import options_of

ROOT = Path(__file__).resolve().parents[1]
GUIDE = (ROOT / "docs" / "guide.md").read_text(encoding="utf-8")
TESTING = (ROOT / "docs" / "testing.md").read_text(encoding="utf-8")

FACES: dict[str, ModuleType] = {
    "greenroom": greenroom,
    "greenroom.activity": activity,
    "greenroom.actors": actors,
    "greenroom.pytest_plugin": pytest_plugin,
    "greenroom.storage": storage,
    "greenroom.testing": testing,
    "greenroom.workflow": workflow,
    "greenroom.workflow.unsafe": workflow.unsafe,
}
# Where the name of an error that is promised can come from.
SCOPES: list[Any] = [builtins, queue, storage, *FACES.values()]

SECTION = re.compile(r"^(Args|Attributes|Returns|Raises)(?: \([\w ]+\))?:$")
ENTRY = re.compile(r"^    (\*{0,2}[\w.]+(?:, \*{0,2}[\w.]+)*): ")


def ours(cls: type) -> list[type]:
    """A class and its bases, as far as they are of the library."""
    return [each for each in cls.__mro__ if each.__module__.partition(".")[0] == "greenroom"]


def members(cls: type) -> Iterator[tuple[str, Any]]:
    """The public methods and properties of a class, those of its bases first."""
    for each in reversed(ours(cls)):
        for name, value in vars(each).items():
            plain = getattr(value, "__func__", value)
            if not name.startswith("_") and (isinstance(plain, property) or inspect.isfunction(plain)):
                yield name, plain


# Of the storage only a part is public, as it says itself; all other faces are so to the last name.
OF_STORAGE = {"Durability", "Journal", "MemoryStore", "Problem", "RunHeader", "Turn", "check"} | {
    name for name in storage.__all__ if name.endswith("Error")
}
OF_JOURNAL = {"close", "open"}


def is_public(name: str) -> bool:
    """Whether something that a face has belongs to its users."""
    _, _, of_storage = name.partition("greenroom.storage.")
    first, _, member = of_storage.partition(".")
    return not first or (first in OF_STORAGE and (first != "Journal" or member in OF_JOURNAL))


def everything() -> dict[str, Any]:
    """All that is public, members of classes too: what has several names is there under the first."""
    named: dict[str, Any] = {}
    for face, module in FACES.items():
        for name in module.__all__:
            value = getattr(module, name)
            named[f"{face}.{name}"] = value
            if isinstance(value, type):
                named |= {f"{face}.{name}.{key}": each for key, each in members(value)}
    first = {id(value): name for name, value in reversed(named.items())}
    return {name: value for name, value in named.items() if first[id(value)] == name and is_public(name)}


EVERYTHING = {name: value for name, value in everything().items() if not isinstance(value, ModuleType)}
CALLABLES = {name: value for name, value in EVERYTHING.items() if inspect.isfunction(value) or isinstance(value, type)}


def entries(doc: str | None, *sections: str) -> set[str]:
    """What the sections of a docstring list, without its stars."""
    found: set[str] = set()
    section = ""
    for line in inspect.cleandoc(doc or "").splitlines():
        if head := SECTION.match(line):
            section = head[1]
        elif line and not line.startswith(" "):
            section = ""
        elif section in sections and (entry := ENTRY.match(line)):
            found |= {name.lstrip("*") for name in entry[1].split(", ")}
    return found


def call_doc(value: Any) -> str:
    """The docstring that explains a call: that of a class stands where its constructor does."""
    if isinstance(value, type):
        value = next((each for each in ours(value) if "__init__" in vars(each)), value)
    return value.__doc__ or ""


def is_constructed(cls: type) -> bool:
    """Whether the library says how a class is called."""
    own = {key for each in ours(cls) for key in vars(each)}
    is_ours = hasattr(cls, "__struct_fields__") or not own.isdisjoint({"__init__", "__new__"})
    return is_ours and not issubclass(cls, enum.Enum) and not is_protocol(cls)


def is_protocol(value: Any) -> bool:
    return bool(getattr(value, "_is_protocol", False))


def parameters_of(value: Any) -> list[inspect.Parameter]:
    """What a caller can pass."""
    if isinstance(value, type):
        return list(inspect.signature(value).parameters.values()) if is_constructed(value) else []
    return [each for name, each in inspect.signature(value).parameters.items() if name not in ("self", "cls")]


def options_behind(function: Any, parameter: inspect.Parameter) -> set[str]:
    """The names that two stars stand for, as the function or its overloads say."""
    if parameter.kind is not parameter.VAR_KEYWORD or isinstance(function, type):
        return set()
    overloads: list[Callable[..., Any]] = [*get_overloads(function), function]
    hints = [get_type_hints(each).get(parameter.name) for each in overloads]
    return {name for hint in hints if get_origin(hint) is Unpack for name in get_args(hint)[0].__annotations__}


def is_error(name: str) -> bool:
    """Whether users can name this error."""
    found = [getattr(scope, name.rpartition(".")[2], None) for scope in SCOPES]
    return any(isinstance(each, type) and issubclass(each, BaseException) for each in found)


def raised_in(value: Any) -> set[str]:
    """The errors that users can name and that a function, or the constructor of a class, raises in its own text."""
    function = vars(value).get("__init__") if isinstance(value, type) else value
    if not inspect.isfunction(function) or is_protocol(value):
        return set()
    nodes = ast.walk(ast.parse(textwrap.dedent(inspect.getsource(function))))
    raised = [node.exc for node in nodes if isinstance(node, ast.Raise) and node.exc is not None]
    names = {ast.unparse(each.func if isinstance(each, ast.Call) else each) for each in raised}
    return set(filter(is_error, names))


def text_behind(name: str) -> str:
    """What stands behind the assignment of a value that cannot have a docstring."""
    for path in sorted((ROOT / "runtime").rglob("*.py")):
        for node, after in pairwise(ast.parse(path.read_bytes()).body):
            is_it = isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == name
            if is_it and isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
                return str(after.value.value)
    return ""


@pytest.mark.parametrize("face", FACES)
def test_the_names_of_a_face_are_sorted_and_there(face: str) -> None:
    names = FACES[face].__all__

    assert names == sorted(set(names), key=lambda name: (not name.isupper(), name))
    assert [name for name in names if getattr(FACES[face], name, None) is None or name not in dir(FACES[face])] == []


def test_the_storage_says_which_part_of_it_is_public() -> None:
    told = set(re.findall(r"``(\w+)``", storage.__doc__ or ""))

    assert told == OF_JOURNAL | {name for name in OF_STORAGE if not name.endswith("Error")} | {"StorageError"}
    for name in OF_STORAGE:
        assert getattr(storage, name).__doc__


def test_the_face_refuses_an_unknown_name() -> None:
    unknown = "nothing"

    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        getattr(greenroom, unknown)


def test_checkers_find_each_name_of_the_face_where_it_is_loaded_from() -> None:
    body = ast.parse(Path(str(greenroom.__file__)).read_bytes()).body
    for_checkers = next(node.body for node in body if isinstance(node, ast.If))
    (homes,) = (node.value for node in body if isinstance(node, ast.Assign) and isinstance(node.value, ast.Dict))
    imports = [node for node in for_checkers if isinstance(node, ast.ImportFrom)]
    seen = {alias.name: f".{node.module}" for node in imports for alias in node.names}
    modules = {name: f"{seen[name]}.{name}" for name in ("activity", "workflow")}

    assert seen | modules == ast.literal_eval(homes)
    assert sorted(seen) == greenroom.__all__


def test_what_is_public_is_documented() -> None:
    # What a number says of itself is what `int` says.
    own = {name: "" if isinstance(value, int) else inspect.getdoc(value) for name, value in EVERYTHING.items()}
    docs = {name: doc or text_behind(name.rpartition(".")[2]) for name, doc in own.items()}

    assert [name for name, doc in docs.items() if not doc.partition("\n\n")[0].endswith((".", "::"))] == []


def test_what_is_explained_are_parameters() -> None:
    def strangers(value: Any) -> set[str]:
        parameters = parameters_of(value)
        options = [options_behind(value, each) for each in parameters]
        return entries(call_doc(value), "Args") - {each.name for each in parameters}.union(*options)

    assert {name: found for name, value in CALLABLES.items() if (found := strangers(value))} == {}


def test_every_parameter_is_explained() -> None:
    def missing(value: Any) -> list[str]:
        parameters, doc = parameters_of(value), call_doc(value)
        explained = entries(doc, "Args", "Attributes") if isinstance(value, type) else entries(doc, "Args")
        # What a function of the library makes says so; a method without a docstring is explained by what it overrides.
        if not doc or re.search(r"\bmakes? it\b", doc) or (len(parameters) == 1 and not explained):
            return []
        options = {each.name: options_behind(value, each) for each in parameters}
        return [
            name for name, behind in options.items() if name not in explained and not (behind and behind <= explained)
        ]

    assert {name: found for name, value in CALLABLES.items() if (found := missing(value))} == {}


def test_an_error_that_is_raised_is_promised() -> None:
    silent = {name: raised_in(value) - entries(value.__doc__, "Raises") for name, value in CALLABLES.items()}

    assert {name: errors for name, errors in silent.items() if errors} == {}


def test_an_error_that_is_promised_can_be_named() -> None:
    promised = {(name, error) for name, value in EVERYTHING.items() for error in entries(value.__doc__, "Raises")}

    assert [(name, error) for name, error in promised if not is_error(error)] == []


def test_the_guide_names_every_option_of_a_runtime() -> None:
    assert [name for name in options_of(Runtime) if f"`{name}`" not in GUIDE] == []


@pytest.mark.parametrize("face", ["greenroom", "greenroom.activity", "greenroom.workflow"])
def test_the_guide_names_all_there_is_to_write_with(face: str) -> None:
    assert [name for name in FACES[face].__all__ if not re.search(rf"\b{name}\b", GUIDE)] == []


def test_the_page_on_testing_names_every_option_of_a_test_runtime() -> None:
    assert [name for name in options_of(TestRuntime) if f"`{name}`" not in TESTING] == []


def test_the_page_on_testing_names_everything_in_greenroom_testing() -> None:
    assert [name for name in testing.__all__ if name not in TESTING] == []


def test_a_traceback_names_an_error_as_it_is_imported() -> None:
    errors = [
        found
        for name in dir(errors_module)
        if isinstance(found := getattr(errors_module, name), type) and issubclass(found, GreenroomError)
    ]

    assert len(errors) > 40
    for error in errors:
        is_public = error.__name__ in greenroom.__all__
        assert (error.__module__ == "greenroom") is is_public
        assert not is_public or getattr(greenroom, error.__name__) is error


@pytest.mark.parametrize("kind", [greenroom.WorkflowHandle, Runtime, TestRuntime, greenroom.WorkflowUpdateHandle])
def test_the_types_of_public_methods_can_be_asked_for(kind: type) -> None:
    methods = [method for name, method in inspect.getmembers(kind, inspect.isfunction) if not name.startswith("_")]

    assert methods
    for method in methods:
        assert "return" in get_type_hints(method)


@pytest.mark.parametrize("face", [greenroom, actors, storage, testing])
def test_no_name_of_a_package_is_that_of_a_module_in_it(face: ModuleType) -> None:
    # Who imports the module makes it an attribute of the package, in the place of what is named so.
    assert {module.name for module in iter_modules(face.__path__)} & set(face.__all__) == set()


@pytest.mark.parametrize("face", [greenroom, actors, storage, testing])
def test_a_package_lists_what_it_loads_later(face: ModuleType) -> None:
    assert set(face.__all__) <= set(dir(face))
    assert [name for name in face.__all__ if getattr(face, name, None) is None] == []


def test_a_package_that_loads_later_refuses_other_names() -> None:
    for face in (greenroom, actors, storage, testing):
        with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
            vars(face)["__getattr__"]("nothing")
