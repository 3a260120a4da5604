"""Models of pydantic are stored as what they dump, and come back validated."""

from __future__ import annotations

import enum
import subprocess
import sys
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, TypeVar
from uuid import UUID

import pytest
from pydantic import (
    AliasChoices,
    AliasPath,
    AnyUrl,
    BaseModel,
    ConfigDict,
    Field,
    RootModel,
    SecretStr,
    field_serializer,
    field_validator,
)

from greenroom.runtime.model.errors import ApplicationError, PayloadDecodeError, PayloadEncodeError
from greenroom.runtime.model.payloads import Converter

T = TypeVar("T")
converter = Converter()


class Color(enum.Enum):
    RED = "red"


class Item(BaseModel):
    name: str
    price: Decimal
    color: Color | None = None
    sizes: set[int] = set()
    at: datetime | None = None


class Strict(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True)

    id: UUID = Field(alias="theId")
    item: Item
    more: dict[str, tuple[Item, ...]] = {}


class Page(BaseModel, Generic[T]):
    content: T
    next: Page[T] | None = None


class Names(RootModel[list[str]]):
    pass


class Cat(BaseModel):
    kind: Literal["cat"] = "cat"
    lives: int = 9


class Dog(BaseModel):
    kind: Literal["dog"] = "dog"
    lives: int = 1


class Twin(BaseModel):
    lives: int = 2


class Home(BaseModel):
    pet: Annotated[Cat | Dog, Field(discriminator="kind")]
    url: AnyUrl


class Extra(BaseModel):
    model_config = ConfigDict(extra="allow")

    known: int


class Even(BaseModel):
    number: int

    @field_validator("number")
    @classmethod
    def is_even(cls, number: int) -> int:
        if number == 13:
            raise RuntimeError("unlucky")
        if number == 15:
            raise ApplicationError("never", non_retryable=True)
        if number % 2:
            raise ValueError("it is odd")
        return number


class Vault(BaseModel):
    secret: SecretStr


class OpenVault(Vault):
    @field_serializer("secret")
    def opened(self, secret: SecretStr) -> str:
        return secret.get_secret_value()


@dataclass
class Order:
    items: list[Item]
    by: Cat | Twin | None = None


ITEM = Item(name="tea", price=Decimal("1.50"), color=Color.RED, sizes={1, 2}, at=datetime(2030, 1, 1, fold=1))
STRICT = Strict(theId=UUID(int=1), item=ITEM, more={"a": (ITEM,)})
CASES: list[tuple[Any, Any]] = [
    (ITEM, Item),
    (STRICT, Strict),
    ([ITEM, None], list[Item | None]),
    ({"a": (STRICT,)}, dict[str, tuple[Strict, ...]]),
    (Order([ITEM], Twin()), Order),
    (Page[int](content=1, next=Page[int](content=2)), Page[int]),
    (Page[Item](content=ITEM), Page[Item]),
    (Names(["a", "b"]), Names),
    ([Cat(), Dog(), Twin(), Cat(lives=1)], list[Cat | Dog | Twin]),
    (Cat(), Annotated[Cat | Dog, Field(discriminator="kind")]),
    (Home(pet=Dog(), url=AnyUrl("https://example.org/a")), Home),
    (AnyUrl("https://example.org/a"), AnyUrl),
    (Extra.model_validate({"known": 1, "other": [1]}), Extra),
    (OpenVault(secret=SecretStr("abc")), OpenVault),
]


@pytest.mark.parametrize(("value", "hint"), CASES, ids=str)
def test_a_model_comes_back_as_itself_under_its_annotation(value: Any, hint: Any) -> None:
    found = converter.decode(converter.encode(value), hint)

    assert found == value
    assert type(found) is type(value)
    assert converter.decode_args(converter.encode_args((value,)), (hint,)) == [value]


def test_models_in_a_union_are_told_apart_by_their_class_whatever_its_order() -> None:
    data = converter.encode([Cat(), Twin()])

    for hint in (list[Cat | Twin], list[Twin | Cat]):
        assert [type(value) for value in converter.decode(data, hint)] == [Cat, Twin]


def test_without_an_annotation_a_model_is_a_dict_of_what_it_dumps() -> None:
    assert converter.decode(converter.encode(STRICT)) == {
        "id": UUID(int=1),
        "item": {"name": "tea", "price": Decimal("1.50"), "color": "red", "sizes": {1, 2}, "at": ITEM.at},
        "more": {"a": ({**ITEM.model_dump(), "color": "red"},)},
    }
    assert converter.decode(converter.encode(Names(["a"]))) == {"root": ["a"]}


@pytest.mark.parametrize("value", [{"name": "tea", "price": "1.50"}, {"name": "tea", "price": 1.5, "color": "red"}])
def test_plain_data_becomes_a_model_if_it_is_valid(value: Any) -> None:
    assert type(converter.decode(converter.encode(value), Item)) is Item


