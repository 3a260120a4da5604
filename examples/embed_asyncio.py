"""greenroom in an asyncio program: async activities share the program's loop, and what it has opened there.

Run it with ``python examples/embed_asyncio.py``. Three shops are asked at once and the best price is taken;
some workflows wait; and the program ends as a service does, when ``SIGTERM`` tells it to.
"""

from __future__ import annotations

import asyncio
import signal
import tempfile
from pathlib import Path

from greenroom import Runtime, activity, workflow


class Shops:
    """Stands for a session of an HTTP client: it belongs to the loop on which it was made."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.prices = {"Ann": 7, "Bob": 5, "Cid": 6}

    @activity.defn(start_to_close_timeout=30)
    async def quote(self, shop: str) -> int:
        assert asyncio.get_running_loop() is self.loop
        await asyncio.sleep(0.01)
        return self.prices[shop]


@workflow.defn
async def cheapest(shops: list[str]) -> str:
    asked = [workflow.execute_activity_method(Shops.quote, shop) for shop in shops]
    prices = dict(zip(shops, await asyncio.gather(*asked), strict=True))
    best = min(prices, key=lambda shop: prices[shop])
    return f"{best} for {prices[best]}"


@workflow.defn
async def reminder(text: str) -> str:
    await workflow.sleep(0.05)  # a durable timer: days work just as well
    return text


@workflow.defn
async def approval(what: str) -> str:
    who: str = await workflow.signal_channel().receive("approve", result_type=str)
    return f"{who} approves of {what}"


async def main(journal: Path) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)

    async with Runtime(journal, activities=[Shops()]) as runtime:
        best = await runtime.execute_workflow(cheapest, ["Ann", "Bob", "Cid"])
        print(best)

        # Each call gives a future that asyncio can await, gather and limit. It does its work, waited for or not.
        reminders = [runtime.execute_workflow(reminder, text) for text in ("eat", "rest")]
        print(await asyncio.gather(*reminders))

        handle = await runtime.start_workflow(approval, "the cheapest", id="approval")
        try:
            await asyncio.wait_for(handle.result(), timeout=0.01)  # ends the waiting, not the workflow
        except TimeoutError:
            print("not yet:", (await handle.describe()).status.name)
        await handle.signal("approve", "Ada")
        print(await handle.result())

        asyncio.get_running_loop().call_later(0.01, signal.raise_signal, signal.SIGTERM)
        await stop.wait()
        print("told to stop")
    print("closed")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(main(Path(folder) / "quotes.journal"))
