"""Serves an application for as long as some requests take, as a server of one process would.

``serving.py wsgi:application /Ada`` prints the status and the body of the answer. An argument is a path, or a method
and a path: ``POST/welcomes/Ada``.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from importlib import import_module
from typing import Any
from wsgiref.util import setup_testing_defaults

Message = dict[str, Any]
Asgi = Callable[[Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]]


def ask_wsgi(application: Any, method: str, path: str) -> str:
    environ: dict[str, Any] = {"REQUEST_METHOD": method, "PATH_INFO": path}
    setup_testing_defaults(environ)
    statuses: list[str] = []

    def start_response(status: str, _: list[tuple[str, str]]) -> None:
        statuses.append(status)

    body = b"".join(application(environ, start_response))
    return f"{statuses[0].split()[0]} {body.decode()}"


async def ask_asgi(application: Asgi, method: str, path: str) -> str:
    scope: Message = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
    }
    scope |= {"path": path, "raw_path": path.encode(), "query_string": b"", "root_path": "", "headers": []}
    incoming = asyncio.Queue[Message]()
    incoming.put_nowait({"type": "http.request", "body": b"", "more_body": False})
    answers: list[Message] = []

    async def send(message: Message) -> None:
        answers.append(message)

    await application(scope, incoming.get, send)
    body = b"".join(answer.get("body", b"") for answer in answers)
    return f"{answers[0]['status']} {body.decode()}"


@asynccontextmanager
async def lifespan_of(application: Asgi) -> AsyncGenerator[None]:
    incoming, outgoing = asyncio.Queue[Message](), asyncio.Queue[Message]()
    scope: Message = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}
    serving = asyncio.ensure_future(application(scope, incoming.get, outgoing.put))
    for step in ("startup", "shutdown"):
        incoming.put_nowait({"type": f"lifespan.{step}"})
        answer = await outgoing.get()
        assert answer["type"] == f"lifespan.{step}.complete", answer
        if step == "startup":
            yield
    await serving


async def serve(application: Asgi, requests: list[tuple[str, str]]) -> None:
    async with lifespan_of(application):
        for method, path in requests:
            print(await ask_asgi(application, method, path))


def main(name: str, *asked: str) -> None:
    module, _, attribute = name.partition(":")
    application = getattr(import_module(module), attribute)
    requests = [(method or "GET", f"/{path}") for method, _, path in (each.partition("/") for each in asked)]
    if module == "wsgi":
        for method, path in requests:
            print(ask_wsgi(application, method, path))
    else:
        asyncio.run(serve(application, requests))


if __name__ == "__main__":
    sys.path.insert(0, "")
    main(*sys.argv[1:])
