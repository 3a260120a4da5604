"""Random numbers of a run that goes on from a turn of another one."""

from __future__ import annotations

import pytest

from greenroom import WorkflowSuspendedError, workflow
from tests.runtime.copied import Steps, begun, make


def test_random_numbers_are_the_same_up_to_then_and_others_behind() -> None:
    with make() as runtime:
        steps = begun(runtime, "end")
        heard, drawn, ids = runtime.wait(steps.query(Steps.state))

        again = steps.reset(to=2).get()
        runtime.run_until_idle()
        heard_again, drawn_again, ids_again = again.query(Steps.state).get()

        assert heard == heard_again == ["end"]
        assert drawn[0] == drawn_again[0]
        assert drawn[1] != drawn_again[1]
        assert ids[0] != ids_again[0]
        assert ids_again[1] == again.run_id


@workflow.defn
class Seeded:
    """Has a generator of its own, which is to follow the run's seed."""

    @workflow.run
    async def run(self, fails: bool = False) -> list[int]:
        seeds = [workflow.random_seed()]

        def told(seed: int) -> None:
            seeds.append(seed)
            if fails:
                raise RuntimeError("not another one")

        workflow.register_random_seed_callback(told)
        await workflow.sleep(60)
        return [*seeds, workflow.random_seed()]


def test_who_wants_to_know_of_another_seed_is_told() -> None:
    with make(Seeded) as runtime:
        seeded = runtime.start_workflow(Seeded.run, id="seeded").get()
        runtime.run_until_idle()

        first, told, last = runtime.wait(seeded.reset(to=0).get().result())

        assert told == last != first


def test_a_bug_in_who_wants_to_know_of_another_seed_suspends_the_new_run() -> None:
    with make(Seeded) as runtime:
        seeded = runtime.start_workflow(Seeded.run, True, id="seeded").get()
        runtime.run_until_idle()

        with pytest.raises(WorkflowSuspendedError, match="not another one"):
            seeded.reset(to=0).get().result().get()
        seeded.terminate().get()
