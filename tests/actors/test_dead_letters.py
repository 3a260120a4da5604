from __future__ import annotations

import pytest

from greenroom.actors import DeadLetter, DeadLetters


def test_the_latest_letters_are_kept_and_all_are_counted() -> None:
    letters = DeadLetters(limit=2)

    for number in range(3):
        letters.put("nobody there", number)

    assert letters.count == 3
    assert letters.latest() == [DeadLetter("nobody there", 1), DeadLetter("nobody there", 2)]


def test_the_log_has_one_line_for_a_flood_and_never_the_message_itself(caplog: pytest.LogCaptureFixture) -> None:
    letters = DeadLetters()

    for _ in range(100):
        letters.put("its actor has stopped", "a secret")

    assert [record.getMessage() for record in caplog.records] == ["Dead letter: a str, its actor has stopped"]


def test_subscribers_hear_of_each_letter_though_one_of_them_raises(caplog: pytest.LogCaptureFixture) -> None:
    letters, heard = DeadLetters(), list[DeadLetter]()

    def fail(letter: DeadLetter) -> None:
        raise RuntimeError("mine")

    letters.subscribe(fail)
    unsubscribe = letters.subscribe(heard.append)
    letters.put("gone", 1)
    unsubscribe()
    unsubscribe()
    letters.put("gone", 2)

    assert heard == [DeadLetter("gone", 1)]
    assert "subscriber of the dead letters" in caplog.text
