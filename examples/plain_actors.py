"""A hundred thousand actors in a tree, on one thread, and what becomes of those that fail.

Each account is an actor. Branches keep accounts, the bank keeps branches. An account that fails is started anew in its
place: whoever has a reference to it goes on using it, and what others sent it meanwhile is handled.
"""

from __future__ import annotations

import logging
from typing import Any

from pykka import ActorRef

from greenroom.actors import Actor, Backoff, ChildSpec, Directive, Restart, Strategy, Supervisor, Terminated

BRANCHES = 100
ACCOUNTS = 1_000


class Overdrawn(Exception):
    """More was taken than there is."""


class Account(Actor):
    """One account: it receives amounts, and answers how much there is."""

    def __init__(self, opening: int) -> None:
        super().__init__()
        self.balance = opening

    def on_receive(self, message: Any) -> int:
        if isinstance(message, int):
            if self.balance + message < 0:
                raise Overdrawn(f"{-message} from {self.balance}")
            self.balance += message
        return self.balance


def decide(error: BaseException) -> Directive:
    """An overdraft changes nothing, so the account goes on; whatever else it is may have spoiled it."""
    return Directive.RESUME if isinstance(error, Overdrawn) else Directive.RESTART


class Auditor(Actor):
    """Watches a branch, and notes when it closes."""

    def __init__(self, branch: ActorRef[Any]) -> None:
        super().__init__()
        self.branch = branch
        self.notes: list[str] = []

    def on_start(self) -> None:
        self.watch(self.branch)

    def on_receive(self, message: Any) -> list[str]:
        if isinstance(message, Terminated):
            self.notes.append(f"the branch has closed ({message.error or 'as it was told to'})")
        return self.notes


def branch(number: int) -> ChildSpec:
    """A branch and its accounts; if accounts fail too often the branch itself is closed and opened anew."""
    accounts = [ChildSpec(f"account {each}", Account, args=(100,)) for each in range(ACCOUNTS)]
    options = {"max_restarts": 3, "period": 60, "decide": decide}
    return ChildSpec(f"branch {number}", Supervisor, args=(accounts,), kwargs=options)


def main() -> None:
    logging.getLogger("greenroom.actors").setLevel(logging.CRITICAL)  # the failures below are meant
    bank = Supervisor.start(
        [branch(number) for number in range(BRANCHES)],
        strategy=Strategy.ONE_FOR_ONE,
        backoff=Backoff(0.05, factor=2, maximum=1),
    )
    branches = bank.proxy().children().get()
    accounts = [ref for each in branches.values() for ref in each.proxy().children().get().values()]
    print(f"{len(accounts):,} accounts in {len(branches)} branches")

    for ref in accounts:
        ref.tell(5)
    total = sum(future.get() for future in [ref.ask("how much?", block=False) for ref in accounts])
    print(f"{total:,} in the bank after 5 for each")

    first, second = accounts[:2]
    first.tell(-1_000)
    print(f"too much was taken from the first account: it has {first.ask('how much?')}")

    second.tell([])  # no amount: the actor answers with what it has, as for any other message
    second.proxy().balance = None  # a fault: whatever comes next fails
    second.tell(1)
    print(f"the second account failed, and was opened anew: it has {second.ask('how much?')}")

    auditor = Auditor.start(branches["branch 0"])
    auditor.ask("are you there?")
    temporary = ChildSpec("petty cash", Account, args=(7,), restart=Restart.TEMPORARY)
    petty = branches["branch 0"].proxy().start_child(temporary).get()
    print(f"petty cash: {petty.ask('how much?')}")

    bank.stop()
    (note,) = auditor.ask("what happened?", block=True)
    print(f"the auditor says: {note}")
    print(f"accounts that are alive: {sum(ref.is_alive() for ref in accounts)}")
    auditor.stop()


if __name__ == "__main__":
    main()
