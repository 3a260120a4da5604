"""Where actors of greenroom do something else than pykka's: the one list of it.

A claim that stands here must fail for ours, one that does not must hold for both: the suite checks both.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["DEVIATIONS", "Deviation"]


class Deviation(NamedTuple):
    """One claim that holds for pykka's actors alone.

    Attributes:
        claim: the name of its test.
        ours: what ours does instead.
        why: why it does.
    """

    claim: str
    ours: str
    why: str


DEVIATIONS = (
    Deviation(
        "test_an_actor_may_wait_for_another_one",
        "a blocking get(), ask() or stop() inside an actor raises BlockingCallError, unless it need not wait",
        "the thread that waited would be the one that runs the other actor",
    ),
    Deviation(
        "test_each_actor_has_a_thread_of_its_own",
        "actors share the thread of their dispatcher",
        "a thread for each is 20 kB and more, 32,768 at most, and slow to switch",
    ),
    Deviation(
        "test_a_base_exception_stops_every_actor",
        "a BaseException stops the actor that raised it, whose on_failure is called, and no other",
        "one cancelled coroutine would stop everything that runs in the process",
    ),
    Deviation(
        "test_who_asked_for_what_raises_a_base_exception_is_not_answered",
        "who asked gets ActorDeadError, whose cause is what was raised",
        "nobody should wait for ever",
    ),
    Deviation(
        "test_the_program_goes_on_until_its_actors_have_stopped",
        "the thread of a dispatcher is a daemon: the program ends without them; ActorRegistry.stop_all() waits",
        "a program that has come to its end should not hang in a library",
    ),
    Deviation(
        "test_failures_are_logged_by_the_logger_pykka",
        "they are logged by greenroom.actors; what pykka's own code says is still logged by pykka",
        "one name for everything that this library logs",
    ),
    Deviation(
        "test_an_attribute_of_an_actor_may_have_any_name",
        "dispatcher cannot be set: it is what runs the actor",
        "supervisors and tests need it, and a name with an underscore would be no interface",
    ),
)
