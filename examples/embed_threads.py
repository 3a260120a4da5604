"""A small web application on threads: its requests start a workflow, speak to it and wait for it.

Run it with ``python examples/embed_threads.py``. ``Application`` is what any WSGI server of one process would call,
each request on a thread of its own; here a pool of threads calls it, and no server is needed.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from greenroom import Runtime, WorkflowAlreadyStartedError, WorkflowIDReusePolicy, activity, workflow


@activity.defn(start_to_close_timeout=30)
def send(order: str, items: list[str]) -> str:
    return f"{order}: sent {' and '.join(items)}"


@workflow.defn
class Order:
    def __init__(self) -> None:
        self.items: list[str] = []
        self.is_paid = False

    @workflow.run
    async def run(self) -> str:
        await workflow.wait_condition(lambda: self.is_paid)
        return await workflow.execute_activity(send, workflow.info().workflow_id, sorted(self.items))

    @workflow.update
    def add(self, item: str) -> int:
        self.items.append(item)
        return len(self.items)

    @workflow.signal
    def pay(self) -> None:
        self.is_paid = True


# The application. One runtime serves all threads: each waits for its own answer, with a limit.

SECONDS = 10
Respond = Callable[[str, list[tuple[str, str]]], object]


class Application:
    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime

    def __call__(self, environ: dict[str, str], respond: Respond) -> Iterable[bytes]:
        _, name, *rest = environ["PATH_INFO"].split("/")
        order = self.runtime.get_workflow_handle(name)
        match environ["REQUEST_METHOD"], rest:
            case "PUT", []:
                status, answer = self.start(name)
            case "POST", ["items", item]:
                status, answer = "200 OK", f"{order.execute_update(Order.add, item).get(timeout=SECONDS)} in the basket"
            case "POST", ["payment"]:
                order.signal(Order.pay).get(timeout=SECONDS)
                status, answer = "202 Accepted", "paid"
            case "GET", []:
                status, answer = "200 OK", order.result().get(timeout=SECONDS)
            case _:
                status, answer = "404 Not Found", "there is no such thing"
        respond(status, [("Content-Type", "text/plain")])
        return [answer.encode()]

    def start(self, name: str) -> tuple[str, str]:
        once = WorkflowIDReusePolicy.REJECT_DUPLICATE
        try:
            self.runtime.start_workflow(Order.run, id=name, id_reuse_policy=once).get(timeout=SECONDS)
        except WorkflowAlreadyStartedError:
            return "200 OK", "it was there before"
        return "201 Created", "started"


# The requests: those of a server, without the server.


def request(application: Application, method: str, path: str) -> str:
    statuses: list[str] = []

    def respond(status: str, _: list[tuple[str, str]]) -> None:
        statuses.append(status)

    body = b"".join(application({"REQUEST_METHOD": method, "PATH_INFO": path}, respond))
    return f"{statuses[0]}: {body.decode()}"


def main(journal: Path) -> None:
    names = ["order-1", "order-2", "order-3"]
    with Runtime(journal) as runtime, ThreadPoolExecutor(4) as threads:
        application = Application(runtime)
        results = [threads.submit(request, application, "PUT", f"/{name}") for name in names]
        print(*(result.result() for result in results), sep="\n")
        print(request(application, "PUT", "/order-1"))

        waiting = [threads.submit(request, application, "GET", f"/{name}") for name in names]
        for name in names:
            print(request(application, "POST", f"/{name}/items/tea"))
            print(request(application, "POST", f"/{name}/items/cake"))
            print(request(application, "POST", f"/{name}/payment"))
        print(*(result.result() for result in waiting), sep="\n")
    print("closed")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        main(Path(folder) / "orders.journal")
