"""A workflow that is sent signals with keys, which it takes once."""

from __future__ import annotations

from greenroom import workflow
from greenroom.testing import TestRuntime

__all__ = ["Till", "record"]


@workflow.defn(name="golden.till")
class Till:
    """Counts what is paid, until it is closed."""

    def __init__(self) -> None:
        self.paid = 0
        self.is_closed = False

    @workflow.run
    async def run(self) -> int:
        await workflow.wait_condition(lambda: self.is_closed)
        return self.paid

    @workflow.signal
    def pay(self, amount: int) -> None:
        """Pay."""
        self.paid += amount

    @workflow.signal
    def close(self) -> None:
        """Have it end."""
        self.is_closed = True


def record(runtime: TestRuntime) -> None:
    """Have the runs take place: one is left open, and has a message that it has not taken."""
    closed, still_open = (
        runtime.wait(runtime.start_workflow(Till.run, id=name)) for name in ("closed till", "open till")
    )
    for amount, key in ((1, "first"), (2, "second"), (1, "first")):
        for till in (closed, still_open):
            runtime.wait(till.signal(Till.pay, amount, idempotency_key=key))
    runtime.wait(closed.signal(Till.close))
    runtime.wait(still_open.suspend("for the night"))
    runtime.wait(still_open.signal(Till.pay, 4, idempotency_key="third"))