def test_a_strict_model_stays_strict_to_what_it_has_not_dumped() -> None:
    with pytest.raises(PayloadDecodeError, match="theId: Input should be an instance of UUID"):
        converter.decode(converter.encode({"theId": str(UUID(int=1)), "item": {"name": "a", "price": "1"}}), Strict)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ({"number": 1}, "no Even: number: Value error, it is odd"),
        ({"number": 13}, "no Even: RuntimeError: unlucky"),
        ({}, "no Even: number: Field required"),
        (7, "an int where Even is annotated"),
    ],
)
def test_what_a_validator_refuses_is_a_decode_error(value: Any, reason: str) -> None:
    with pytest.raises(PayloadDecodeError, match=reason):
        converter.decode(converter.encode(value), Even)


def test_a_failure_that_a_validator_raises_is_let_through() -> None:
    with pytest.raises(ApplicationError, match="never"):
        converter.decode(converter.encode({"number": 15}), Even)


def test_the_reason_does_not_show_what_was_sent() -> None:
    with pytest.raises(PayloadDecodeError) as caught:
        converter.decode(converter.encode({"number": "hidden"}), Even)

    assert "hidden" not in str(caught.value)


def test_a_record_of_another_class_with_other_fields_is_no_model() -> None:
    with pytest.raises(PayloadDecodeError, match="where Cat is annotated"):
        converter.decode(converter.encode(Even(number=2)), Cat)


def test_a_secret_is_refused_rather_than_stored_as_stars() -> None:
    with pytest.raises(PayloadEncodeError, match=r"value\['secret'\]: a SecretStr would be stored as stars"):
        converter.encode(Vault(secret=SecretStr("abc")))


def test_what_cannot_be_dumped_is_an_encode_error() -> None:
    class Broken(BaseModel):
        number: int

        @field_serializer("number")
        def fail(self, number: int) -> int:
            raise RuntimeError("broken")

    with pytest.raises(PayloadEncodeError, match=r"no .*Broken to store: .*broken"):
        converter.encode(Broken(number=1))


class Hooked:
    """Tells pydantic that it wants to be checked, in a way that pydantic does not understand."""

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: object) -> Any:
        raise RuntimeError("no schema")


def test_a_class_that_pydantic_cannot_take_is_an_encode_and_a_decode_error() -> None:
    with pytest.raises(PayloadEncodeError, match="no schema"):
        converter.encode(Hooked())
    with pytest.raises(PayloadDecodeError, match="no schema"):
        converter.decode(converter.encode(1), Hooked)


def test_pydantic_is_not_loaded_unless_somebody_else_has() -> None:
    program = (
        "import sys\n"
        "from dataclasses import dataclass\n"
        "from greenroom import Converter, Runtime, workflow\n"
        "@dataclass\n"
        "class A:\n"
        "    x: int\n"
        "c = Converter()\n"
        "assert c.decode(c.encode([A(1)]), list[A | None]) == [A(1)]\n"
        "assert 'pydantic' not in sys.modules\n"
    )

    root = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")


class Table(RootModel[dict[str, int]]):
    pass


@pytest.mark.parametrize("rows", [{"root": 1}, {"root": 1, "a": 2}, {}], ids=str)
def test_a_root_that_is_a_dict_comes_back_whatever_its_keys(rows: dict[str, int]) -> None:
    assert converter.decode(converter.encode(Table(rows)), Table) == Table(rows)


class Crossed(BaseModel):
    """The alias of each field is the name of the other one."""

    left: int = Field(alias="right")
    right: int = Field(validation_alias=AliasChoices("left", AliasPath("both", 0)))


class HoldsCrossed(BaseModel):
    by_name: dict[str, list[Crossed | None]]
    again: HoldsCrossed | None = None


def test_aliases_that_are_names_of_other_fields_do_not_swap_them() -> None:
    crossed = Crossed.model_validate({"right": 1, "left": 2})
    value = HoldsCrossed(by_name={"a": [crossed, None]}, again=HoldsCrossed(by_name={}))

    assert converter.decode(converter.encode(crossed), Crossed) == crossed
    assert converter.decode(converter.encode(value), HoldsCrossed) == value


@dataclass
class CrossedPair:
    both: tuple[Crossed, Crossed]


class HoldsPair(BaseModel):
    pair: CrossedPair


def test_aliases_that_cross_in_a_dataclass_of_a_model_do_not_swap_fields() -> None:
    first, second = (Crossed.model_validate({"right": number, "left": -number}) for number in (1, 2))
    value = HoldsPair(pair=CrossedPair((first, second)))

    assert converter.decode(converter.encode(value), HoldsPair) == value


def test_a_model_that_would_dump_its_aliases_is_stored_by_its_names() -> None:
    class Dumping(BaseModel):
        model_config = ConfigDict(serialize_by_alias=True)

        number: int = Field(alias="theNumber")

    assert converter.decode(converter.encode(Dumping(theNumber=1))) == {"number": 1}
