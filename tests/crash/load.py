"""The load: workflows that signal each other, sleep, perform activities and take updates, each message with a token of
its own.

What a run does with a token follows from the token alone, so that every history can be judged without asking the run.
"""

from __future__ import annotations

import asyncio
import json
import os
from typing import Any

from greenroom import SearchAttributeKey, activity, workflow
from greenroom.runtime.model.errors import ActivityError, ApplicationError
from greenroom.runtime.model.retry import RetryPolicy

from .fates import Change, Parting, change_of, dice, parting_of
from .points import reach

__all__ = ["ATTEMPTS", "Order", "courier", "effect", "record_effects_to", "refuse", "settle"]

ATTEMPTS = 3
"""How often the activity ``counted`` may be begun."""

SOON = RetryPolicy(initial_interval=0.005, maximum_interval=0.02)
COUNTED = RetryPolicy(initial_interval=0.005, maximum_attempts=ATTEMPTS)

TAKEN = SearchAttributeKey.for_int("Taken")
LAST = SearchAttributeKey.for_keyword_list("Last")

_effects: list[int] = []


def record_effects_to(descriptor: int) -> None:
    """Have every effect of an activity written there, one line each."""
    _effects[:] = [descriptor]


def leave_effect(token: str) -> int:
    """Do what an activity does outside: append a line to a file that no journal knows of. Gives the attempt."""
    info = activity.info()
    reach("activity: begun, before its effect")
    line = json.dumps(["effect", info.run_id, int(info.activity_id), info.attempt, token]) + "\n"
    os.write(_effects[0], line.encode())
    reach("activity: effect done, before the report")
    return info.attempt


@activity.defn
def effect(token: str) -> str:
    """Always works."""
    leave_effect(token)
    return token


@activity.defn
async def effect_async(token: str) -> str:
    """Always works, on an event loop."""
    leave_effect(token)
    return token


@activity.defn(retry_policy=SOON)
def flaky(token: str) -> str:
    """Fails the first time."""
    if leave_effect(token) == 1:
        raise ApplicationError("not yet")
    return token


@activity.defn(retry_policy=COUNTED)
def counted(token: str) -> str:
    """May be begun ``ATTEMPTS`` times, crashes included; some never work."""
    attempt = leave_effect(token)
    if dice(token) % 3 == 0 or attempt == 1:
        raise ApplicationError("not this time")
    return token


async def settle(token: str) -> str:
    """What an update does, by its id."""
    match change := change_of(token):
        case Change.REFUSED_BY_A_BUG:
            raise RuntimeError(token.partition(":")[0])
        case Change.AFTER_AN_ACTIVITY | Change.FAILS_AFTER_AN_ACTIVITY:
            await workflow.execute_activity(effect, token)
        case Change.AFTER_A_SLEEP:
            await workflow.sleep(dice(token) % 40 / 1000)
        case _:
            pass
    if change.is_failure:
        raise ApplicationError(token, type="Failed")
    return f"done: {token}"


def refuse(token: str) -> None:
    """Refuse an update that is to be refused."""
    update_id = token.partition(":")[0]
    if change_of(update_id) is Change.REFUSED:
        raise ApplicationError(update_id, type="Refused")


@workflow.defn
class Order:
    """Takes items until it is told to finish, and returns the tokens in the order they came."""

    @workflow.init
    def __init__(self, peers: list[str]) -> None:
        self.peers = peers
        self.taken: list[str] = []
        self.sent = 0
        self.is_finishing = False

    @workflow.run
    async def run(self, peers: list[str]) -> list[str]:
        try:
            await self._finished()
        except asyncio.CancelledError:
            match parting_of(workflow.info().workflow_id):
                case Parting.ENDS:
                    raise
                case Parting.CLEANS_UP:
                    await workflow.execute_activity(effect, "clean")
                    raise
                case Parting.GOES_ON:
                    await self._finished()
        return self.taken

    async def _finished(self) -> None:
        await workflow.wait_condition(lambda: self.is_finishing and workflow.all_handlers_finished())

    @workflow.signal
    async def item(self, token: str) -> None:
        """What is done for a token."""
        self.taken.append(token)
        if dice(token) % 3 == 0:
            self._note(token)
        match dice(token) % 8:
            case 0:
                await workflow.execute_activity(effect, token)
            case 1:
                await workflow.execute_activity(effect_async, token)
            case 2:
                await workflow.execute_activity(flaky, token)
            case 3:
                try:
                    await workflow.execute_activity(counted, token)
                except ActivityError:
                    pass
            case 4:
                await workflow.sleep(dice(token) % 40 / 1000)
                await workflow.execute_activity(effect, token)
            case 5 | 6 if "/" not in token and self.peers:
                await self._send(self.peers[dice(token) % len(self.peers)], "item")
            case _:
                pass

    def _note(self, token: str) -> None:
        """Be found by other attributes than before, or by none."""
        taken = TAKEN.value_unset() if dice(token) % 2 else TAKEN.value_set(len(self.taken))
        workflow.upsert_search_attributes([taken, LAST.value_set(self.taken[-3:])])
        workflow.upsert_memo({token: len(self.taken), self.taken[0]: None})

    @workflow.signal
    async def ask(self, sender: str, token: str) -> None:
        """Answer another run once an activity is done."""
        self.taken.append(token)
        await workflow.execute_activity(effect, token)
        await self._send(sender, "reply")

    @workflow.signal
    def finish(self, token: str) -> None:
        """Return once no handler is at work."""
        self.taken.append(token)
        self.is_finishing = True

    @workflow.update
    async def change(self, token: str) -> str:
        """Do what the id of the update says, and name the ask that was heard."""
        self.taken.append(token)
        return await settle(token)

    @change.validator
    def check(self, token: str) -> None:
        """Refuse what is to be refused."""
        refuse(token)

    async def _send(self, workflow_id: str, name: str, *args: Any) -> None:
        self.sent += 1
        token = f"{workflow.info().run_id}/{self.sent}"
        try:
            await workflow.get_external_workflow_handle(workflow_id).signal(name, *args, token)
        except ApplicationError:
            # The other one has ended.
            pass


@workflow.defn
async def courier(order_id: str) -> str:
    """Asks an order, and returns the token of the answer, or why there is none."""
    signals = workflow.signal_channel()
    me = workflow.info()
    try:
        await workflow.get_external_workflow_handle(order_id).signal("ask", me.workflow_id, f"{me.run_id}/0")
    except ApplicationError:
        return "refused"
    try:
        return await signals.receive("reply", timeout=0.25, result_type=str)
    except TimeoutError:
        return "late"
