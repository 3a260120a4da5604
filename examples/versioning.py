"""Code that changes while its workflows are under way: old runs and new ones side by side, on one journal.

Run it with ``python examples/versioning.py``. It starts itself three times, each time with the source as it stood then:
a program is stopped, changed, and started again.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from abc import ABC, abstractmethod
from pathlib import Path

from greenroom import Runtime, activity, workflow

SECONDS = 10


@activity.defn
def by_post(parcel: str) -> str:
    return f"{parcel} went by post"


@activity.defn
def by_courier(parcel: str) -> str:
    return f"{parcel} went by courier"


class Subscription(ABC):
    """What does not change: one parcel a day. The day comes when somebody says so."""

    def __init__(self) -> None:
        self.days = 0
        self.sent: list[str] = []

    @workflow.run
    async def run(self, days: int) -> list[str]:
        while len(self.sent) < days:
            await workflow.wait_condition(lambda: self.days > len(self.sent))
            self.sent.append(await self.send(f"parcel {self.days}"))
        return self.sent

    @abstractmethod
    async def send(self, parcel: str) -> str:
        """Send a parcel; gives what is to be said of it."""

    @workflow.update
    async def next_day(self) -> str:
        self.days += 1
        await workflow.wait_condition(lambda: len(self.sent) == self.days)
        return self.sent[-1]


class Version1(Subscription):
    """Parcels go by post, for 3."""

    async def send(self, parcel: str) -> str:
        return f"{await workflow.execute_activity(by_post, parcel)}, for 3"


class Version2(Subscription):
    """Parcels go by courier now, for 5. Who has had one by post goes on getting them by post, for 3."""

    async def send(self, parcel: str) -> str:
        if workflow.patched("courier"):
            sent = await workflow.execute_activity(by_courier, parcel)
        else:
            sent = await workflow.execute_activity(by_post, parcel)
        price = {workflow.DEFAULT_VERSION: 3, 1: 5}[workflow.get_version("price", workflow.DEFAULT_VERSION, 1)]
        return f"{sent}, for {price}"


class Version3(Subscription):
    """Nobody is left who gets parcels by post: that branch is gone. For new customers the price is 6."""

    async def send(self, parcel: str) -> str:
        workflow.deprecate_patch("courier")
        sent = await workflow.execute_activity(by_courier, parcel)
        price = {1: 5, 2: 6}[workflow.get_version("price", 1, 2)]
        return f"{sent}, for {price}"


SOURCES = {"1": Version1, "2": Version2, "3": Version3}
NEW_CUSTOMER = {"1": "Ada", "2": "Grace", "3": "Kyle"}
DAYS = {"1": ["Ada"], "2": ["Ada", "Ada", "Grace"], "3": ["Grace", "Grace", "Kyle"]}


def program(journal: str, version: str) -> None:
    """The program, with the source as it stood in that version."""
    source = SOURCES[version]
    workflow.defn(name="Subscription")(source)
    print(f"Version {version}: {source.__doc__}")
    with Runtime(journal) as runtime:
        runtime.start_workflow("Subscription", 3, id=NEW_CUSTOMER[version]).get(timeout=SECONDS)
        for customer in DAYS[version]:
            handle = runtime.get_workflow_handle(customer)
            print(f"  {customer}: {handle.execute_update('next_day').get(timeout=SECONDS)}")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        journal = str(Path(folder) / "subscriptions.journal")
        for version in SOURCES:
            subprocess.run([sys.executable, __file__, journal, version], check=True)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        program(*sys.argv[1:])
    else:
        main()
