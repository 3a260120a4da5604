"""The pytest plugin: test runtimes that are closed for the test, and an account of their runs where it fails.

pytest loads this module in every session of an environment that has greenroom, so it loads nothing else of greenroom
until a test asks for a runtime.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Unpack

import pytest

if TYPE_CHECKING:
    from pluggy import Result

    from .storage import Store
    from .testing import TestRuntime
    from .testing.options import TestRuntimeOptions

__all__ = ["Runtimes", "greenroom_runtime"]


class Runtimes:
    """Opens test runtimes for one test, and closes them after it.

    Attributes:
        opened: those that were opened, the first one first.

    Args:
        seed: what all of them get that are not given one.
        is_evicting: whether those that are not told put each run away after every turn.
    """

    def __init__(self, seed: int, is_evicting: bool) -> None:
        self._defaults: TestRuntimeOptions = {"seed": seed, "evict_after_every_turn": is_evicting}
        self.opened: list[TestRuntime] = []

    def __call__(self, store: Store | None = None, **options: Unpack[TestRuntimeOptions]) -> TestRuntime:
        """Open one more.

        Args:
            store: that of ``TestRuntime``.
            **options: those of ``TestRuntime``, before what the command line says.

        Raises:
            TypeError: there is no such option.
        """
        from .testing import TestRuntime

        given: TestRuntimeOptions = {**self._defaults, **options}
        runtime = TestRuntime(store, **given)
        # Before it is open: what cannot be opened to the end is to be closed all the same.
        self.opened.append(runtime)
        return runtime.lend()

    if not TYPE_CHECKING:
        # A type checker would take any name for one that is there.

        def __getattr__(self, name: str) -> None:
            if name.startswith("_"):
                raise AttributeError(name)
            raise AttributeError(
                f"greenroom_runtime is no runtime and has no {name!r}: it opens runtimes, so call it first, "
                f"runtime = greenroom_runtime(workflows=[…]), and then runtime.{name}"
            )

    def account(self) -> str:
        """How all runs stand, for a person; of several runtimes each has a heading."""
        several = len(self.opened) > 1
        lines: list[str] = []
        for number, runtime in enumerate(self.opened, 1):
            account = runtime.account()
            lines += [f"runtime {number} of {len(self.opened)}, in the order of opening:"] if several else []
            if several and not account:
                account = ["no runs" if runtime.is_open else "it is closed"]
            lines += account
        return "\n".join(lines)

    def close(self, *, check_leaks: bool) -> None:
        """Close them, the last one first.

        Args:
            check_leaks: whether it matters what was left behind.

        Raises:
            LeakError: something was left behind; the others are closed all the same.
        """
        from contextlib import ExitStack

        with ExitStack() as stack:
            for runtime in self.opened:
                # None: as it was said when it was made.
                stack.callback(runtime.close, check_leaks=None if check_leaks else False)


_RUNTIMES = pytest.StashKey[Runtimes]()
_HAS_PASSED = pytest.StashKey[bool]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add what the runtimes of ``greenroom_runtime`` can be told on the command line."""
    group = parser.getgroup("greenroom", "workflow tests (greenroom)")
    group.addoption(
        "--greenroom-seed",
        type=int,
        default=0,
        metavar="N",
        help="what ids of runs and workflow.random() follow from in the runtimes of greenroom_runtime (default: 0)",
    )
    group.addoption(
        "--greenroom-evict",
        action="store_true",
        help="put each run of these runtimes away after every turn, so that it comes back by replay each time",
    )


@pytest.fixture
def greenroom_runtime(request: pytest.FixtureRequest) -> Generator[Runtimes]:
    """Open test runtimes: ``greenroom_runtime(workflows=[Order])`` gives a ``greenroom.testing.TestRuntime`` that is
    open, and closed after the test, with a look for what was left behind. If the test fails, its runs are accounted
    for in the report."""
    option = request.config.option
    runtimes = Runtimes(option.greenroom_seed, option.greenroom_evict)
    request.node.stash[_RUNTIMES] = runtimes
    yield runtimes
    # What a test left behind that was skipped, has failed or was broken off is of no interest beside why.
    runtimes.close(check_leaks=request.node.stash.get(_HAS_PASSED, False))


# The old kind of wrapper: pytest 7 knows no other.
@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, Result[pytest.TestReport], None]:
    """Say in the report of a failed test how its runs stand."""
    outcome = yield
    runtimes = item.stash.get(_RUNTIMES, None)
    if runtimes is None or call.when == "teardown":
        return
    report = outcome.get_result()
    if call.when == "call" and report.passed:
        item.stash[_HAS_PASSED] = True
    elif report.failed and (text := _account(runtimes)):
        report.sections.append(("greenroom: the runs of this test", text))


def _account(runtimes: Runtimes) -> str:
    try:
        return runtimes.account()
    except BaseException as error:
        # Whatever it is, the test has failed of something else, and pytest would end the session for it.
        return f"they could not be looked at: {error!r}"
