from __future__ import annotations

from functools import partial

from hypothesis import given
from hypothesis import strategies as st

from greenroom.actors import Deadline, Deadlines


def test_deadlines_come_due_in_order_of_time_and_of_addition() -> None:
    deadlines, called = Deadlines(), list[str]()
    for at_ns, name in [(20, "c"), (10, "a"), (20, "d"), (10, "b"), (30, "e")]:
        deadlines.add(at_ns, partial(called.append, name))

    for call in deadlines.pop_due(20):
        call()

    assert called == ["a", "b", "c", "d"]
    assert deadlines.next_ns() == 30
    assert len(deadlines) == 1


def test_a_cancelled_deadline_is_forgotten() -> None:
    deadlines, called = Deadlines(), list[int]()
    first = deadlines.add(1, lambda: called.append(1))
    deadlines.add(2, lambda: called.append(2))

    first.cancel()
    first.cancel()

    assert deadlines.next_ns() == 2
    assert not first.is_pending
    assert repr(first) == "<Deadline at_ns=1 over>"


def test_a_deadline_cancelled_by_one_due_before_it_is_not_called() -> None:
    deadlines, called = Deadlines(), list[str]()
    deadlines.add(1, lambda: second.cancel())
    second = deadlines.add(2, lambda: called.append("second"))

    for call in deadlines.pop_due(2):
        call()

    assert called == []
    assert deadlines.next_ns() is None


def test_a_deadline_is_called_once() -> None:
    deadlines, called = Deadlines(), list[int]()
    deadlines.add(1, lambda: called.append(1))
    (call,) = deadlines.pop_due(1)

    call()
    call()

    assert called == [1]


@given(st.lists(st.tuples(st.sampled_from(["add", "cancel", "pop"]), st.integers(0, 50)), max_size=200))
def test_deadlines_behave_as_a_sorted_list(operations: list[tuple[str, int]]) -> None:
    deadlines = Deadlines()
    model: dict[int, tuple[int, int]] = {}
    handles: dict[int, Deadline] = {}
    called: list[int] = []
    for number, (operation, value) in enumerate(operations):
        if operation == "add":
            handles[number] = deadlines.add(value, partial(called.append, number))
            model[number] = (value, number)
        elif operation == "cancel" and handles:
            chosen = list(handles)[value % len(handles)]
            handles.pop(chosen).cancel()
            model.pop(chosen, None)
        elif operation == "pop":
            expected = [number for number in sorted(model, key=model.__getitem__) if model[number][0] <= value]
            called.clear()
            for call in deadlines.pop_due(value):
                call()
            assert called == expected
            for due in expected:
                del model[due]

        assert len(deadlines) == len(model)
        assert deadlines.next_ns() == (min(model.values())[0] if model else None)
