"""The static check: every spelling of what a replay could not repeat is refused where the workflow is declared."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent, indent

import pytest

from greenroom.runtime.model.errors import InvalidWorkflowError
from greenroom.runtime.model.forbidden import GROUPS, instead_of

Declare = Callable[[str], list[str]]

HEAD = "from greenroom import activity, workflow\n"


def run_module(file: Path, *parts: str) -> None:
    """Imports a module of that text, which begins with the import of greenroom."""
    file.write_text("".join(map(dedent, (HEAD, *parts))), encoding="utf-8")
    spec = importlib.util.spec_from_file_location("orders", file)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules["orders"] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    finally:
        sys.modules.pop("orders")


@pytest.fixture
def declare(tmp_path: Path) -> Declare:
    """Imports a module of that text; gives the reasons why its workflow was refused, the file left out."""
    file = tmp_path / "orders.py"

    def reasons(text: str) -> list[str]:
        try:
            run_module(file, text)
        except InvalidWorkflowError as error:
            return [reason.removeprefix(f"{file}:") for reason in error.reasons]
        return []

    return reasons


# Module, name, arguments, and what is to be used instead.
CALLS = [
    ("time", "sleep", "(1)", "await workflow.sleep(…)"),
    ("datetime", "datetime.now", "()", "workflow.now() or workflow.time_ns()"),
    ("random", "random", "()", "workflow.random()"),
    ("builtins", "open", "('file')", "an activity"),
    ("threading", "Thread", "(target=print)", "an activity"),
    ("uuid", "uuid4", "()", "workflow.uuid4() or workflow.uuid7()"),
    ("os", "urandom", "(8)", "workflow.random()"),
    ("secrets", "choice", "([1])", "workflow.random()"),
]

# How it is imported, and how it is called then. `first` is what can be imported of the module.
SPELLINGS = {
    "module attribute": ("import {module}", "{module}.{name}"),
    "module by another name": ("import {module} as other", "other.{name}"),
    "from import": ("from {module} import {first}", "{name}"),
    "from import by another name": ("from {module} import {first} as other", "other{rest}"),
}

WAYS = {
    "in a function": """
        {imports}
        @workflow.defn
        async def order():
            {call}  # here
        """,
    "imported inside": """
        @workflow.defn
        async def order():
            {imports}
            {call}  # here
        """,
    "in the run method": """
        {imports}
        @workflow.defn
        class Order:
            @workflow.run
            async def run(self):
                {call}  # here
        """,
    "in a handler": """
        {imports}
        @workflow.defn
        class Order:
            @workflow.run
            async def run(self): ...
            @workflow.signal
            def pay(self):
                {call}  # here
        """,
    "in a validator": """
        {imports}
        @workflow.defn
        class Order:
            @workflow.run
            async def run(self): ...
            @workflow.update
            def pay(self): ...
            @pay.validator
            def may_pay(self):
                {call}  # here
        """,
    "in a method that run calls": """
        {imports}
        @workflow.defn
        class Order:
            @workflow.run
            async def run(self):
                await self.pay()
            async def pay(self):
                {call}  # here
        """,
    "through a function above": """
        {imports}
        def helper():
            {call}  # here
        @workflow.defn
        async def order():
            helper()
        """,
    "through a function below": """
        {imports}
        @workflow.defn
        async def order():
            helper()
        def helper():
            {call}  # here
        """,
    "through a nested function": """
        {imports}
        @workflow.defn
        async def order():
            def helper():
                return {call}  # here
            return helper()
        """,
    "through a class of the module": """
        {imports}
        class Clock:
            def read(self):
                return {call}  # here
        @workflow.defn
        async def order():
            clock = Clock()
            return clock.read()
        """,
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize(("module", "name", "arguments", "instead"), CALLS, ids=[f"{m}.{n}" for m, n, *_ in CALLS])
def test_a_forbidden_call_is_refused_with_its_line_in_every_spelling(
    declare: Declare, module: str, name: str, arguments: str, instead: str, spelling: str, way: str
) -> None:
    imports, call = SPELLINGS[spelling]
    names = {"module": module, "name": name, "first": name.split(".")[0], "rest": name[len(name.split(".")[0]) :]}
    call = call.format(**names)
    text = dedent(WAYS[way]).format(imports=imports.format(**names), call=call + arguments)
    line = next(number for number, line in enumerate((HEAD + text).splitlines(), 1) if "# here" in line)

    (reason,) = declare(text)

    assert reason.startswith(f"{line}: {call}")
    assert f"{module}.{name}".removeprefix("builtins.") in reason
    assert f"use {instead}" in reason


FOUND = {
    "a reference that is not a call": ("import time", "map(time.sleep, [1])", "time.sleep"),
    "a lambda": ("import time", "(lambda: time.time())()", "time.time"),
    "a lambda with a name": ("import time", "f = lambda: time.time()\nf()", "time.time"),
    "a comprehension": ("import time", "[time.time() for _ in range(3)]", "time.time"),
    "a module with a name on the way": ("import time", "(clock := time).sleep(1)", "time.sleep"),
    "a partial of the module": (
        "import time, functools\nnap = functools.partial(time.sleep, 1)",
        "nap()",
        "nap (time.sleep)",
    ),
    "a static method that is a clock": (
        "import datetime\nclass Clock:\n    at = staticmethod(datetime.datetime.now)",
        "Clock.at()",
        "Clock.at (datetime.datetime.now)",
    ),
    "a thread of one's own": (
        "import threading\nclass Worker(threading.Thread): ...",
        "Worker().start()",
        "Worker (threading.Thread)",
    ),
    "a generator of the module": (
        "import random\ndice = random.Random(4)",
        "dice.choice([1])",
        "dice.choice (random.choice)",
    ),
    "an instance that is called": (
        "import time\nclass Clock:\n    def __call__(self): return time.time()\nclock = Clock()",
        "clock()",
        "time.time",
    ),
    "what a with block enters": (
        "import time\nclass Slow:\n    def __enter__(self): time.sleep(1)\n    def __exit__(self, *error): ...",
        "with Slow(): ...",
        "time.sleep",
    ),
    "what a loop goes through": (
        "import time\nclass Slow:\n    def __iter__(self): time.sleep(1)",
        "for x in Slow(): ...",
        "time.sleep",
    ),
    "a class that makes itself": (
        "import time\nclass Slow:\n    def __new__(cls): time.sleep(1)",
        "Slow()",
        "time.sleep",
    ),
    "a cached property": (
        "import time, functools\nclass Clock:\n    @functools.cached_property\n    def at(self): return time.time()",
        "Clock().at",
        "time.time",
    ),
    "the default of a lambda": (
        "import time",
        "f = lambda at=time.time(): at\n(lambda at=time.time(): at)()",
        "time.time",
    ),
    "a function in a decorator of the module": (
        "import time, functools\n"
        "def twice(f):\n    @functools.wraps(f)\n    def both(): return f(), f()\n    return both\n"
        "@twice\ndef at(): return time.time()",
        "at()",
        "time.time",
    ),
    "an activity that a decorator calls": (
        "import functools\n"
        "def loud(f):\n    @functools.wraps(f)\n    def call(): return f()\n    return call\n"
        "@loud\n@activity.defn\ndef pay(): ...",
        "pay()",
        "f (pay) is an activity",
    ),
    "a branch for workflows": (
        "import time\ndef at():\n    if workflow.in_workflow():\n        return time.time()\n    return 0",
        "at()",
        "time.time",
    ),
    "what stands below a branch for workflows that goes on": (
        "import time\ndef at():\n    if workflow.in_workflow():\n        x = 0\n    return time.time()",
        "at()",
        "time.time",
    ),
    "what stands below a branch for others": (
        "import time\ndef at():\n    if not workflow.in_workflow():\n        return 0\n    return time.time()",
        "at()",
        "time.time",
    ),
    "a set that is put together": (
        "",
        "s = {'a'}\nfor x in s.union({'b'}).copy(): await workflow.sleep(1)",
        "the order of a set",
    ),
    "a module by assignment": ("import time", "t = time\nt.sleep(1)", "t.sleep (time.sleep)"),
    "the environment": ("import os", "os.environ['HOME']", "os.environ"),
    "the environment by another name": ("from os import environ as e", "e.get('HOME')", "e (os.environ)"),
    "a generator without a seed": ("import random", "random.Random()", "random.Random"),
    "a date": ("from datetime import date", "date.today()", "date.today (datetime.date.today)"),
    "a subclass of datetime": (
        "from datetime import datetime\nclass Mine(datetime): ...",
        "Mine.now()",
        "Mine.now (datetime.datetime.now)",
    ),
    "a path": ("from pathlib import Path", "(Path('a') / 'b').read_text()", "pathlib.Path.read_text"),
    "a path in a variable": ("from pathlib import Path", "p = Path('a')\np.exists()", "p.exists (pathlib.Path.exists)"),
    "a module that is not loaded": ("", "import httpx\nhttpx.get('http://a')", "httpx.get"),
    "a member of a package": ("", "from urllib.request import urlopen\nurlopen('http://a')", "urlopen"),
    "a subprocess": ("import subprocess", "subprocess.run(['ls'])", "subprocess.run"),
    "a pool": (
        "from concurrent.futures import ThreadPoolExecutor",
        "ThreadPoolExecutor()",
        "ThreadPoolExecutor (concurrent.futures.thread.ThreadPoolExecutor)",
    ),
    "a process": ("import multiprocessing", "multiprocessing.Process()", "multiprocessing.Process"),
    "another thread": ("import asyncio", "await asyncio.to_thread(print)", "asyncio.to_thread"),
    "another loop": ("import asyncio", "asyncio.run(main())", "asyncio.run"),
    "an executor": (
        "import asyncio",
        "await asyncio.get_running_loop().run_in_executor(None, print)",
        "asyncio.get_running_loop().run_in_executor (run_in_executor)",
    ),
    "a clock that formats": ("import time", "time.strftime('%Y')", "time.strftime"),
    "a person": ("", "input()", "input"),
    "a set with an await": ("import asyncio", "for x in {'a', 'b'}:\n    await asyncio.sleep(1)", "the order of a set"),
    "a set in a variable": ("", "s = set('ab')\nfor x in s:\n    workflow.start_activity(x)", "the order of a set"),
    "a set comprehended": (
        "import asyncio",
        "await asyncio.gather(*(asyncio.sleep(1) for x in frozenset('ab')))",
        "the order of a set",
    ),
    "a list of a set": ("", "for x in list({'a', 'b'}): await workflow.sleep(1)", "the order of a set"),
    "a set with numbers": ("", "for i, x in enumerate(set('ab')): await workflow.sleep(1)", "the order of a set"),
    "two sets together": ("", "for x in {'a'} | set('b'): workflow.start_activity(x)", "the order of a set"),
    "a set that grows": ("", "s = {'a'}\nt = s | {'b'}\nfor x in t: workflow.uuid7()", "the order of a set"),
    "a set through map": ("", "for x in map(str, {'a', 'b'}): await workflow.sleep(1)", "the order of a set"),
    "a set through filter": ("", "for x in filter(None, {'a', 'b'}): await workflow.sleep(1)", "the order of a set"),
    "a set from its end": ("", "for x in reversed(list({'a'})): await workflow.sleep(1)", "the order of a set"),
    "coroutines as they complete": (
        "import asyncio",
        "for each in asyncio.as_completed([asyncio.sleep(1)]):\n    await each",
        "asyncio.as_completed",
    ),
    "what is handed on beside a function": (
        "import time",
        "workflow.start_activity('a', time.time())",
        "time.time",
    ),
    "a class that is made": (
        "import time\nclass Clock:\n    def __init__(self):\n        self.at = time.time()",
        "Clock()",
        "time.time",
    ),
    "a property": (
        "import time\nclass Clock:\n    @property\n    def at(self): return time.time()",
        "Clock().at",
        "time.time",
    ),
    "a static method": (
        "import time\nclass Clock:\n    @staticmethod\n    def at(): return time.time()",
        "Clock.at()",
        "time.time",
    ),
    "an instance of the module": (
        "import time\nclass Clock:\n    def at(self): return time.time()\nclock = Clock()",
        "clock.at()",
        "time.time",
    ),
    "a decorated function": (
        "import time, functools\n@functools.lru_cache\ndef at(): return time.time()",
        "at()",
        "time.time",
    ),
    "an attribute of an instance": (
        "import time\n"
        "class Base:\n"
        "    def __init__(self): self.source = time\n"
        "class Clock(Base):\n"
        "    def at(self): return self.source.time()",
        "Clock().at()",
        "self.source.time (time.time)",
    ),
    "an instance in an attribute": (
        "from pathlib import Path\n"
        "class Files:\n"
        "    def __init__(self, name): self.path = Path(name)\n"
        "    def read(self): return self.path.read_text()",
        "Files('a').read()",
        "self.path.read_text (pathlib.Path.read_text)",
    ),
    "a bound method of the module": (
        "import time\nclass Clock:\n    def at(self): return time.time()\nat = Clock().at",
        "at()",
        "time.time",
    ),
    "a class method": (
        "import time\nclass Clock:\n    @classmethod\n    def at(cls): return time.time()",
        "Clock.at()",
        "time.time",
    ),
    "a class that is made after it": (
        "import time\nclass Stamp:\n    def __post_init__(self): self.at = time.time()",
        "Stamp()",
        "time.time",
    ),
    "a function with a decorator inside": (
        "import time, functools",
        "@functools.cache\ndef at(): return time.time()",
        "time.time",
    ),
    "a class inside": (
        "import time",
        "class Clock:\n    def at(self): return time.time()\nClock().at()",
        "time.time",
    ),
    "the default of a parameter inside": ("import time", "def f(at=time.time()): return at", "time.time"),
    "a dict comprehended in the order of a set": (
        "",
        "{x: await workflow.execute_activity(x) for x in set('ab')}",
        "the order of a set",
    ),
    "a set in the order of a set": ("", "{await workflow.execute_activity(x) for x in {'a'}}", "the order of a set"),
    "coroutines of a function below": (
        "",
        "for x in {y for y in 'ab'}: tell(x)\n\nasync def tell(x): ...",
        "the order of a set",
    ),
    "arguments that may be none": (
        "import random",
        "seeds = []\nrandom.Random(*seeds)\nrandom.random()",
        "random.random",
    ),
    "an import of what is loaded, inside": ("", "import os.path\nos.path.exists('a')", "os.path.exists"),
    "one of two imports": (
        "",
        "try:\n    from time import time as at\nexcept ImportError:\n    from time import monotonic as at\nat()",
        "at (time.time)",
    ),
    "what a loop binds beside it": ("import time", "for i in range(3):\n    time.sleep(i)", "time.sleep"),
    "a parameter with a type": (
        "import time\nclass Clock:\n    def at(self): return time.time()",
        "def read(clock: Clock): return clock.at()\nread(Clock())",
        "time.time",
    ),
}


@pytest.mark.parametrize("what", FOUND)
def test_it_is_found_as(declare: Declare, what: str) -> None:
    top, body, expected = FOUND[what]

    reasons = declare(f"{top}\n@workflow.defn\nasync def order():\n{indent(body, '    ')}\n")

    assert any(expected in reason for reason in reasons), reasons


FINE = {
    "a parameter": ("import time", "def f(time): return time.sleep(1)\nf(1)"),
    "a local variable": ("from time import sleep", "sleep = print\nsleep(1)"),
    "arguments that give a seed": ("import random", "random.Random(*[1]), random.Random(**{'x': 1})"),
    "a name of a rest in a pattern": (
        "import time",
        "match [1]:\n    case [*time]: time.sleep\n    case {'a': 1, **time}: time.sleep",
    ),
    "rests of parameters": ("import time", "def f(*time): time.sleep\ndef g(**time): time.sleep\nf()\ng()"),
    "a variable with a type alone": ("import time", "time: object\nprint(time.sleep)"),
    "a name of a with block": ("import time, contextlib", "with contextlib.nullcontext() as time: time.sleep"),
    "names that lead in a circle": ("", "while True:\n    a = b.next\n    b = a.next"),
    "attributes that lead in a circle": (
        "class Node:\n    def step(self):\n        self.a = self.b.next\n        self.b = self.a.next",
        "Node().step()",
    ),
    "an attribute that is assigned twice": (
        "import time\nclass Clock:\n    def at(self, given):\n        self.source = time\n        self.source = given\n"
        "        return self.source.time()",
        "Clock().at(1)",
    ),
    "a name that is unpacked": ("import time", "time, other = workflow.info(), 1\ntime.sleep"),
    "a name of a comprehension": ("import time", "[time.sleep for time in []]"),
    "a name of an except clause": ("import time", "try: pass\nexcept ValueError as time: time.sleep()"),
    "a name of a pattern": ("import time", "match 1:\n    case time: time.sleep()"),
    "an attribute of the same name": ("", "workflow.random().random()"),
    "the workflow's own": ("", "workflow.now(), workflow.time_ns(), workflow.uuid4()\nawait workflow.sleep(1)"),
    "the sleep of asyncio": ("import asyncio", "await asyncio.sleep(1)"),
    "a generator with a seed": ("import random", "random.Random(4).random()"),
    "what a clock is given": ("import time", "time.gmtime(0), time.strftime('%Y', time.gmtime(0))"),
    "an exact time": ("from datetime import datetime", "datetime(2020, 1, 1), datetime.fromtimestamp(0)"),
    "a path that is only a name": ("from pathlib import Path", "Path('a').with_suffix('.b').name"),
    "a class in a test of types": ("import threading", "isinstance(1, threading.Thread)"),
    "an exception of a package": ("import subprocess", "raise subprocess.CalledProcessError(1, 'ls')"),
    "a side effect": ("import time", "workflow.side_effect(time.time)"),
    "a side effect with a lambda": ("import os", "workflow.side_effect(lambda: os.environ['HOME'])"),
    "a side effect with a nested function": ("import time", "def f(): return time.time()\nworkflow.side_effect(f)"),
    "a side effect with a named lambda": ("import time", "f = lambda: time.time()\nworkflow.side_effect(f)"),
    "an activity by reference": (
        "import time\n@activity.defn\ndef nap(): time.sleep(1)",
        "await workflow.execute_activity(nap)\nhandle = workflow.start_activity(nap)",
    ),
    "an activity in a list": ("import time\n@activity.defn\ndef nap(): time.sleep(1)", "for each in [nap]: each"),
    "a method of activities": (
        "import time\nclass Naps:\n    @activity.defn\n    def nap(self): time.sleep(1)",
        "await workflow.execute_activity_method(Naps.nap)",
    ),
    "another workflow": (
        "import time\n@workflow.defn(static_check=False)\nasync def other(): time.sleep(1)",
        "return str(other)",
    ),
    "a block that opens the guard": (
        "import time",
        "with workflow.unsafe.sandbox_unrestricted():\n    time.sleep(1)",
    ),
    "a block of imports": ("", "with workflow.unsafe.imports_passed_through():\n    import os\n    os.environ"),
    "a line with the comment": ("import time", "time.sleep(1)  # greenroom: allow"),
    "a call of several lines with the comment": (
        "import time",
        "time.sleep(\n    1\n)  # greenroom: allow, it is short",
    ),
    "printing and logging": ("import logging", "print('a')\nlogging.getLogger('a').info('b')"),
    "a set in a circle": ("", "s = {'a'}\ns = list(s)\ns = s + s\nfor x in s: await workflow.sleep(1)"),
    "numbers added": ("", "for x in [1] + [2]: await workflow.sleep(x)"),
    "a list of a set of numbers": ("", "for x in list({1, 2}): await workflow.sleep(x)"),
    "a set without an await": ("", "for x in {'a', 'b'}: print(x)"),
    "a set that is sorted": ("", "for x in sorted({'a', 'b'}): await workflow.sleep(1)"),
    "a set of numbers": ("", "for x in {1, 2}: await workflow.sleep(x)"),
    "a list that was a set elsewhere": ("", "s = set('ab')\ns = list('ab')\nfor x in s: await workflow.sleep(1)"),
    "tasks as they complete": (
        "import asyncio",
        "for each in asyncio.as_completed([asyncio.create_task(asyncio.sleep(1))]):\n    await each",
    ),
    "what nobody calls": ("import time\ndef helper(): time.sleep(1)", "return 1"),
    "a function that has an activity performed": (
        "import time, functools\n"
        "def step(f):\n    pay = activity.defn(f)\n    @functools.wraps(f)\n"
        "    async def call(): return await workflow.execute_activity(pay)\n    return call\n"
        "@step\ndef pay(): time.sleep(1)",
        "await pay()",
    ),
    "a method that has an activity performed": (
        "import time, functools\n"
        "def step(f):\n    pay = activity.defn(f)\n    @functools.wraps(f)\n"
        "    async def call(self): return await workflow.execute_activity(pay, self)\n    return call\n"
        "class Bank:\n    @step\n    def pay(self): time.sleep(1)\n"
        "bank = Bank()",
        "await bank.pay()\nawait Bank().pay()",
    ),
    "a function whose value is recorded": (
        "import time, functools\n"
        "def recorded(f):\n    @functools.wraps(f)\n    def call(): return workflow.side_effect(lambda: f())\n"
        "    return call\n"
        "@recorded\ndef at(): return time.time()",
        "at()",
    ),
    "a branch for others": (
        "from datetime import datetime\n"
        "def now():\n    if not workflow.in_workflow():\n        return datetime.now()\n    return workflow.now()\n"
        "def at(): return workflow.now() if workflow.in_workflow() else datetime.now()\n"
        "def early():\n    if workflow.in_workflow():\n        return workflow.now()\n    return datetime.now()",
        "now(), at(), early()",
    ),
    "a partial with a time": ("import time, functools\nepoch = functools.partial(time.gmtime, 0)", "epoch()"),
    "a class that seeds itself": (
        "import random\nclass Dice(random.Random):\n    def __init__(self): super().__init__(4)",
        "Dice().choice([1])",
    ),
    "a set of a list of numbers": ("", "for x in set([1, 2]) | set(range(3)): await workflow.sleep(x)"),
    "values and exceptions of a package": (
        "import subprocess",
        "import httpx, urllib.request\nhttpx.Timeout(3), httpx.URL('http://a').host, urllib.request.Request('http://a')\n"
        "subprocess.CompletedProcess([], 0)\nraise httpx.ConnectError('a')",
    ),
    "a generator of numpy with a seed": ("", "import numpy\nnumpy.random.default_rng(4).integers(3)"),
    "annotations": ("import threading, random", "x: random.SystemRandom | None = None"),
    "a coroutine that is assigned": ("", "later = workflow.sleep(1)\nawait later"),
    "a coroutine that is returned": ("", "return workflow.sleep(1)"),
    "a coroutine that is handed over": (
        "import asyncio",
        "asyncio.create_task(workflow.sleep(1))\nworkflow.gather(workflow.sleep(1), asyncio.sleep(1))\n"
        "asyncio.gather(workflow.sleep(1))",
    ),
    "a coroutine in a list": ("", "await workflow.gather(*[workflow.sleep(x) for x in range(3)])"),
    "a coroutine in a lambda": ("", "begin = lambda: workflow.sleep(1)\nawait begin()"),
    "an activity that is begun": ("", "workflow.start_activity('pay')"),
    "a function that begins a task": (
        "import asyncio\nasync def later(): await workflow.sleep(1)\n"
        "def begin(f):\n    def call(*args): return asyncio.create_task(f(*args))\n    return call\n"
        "@begin\nasync def pay(): await workflow.sleep(1)",
        "pay()\ndef inner(): return asyncio.create_task(later())\ninner()",
    ),
    "an async generator": ("async def steps():\n    yield 1", "steps()"),
    "a coroutine with the comment": ("", "workflow.sleep(1)  # greenroom: allow"),
    "a name of a variable": ("", "sleep = print\nsleep(1)"),
}

# How it is imported, and what stands alone in a line.
NOT_AWAITED = {
    "sleep": ("", "workflow.sleep(1)"),
    "sleep_until": ("", "workflow.sleep_until(workflow.now())"),
    "wait_condition": ("", "workflow.wait_condition(lambda: True)"),
    "wait_for": ("import asyncio", "workflow.wait_for(asyncio.Future(), 1)"),
    "execute_activity": ("", "workflow.execute_activity('pay', 1)"),
    "execute_activity_method": (
        "class Bank:\n    @activity.defn\n    def pay(self): return 1",
        "workflow.execute_activity_method(Bank.pay)",
    ),
    "another name": ("from greenroom.runtime.workflow import execute_activity as perform", "perform('pay')"),
    "asyncio's": ("import asyncio", "asyncio.sleep(1)"),
    "a function of the module": ("async def later(): await workflow.sleep(1)", "later()"),
    "a nested function": ("", "async def later(): await workflow.sleep(1)\nlater()"),
    "a method": ("class Bank:\n    async def pay(self): return 1\nbank = Bank()", "bank.pay()"),
    "a function that takes it": ("import functools", "functools.partial(workflow.sleep, 1)\nworkflow.sleep(1)"),
    "in a branch": ("", "if workflow.random().random() < 1: workflow.sleep(1)"),
    "in a handler of the run": ("", "def hear(): workflow.sleep(1)\nworkflow.set_signal_handler('go', hear)"),
}


@pytest.mark.parametrize("what", NOT_AWAITED)
def test_a_coroutine_that_nothing_awaits_is_refused(declare: Declare, what: str) -> None:
    top, body = NOT_AWAITED[what]

    [reason] = declare(f"{top}\n@workflow.defn\nasync def order():\n{indent(body, '    ')}\n")
    assert "gives a coroutine that nothing awaits, so that nothing of it is done; use await " in reason


def test_it_is_told_where_it_stands_and_what_to_write(declare: Declare) -> None:
    reasons = declare(
        """
        @workflow.defn
        class Order:
            @workflow.run
            async def run(self):
                self.later()
                await self.later()
                workflow.execute_activity(
                    "pay",
                )
            @workflow.signal
            def hear(self):
                workflow.sleep(1)
            async def later(self):
                pass
        """
    )

    wrong = "gives a coroutine that nothing awaits, so that nothing of it is done; use await"
    instead = "or asyncio.create_task(…) to go on meanwhile"
    assert reasons == [
        f"7: self.later {wrong} self.later(…), {instead}",
        f"9: workflow.execute_activity {wrong} workflow.execute_activity(…), {instead}",
        f"14: workflow.sleep {wrong} workflow.sleep(…), {instead}",
    ]


@pytest.mark.parametrize("what", FINE)
def test_it_is_let_through(declare: Declare, what: str) -> None:
    top, body = FINE[what]

    assert declare(f"{top}\n@workflow.defn\nasync def order():\n{indent(body, '    ')}\n") == []


def test_what_the_module_declares_further_down_as_an_activity_or_a_workflow_is_let_through(declare: Declare) -> None:
    text = """
        import time
        @workflow.defn
        async def order():
            await workflow.execute_activity(nap)
            return [nap, named, other]

        @activity.defn
        def nap(): time.sleep(1)
        @activity.defn(name="named")
        def named(): time.sleep(1)
        @workflow.defn(static_check=False)
        async def other(): time.sleep(1)
        """

    assert declare(text) == []


def test_what_a_decorator_of_the_module_may_make_an_activity_further_down_is_let_through(declare: Declare) -> None:
    text = """
        import functools, time
        step = functools.partial(activity.defn, name="step")
        @workflow.defn
        async def order():
            await workflow.execute_activity(nap)
            return await call(nap)

        async def call(fn): return await workflow.execute_activity(fn)
        @step
        def nap(): time.sleep(1)
        """

    assert declare(text) == []


def test_a_function_further_down_with_a_decorator_of_python_is_looked_at(declare: Declare) -> None:
    text = """
        import functools, time
        @workflow.defn
        async def order(): return at()

        @functools.cache
        def at(): return time.time()
        """

    assert [reason.split(" ")[1] for reason in declare(text)] == ["time.time"]


@pytest.mark.parametrize(
    "name", ["numpy.random.mtrand.RandomState.rand", "numpy.random.Generator", "requests.HTTPError"]
)
def test_what_a_value_of_a_package_can_do_is_left_alone(name: str) -> None:
    assert instead_of(name) is None


@pytest.mark.parametrize("name", ["Order", "type(self)"])
def test_what_a_workflow_calls_by_its_own_name_is_looked_at(declare: Declare, name: str) -> None:
    text = f"""
        import time
        @workflow.defn
        class Order:
            @staticmethod
            def at(): return time.time()
            @workflow.run
            async def run(self): return {name}.at()
        """

    assert [reason.split(" ")[1] for reason in declare(text)] == ["time.time"]


def test_a_global_of_the_module_is_seen_through_the_function_that_sets_it(declare: Declare) -> None:
    text = """
        import time
        @workflow.defn
        async def order():
            global time
            time.sleep(1)
        """

    assert [reason.split(" ")[1] for reason in declare(text)] == ["time.sleep"]


def test_a_workflow_inside_a_function_sees_what_that_has_bound(declare: Declare) -> None:
    text = """
        import time
        def make():
            def helper(): time.sleep(1)
            clock = time
            @workflow.defn
            class Order:
                @workflow.run
                async def run(self):
                    helper(), clock.time(), later()
                def __str__(self): return super().__str__()
            def later(): time.sleep(1)
        make()
        """

    assert [reason.split(" ")[1] for reason in declare(text)] == ["time.sleep", "clock.time"]


def test_every_place_is_told_at_once_in_the_order_of_the_lines(declare: Declare) -> None:
    reasons = declare(
        """
        import time, random
        @workflow.defn
        class Order:
            def __init__(self):
                self.at = time.time()
            @workflow.run
            async def run(self):
                random.random()
                time.sleep(1)
        """
    )

    assert [reason.split(" ")[:2] for reason in reasons] == [
        ["7:", "time.time"],
        ["10:", "random.random"],
        ["11:", "time.sleep"],
    ]


def test_a_method_of_a_base_in_another_module_is_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    base = tmp_path / "base_of_orders.py"
    base.write_text("import time\nclass Base:\n    def at(self):\n        return time.time()\n", encoding="utf-8")

    with pytest.raises(InvalidWorkflowError) as caught:
        run_module(
            tmp_path / "orders.py",
            """
            from base_of_orders import Base
            @workflow.defn
            class Order(Base):
                @workflow.run
                async def run(self):
                    return super().at()
            """,
        )
    sys.modules.pop("base_of_orders")

    assert caught.value.reasons[0].startswith(f"{base}:4: time.time")


def test_an_activity_that_is_called_instead_of_performed_is_refused(declare: Declare) -> None:
    [reason] = declare(
        """
        @activity.defn
        def pay(cents): return cents
        @workflow.defn
        async def order():
            await workflow.execute_activity(pay, 1)
            return pay(1)
        """
    )

    assert reason.startswith("8: pay is an activity, and a replay would perform it again; use await workflow.execute")


def test_the_check_can_be_turned_off_for_one_workflow(declare: Declare) -> None:
    text = """
        import time
        @workflow.defn(static_check=False)
        async def order():
            time.sleep(1)
        """

    assert declare(text) == []


def test_what_reads_source_code_is_loaded_when_a_workflow_is_declared_and_the_net_never_by_itself() -> None:
    program = (
        "import sys; from greenroom import Runtime, activity, workflow; before = set(sys.modules)\n"
        "async def order(): ...\n"
        "workflow.defn(order); after = set(sys.modules)\n"
        "of = lambda names: sorted(name.rpartition('.')[2] for name in names if 'static' in name or 'strict' in name)\n"
        "print(of(before), of(after))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)

    assert (done.stdout, done.stderr) == ("[] ['static_check']\n", "")


def test_code_without_a_text_is_let_through() -> None:
    names: dict[str, object] = {}
    text = "import time\nfrom greenroom import workflow\n@workflow.defn\nasync def unwritten():\n    time.sleep(1)\n"

    exec(compile(text, "<nowhere>", "exec"), names)  # noqa: S102  # that is the point

    assert "unwritten" in names


@pytest.mark.parametrize("depth", [300, 900])
def test_a_statement_that_is_nested_too_deep_does_not_keep_a_module_from_being_imported(
    declare: Declare, depth: int
) -> None:
    text = f"import time\n@workflow.defn\nasync def order(x):\n    y = {' + '.join(['x'] * depth)}\n    time.sleep(1)\n"

    assert len(declare(text)) <= 1


def test_an_object_that_cannot_be_looked_at_does_not_keep_a_module_from_being_imported(declare: Declare) -> None:
    text = """
        import time
        class Proxy:
            @property
            def __class__(self): raise RuntimeError("nobody is there")
            @property
            def __dict__(self): raise RuntimeError("nobody is there")
        proxy = Proxy()
        @workflow.defn
        async def order():
            proxy()
            proxy.user
            time.sleep(1)
        """

    assert [reason.split(" ")[1] for reason in declare(text)] == ["time.sleep"]


def test_the_error_says_how_a_line_is_exempt(tmp_path: Path) -> None:
    with pytest.raises(InvalidWorkflowError) as caught:
        run_module(tmp_path / "orders.py", "import time\n@workflow.defn\nasync def order(): time.sleep(1)\n")

    assert caught.value.__notes__ == ["a line that may do it all the same ends with the comment  # greenroom: allow"]


def test_a_module_that_has_changed_is_read_again(declare: Declare) -> None:
    text = "import time\n\n@workflow.defn\nasync def order():\n    {}\n"
    assert declare(text.format("time.sleep(1)")) != []

    assert declare(text.format("await workflow.sleep(100)")) == []


@pytest.mark.parametrize("name", [name for group in GROUPS for name in group.names])
def test_every_forbidden_name_has_a_reason_and_a_replacement(name: str) -> None:
    found = instead_of(name.replace("*", "anything"))

    assert found is not None
    assert found.does
    assert found.instead
