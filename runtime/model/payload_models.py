"""The one seam to pydantic: its models, and the classes that only it knows.

Nothing here loads pydantic unless a value or an annotation is of a class that was made with it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from .articles import with_article
from .payload_fits import LAX, NAMED, RENAMED, Converter, coded, is_called, label, misfit
from .payload_tags import RECORD, Node, Unfit, is_kind, kind_of, name_of, untag
from .work_errors import FailureError

if TYPE_CHECKING:
    from pydantic import TypeAdapter

__all__ = ["adapted", "dump", "dump_adapted", "is_adapted", "is_model", "model"]

_ROOT = "root"  # how pydantic calls what a model holds that is no mapping
_MOST = 5  # errors of one validation that are told


def is_model(cls: Any) -> bool:
    """Whether it is a pydantic model."""
    return hasattr(cls, "__pydantic_fields_set__")


def is_adapted(cls: Any) -> bool:
    """Whether it says to pydantic how its values are checked."""
    return hasattr(cls, "__get_pydantic_core_schema__")


def dump(value: Any) -> dict[Any, Any]:
    """The fields of a model, by their names, as its own serializers give them.

    Raises:
        Unfit: it cannot be dumped.
    """
    found: Any = _tried(
        lambda: value.model_dump(round_trip=True, by_alias=False, warnings="none"), f"no {label(type(value))} to store"
    )
    # What looks as if it were wrapped is wrapped too.
    is_whole = kind_of(found) is dict and not (found.keys() == {_ROOT} and _is_wrapping(type(value)))
    whole: dict[Any, Any] = found if is_whole else {_ROOT: found}
    return whole


def _is_wrapping(cls: Any) -> bool:
    """Whether a dump of it that has only a root stands for what is in that."""
    return _ROOT not in cls.model_fields or cls.__pydantic_root_model__


def dump_adapted(value: Any) -> object:
    """What pydantic makes of a value of a class that is none of its models.

    Raises:
        Unfit: it cannot be dumped, or is a secret, which pydantic would replace by stars.
    """
    if hasattr(value, "get_secret_value"):
        raise Unfit(
            f"{with_article(label(type(value)))} would be stored as stars; "
            "give its field a serializer, or the converter a TypeCodec"
        )
    return _tried(lambda: _adapter(kind_of(value)).dump_python(value, mode="json"), f"no {label(type(value))} to store")


def model(cls: Any) -> Converter:
    name = name_of(cls)
    names = {*cls.model_fields, *(field.alias for field in cls.model_fields.values())}

    def convert(tree: Any, slack: int) -> Any:
        is_same = False
        if kind_of(tree) is Node and tree.code == RECORD and is_called(tree.name, name, slack):
            content, is_same = tree.content, is_called(tree.name, name, RENAMED)
            if not is_same and not all(key in names for key in content):
                raise misfit(cls, tree)
        elif kind_of(tree) is dict and slack == LAX:
            content = tree
        else:
            return coded(cls, tree)
        value = untag(content)
        if value.keys() == {_ROOT} and _is_wrapping(cls):
            value = value[_ROOT]
        # What it has dumped itself is not what a strict model would take: dicts for the models in it.
        strict = False if is_same else None
        validate = cls.model_validate

        def validated() -> Any:
            by_alias = not (is_same and _is_crossed(cls))
            return validate(value, strict=strict, by_alias=by_alias, by_name=True)

        return _tried(validated, f"no {label(cls)}")

    return convert


@lru_cache(256)
def _is_crossed(cls: Any) -> bool:
    """Whether in this model, or in anything that it holds, the alias of a field is the name of another one: an alias
    comes first with pydantic, and a dump has names."""
    parts: list[Any] = [cls.__pydantic_core_schema__]
    for part in parts:  # which grows
        if is_kind(kind_of(part), Mapping):
            fields = _fields_in(part)
            if any(alias != name and alias in fields for name, field in fields.items() for alias in _aliases(field)):
                return True
            parts += [value for key, value in part.items() if key not in _VALUES]
        elif kind_of(part) in (list, tuple):
            parts += part
    return False


_VALUES = {"default", "expected", "metadata"}  # of the user's, in a schema


def _fields_in(schema: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The fields of a model, a dataclass or a typed dict, by their names; none of any other schema."""
    kind = schema.get("type")
    if kind == "dataclass-args":
        return {field["name"]: field for field in schema["fields"]}
    return dict(schema["fields"]) if kind in ("model-fields", "typed-dict") else {}


def _aliases(field: Mapping[str, Any]) -> list[Any]:
    """What a field may be called, of a path its first step."""
    found: Any = field.get("validation_alias")
    if kind_of(found) is not list:
        return [found]
    return [path[0] for path in found] if kind_of(found[0]) is list else [found[0]]


def adapted(cls: Any) -> Converter:
    def convert(tree: Any, slack: int) -> Any:
        value = untag(tree)
        if isinstance(value, cls):
            return value
        if slack < NAMED:
            raise misfit(cls, tree)
        return _tried(lambda: _adapter(cls).validate_python(value), f"no {label(cls)}")

    return convert


@lru_cache(256)
def _adapter(cls: Any) -> TypeAdapter[Any]:
    from pydantic import TypeAdapter

    return TypeAdapter(cls)


def _tried(call: Callable[[], Any], what: str) -> Any:
    try:
        return call()
    except FailureError:
        raise  # it is meant to fail whoever sends or reads the value
    except Exception as err:  # validators and serializers of the user's may raise anything
        raise Unfit(f"{what}: {_reason(err)}") from err


def _reason(err: Exception) -> str:
    """What pydantic has found wrong, without the values: they may be secret, or long."""
    errors: Callable[..., list[dict[str, Any]]] | None = getattr(err, "errors", None)
    if errors is None:
        return f"{type(err).__name__}: {err}"
    found = errors(include_url=False, include_context=False, include_input=False)
    told = [": ".join(filter(None, (".".join(map(str, one["loc"])), one["msg"]))) for one in found[:_MOST]]
    return "; ".join(told) + (f"; and {len(found) - _MOST} more" if len(found) > _MOST else "")
