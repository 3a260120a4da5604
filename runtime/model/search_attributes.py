"""Search attributes as people write them: typed keys, pairs of key and value, and changes of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, ClassVar, Generic, NamedTuple, TypeVar, overload

import msgspec

from .articles import with_article
from .attribute_values import (
    Changes,
    SearchAttributeIndexedValueType,
    Stored,
    check_attributes,
    check_name,
    checked_value,
    shown,
)

__all__ = [
    "SearchAttributeKey",
    "SearchAttributePair",
    "SearchAttributeUpdate",
    "TypedSearchAttributes",
    "changes_of",
    "checked_start",
    "stored_of",
    "typed_of",
]

T = TypeVar("T")
D = TypeVar("D")

_Type = SearchAttributeIndexedValueType


class _KeyMaker(Generic[T]):
    """Makes the keys of one type: ``for_text(name)`` and its like."""

    __slots__ = ("_type",)

    def __init__(self, indexed_value_type: SearchAttributeIndexedValueType) -> None:
        self._type = indexed_value_type

    def __call__(self, name: str) -> SearchAttributeKey[T]:
        """A key of that type.

        Args:
            name: the name of the attribute.

        Raises:
            TypeError, ValueError: the name cannot be one.
        """
        return SearchAttributeKey(name, self._type)


class SearchAttributeKey(msgspec.Struct, Generic[T], frozen=True):
    """The name and the type of a search attribute; ``for_text`` and its like make it.

    Args:
        name: its name, 1 to 128 bytes of UTF-8.
        indexed_value_type: its type.

    Attributes:
        for_text: makes a key of text, which is searched by its words.
        for_keyword: … of text that is compared as a whole.
        for_int: … of whole numbers of up to 64 bits.
        for_float: … of floats.
        for_bool: … of true and false.
        for_datetime: … of instants: aware datetimes, which come back in UTC.
        for_keyword_list: … of several keywords, each of which finds the run; they come back as a list.

    Raises:
        TypeError: the name is no string, or the type is none.
        ValueError: the name cannot be one.
    """

    for_text: ClassVar[_KeyMaker[str]] = _KeyMaker(_Type.TEXT)
    for_keyword: ClassVar[_KeyMaker[str]] = _KeyMaker(_Type.KEYWORD)
    for_int: ClassVar[_KeyMaker[int]] = _KeyMaker(_Type.INT)
    for_float: ClassVar[_KeyMaker[float]] = _KeyMaker(_Type.DOUBLE)
    for_bool: ClassVar[_KeyMaker[bool]] = _KeyMaker(_Type.BOOL)
    for_datetime: ClassVar[_KeyMaker[datetime]] = _KeyMaker(_Type.DATETIME)
    for_keyword_list: ClassVar[_KeyMaker[Sequence[str]]] = _KeyMaker(_Type.KEYWORD_LIST)

    name: str
    indexed_value_type: SearchAttributeIndexedValueType

    def __post_init__(self) -> None:
        check_name(self.name)
        if self.indexed_value_type.__class__ is not SearchAttributeIndexedValueType:
            raise TypeError(f"{self.indexed_value_type!r} is no member of SearchAttributeIndexedValueType")

    def value_set(self, value: T) -> SearchAttributeUpdate[T]:
        """The change that gives the attribute a value.

        Args:
            value: of the key's type; an empty list takes the attribute away.

        Raises:
            TypeError: it is not of the key's type.
            ValueError: it cannot be stored, or is larger than allowed.
        """
        checked_value(self.name, self.indexed_value_type, value)
        return SearchAttributeUpdate(self, value)

    def value_unset(self) -> SearchAttributeUpdate[T]:
        """The change that takes the attribute away."""
        return SearchAttributeUpdate(self, None)


class SearchAttributeUpdate(msgspec.Struct, Generic[T], frozen=True):
    """A change of one search attribute: ``value_set`` and ``value_unset`` of its key make it.

    Attributes:
        key: the attribute.
        value: its new value; None takes it away.

    Args:
        key, value: as above.
    """

    key: SearchAttributeKey[T]
    value: T | None


class SearchAttributePair(NamedTuple, Generic[T]):
    """A search attribute and its value.

    Attributes:
        key: the attribute.
        value: of the key's type.

    Args:
        key, value: as above.
    """

    key: SearchAttributeKey[T]
    value: T


class TypedSearchAttributes:
    """The search attributes of a run; it does not change.

    Args:
        search_attributes: pairs of key and value, each name once.

    Raises:
        TypeError: something is no pair, or a value is not of its key's type.
        ValueError: a name is there twice, or a value cannot be stored.
    """

    __slots__ = ("_pairs",)

    empty: ClassVar[TypedSearchAttributes]

    def __init__(self, search_attributes: Iterable[SearchAttributePair[Any]] = ()) -> None:
        pairs: dict[str, SearchAttributePair[Any]] = {}
        for pair in search_attributes:
            if not isinstance(pair, tuple) or len(pair) != 2 or not isinstance(pair[0], SearchAttributeKey):  # pyright: ignore[reportUnnecessaryIsInstance, reportUnnecessaryComparison]
                raise TypeError(f"{pair!r} is no search attribute; give SearchAttributePair(key, value)")
            key, value = pair
            if key.name in pairs:
                raise ValueError(f"the search attribute {key.name!r} is given twice; give one value for it")
            checked_value(key.name, key.indexed_value_type, value)
            pairs[key.name] = SearchAttributePair(key, value)
        self._pairs = pairs

    @property
    def search_attributes(self) -> tuple[SearchAttributePair[Any], ...]:
        """The pairs, in the order given."""
        return tuple(self._pairs.values())

    def __len__(self) -> int:
        return len(self._pairs)

    def __iter__(self) -> Iterator[SearchAttributePair[Any]]:
        return iter(self._pairs.values())

    def __contains__(self, key: object) -> bool:
        """Whether there is a value for a key."""
        return isinstance(key, SearchAttributeKey) and self._found(key) is not None  # pyright: ignore[reportUnknownArgumentType]

    def __getitem__(self, key: SearchAttributeKey[T]) -> T:
        """The value of a key; ``KeyError`` if there is none, ``TypeError`` if it is no key."""
        pair = self._found(key)
        if pair is None:
            raise KeyError(key.name)
        value: T = pair.value
        return value

    @overload
    def get(self, key: SearchAttributeKey[T]) -> T | None: ...
    @overload
    def get(self, key: SearchAttributeKey[T], default: D) -> T | D: ...
    def get(self, key: SearchAttributeKey[T], default: Any = None) -> Any:
        """The value of a key, or ``default`` if there is none.

        Args:
            key: the attribute; of the same name and another type there is none.
            default: given instead.

        Raises:
            TypeError: it is no key.
        """
        pair = self._found(key)
        return default if pair is None else pair.value

    def updated(self, *search_attributes: SearchAttributePair[Any]) -> TypedSearchAttributes:
        """The same with other or more values.

        Args:
            *search_attributes: pairs of key and value; each takes the place of that of the same name.

        Raises:
            TypeError, ValueError: as for the class.
        """
        changed = TypedSearchAttributes(search_attributes)
        return TypedSearchAttributes({**self._pairs, **changed._pairs}.values())

    def _found(self, key: SearchAttributeKey[Any]) -> SearchAttributePair[Any] | None:
        if not isinstance(key, SearchAttributeKey):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"{key!r} is no key; give that of its type, as SearchAttributeKey.for_keyword({key!r})")
        pair = self._pairs.get(key.name)
        return pair if pair is not None and pair.key == key else None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TypedSearchAttributes) and stored_of(self) == stored_of(other)

    def __hash__(self) -> int:
        return hash(frozenset(self._pairs))

    def __repr__(self) -> str:
        return f"TypedSearchAttributes({ {pair.key.name: pair.value for pair in self} })"


TypedSearchAttributes.empty = TypedSearchAttributes()


def stored_of(attributes: TypedSearchAttributes) -> Stored:
    """Attributes as they are stored; an empty list is not there."""
    stored: Stored = {}
    for key, value in attributes:
        plain = checked_value(key.name, key.indexed_value_type, value)
        if plain is not None:
            stored[key.name] = key.indexed_value_type, plain
    return stored


def typed_of(stored: Stored) -> TypedSearchAttributes:
    """Stored attributes as people see them."""
    if not stored:
        return TypedSearchAttributes.empty
    return TypedSearchAttributes(
        SearchAttributePair(SearchAttributeKey(name, _Type(kind)), shown(kind, value))
        for name, (kind, value) in stored.items()
    )


def changes_of(updates: Sequence[SearchAttributeUpdate[Any]]) -> Changes:
    """Changes as they are stored.

    Raises:
        TypeError: something is no change, or a value is not of its key's type.
        ValueError: a value cannot be stored, or an attribute is changed twice.
    """
    changes: dict[str, tuple[int, Any]] = {}
    if not isinstance(updates, Sequence):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"{updates!r} is no list of changes; give [key.value_set(…), …]")
    for update in updates:
        if not isinstance(update, SearchAttributeUpdate) or not isinstance(update.key, SearchAttributeKey):  # pyright: ignore[reportUnnecessaryIsInstance, reportUnknownMemberType]
            raise TypeError(
                f"{update!r} is no change of a search attribute; give key.value_set(…) or key.value_unset()"
            )
        key, value = update.key, update.value
        if key.name in changes:
            raise ValueError(f"the search attribute {key.name!r} is changed twice in one call; give one change of it")
        plain = None if value is None else checked_value(key.name, key.indexed_value_type, value)
        changes[key.name] = key.indexed_value_type, plain
    return changes


def checked_start(attributes: object) -> Stored:
    """The attributes of a start as they are stored.

    Raises:
        TypeError: it is something else.
        ValueError: they are too many, or too large together.
    """
    if not isinstance(attributes, TypedSearchAttributes):
        raise TypeError(
            f"search_attributes is {with_article(type(attributes).__name__)}; "
            "give TypedSearchAttributes([SearchAttributePair(key, value), …])"
        )
    stored = stored_of(attributes)
    check_attributes(stored)
    return stored
