"""The page on embedding: its programs run, its applications are served, and its service stops when it is told to."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.examples.test_pages import run

pytestmark = pytest.mark.aside

SERVING = str(Path(__file__).with_name("serving.py"))
PAGE = "docs/embedding.md"

ReadAlong = Callable[..., list[tuple[str, str, str]]]


@pytest.mark.slow
def test_the_commands_of_the_page_on_embedding_print_what_it_says(read_along: ReadAlong) -> None:
    commands = read_along(PAGE)

    assert commands
    for line, said, printed in commands:
        assert printed == said, line


@pytest.mark.slow
def test_the_wsgi_application_answers_twice_and_closes_when_its_process_ends(
    read_along: ReadAlong, tmp_path: Path
) -> None:
    read_along(PAGE)

    for name in ("Ada", "Bob"):
        done = run(tmp_path, SERVING, "wsgi:application", f"/{name}")

        assert (done.returncode, done.stdout) == (0, f"200 Hi, {name}, and welcome\n")


@pytest.mark.slow
def test_the_fastapi_application_starts_answers_and_finds_again(read_along: ReadAlong, tmp_path: Path) -> None:
    read_along(PAGE)

    began = run(tmp_path, SERVING, "api:app", "POST/welcomes/Ada", "/threads/Bob", "/welcomes/nobody")
    begun = re.match(r'202 \{"id":"(\S+)"\}\n', began.stdout)

    assert begun is not None, began.stdout
    assert began.stdout.splitlines()[1:] == ['200 {"result":"Hi, Bob, and welcome"}', '404 {"detail":"Not Found"}']
    found = run(tmp_path, SERVING, "api:app", f"/welcomes/{begun[1]}")
    assert found.stdout == '200 {"result":"Hi, Ada, and welcome"}\n'


@pytest.mark.slow
def test_the_django_application_answers_from_the_loop_and_from_threads(read_along: ReadAlong, tmp_path: Path) -> None:
    read_along(PAGE)

    done = run(tmp_path, SERVING, "asgi:application", "/welcomes/Ada", "/threads/Bob")

    assert done.stdout == "200 Hi, Ada, and welcome\n200 Hi, Bob, and welcome\n"


@pytest.mark.slow
def test_the_service_closes_when_it_is_told_to_stop(read_along: ReadAlong, tmp_path: Path) -> None:
    read_along(PAGE)
    root = str(Path(__file__).resolve().parents[2])
    command = [sys.executable, "-W", "error", "service.py", str(tmp_path / "journal")]

    with subprocess.Popen(
        command, cwd=tmp_path, env={**os.environ, "PYTHONPATH": root}, stdout=subprocess.PIPE, text=True
    ) as service:
        assert service.stdout is not None
        assert service.stdout.readline() == "ready\n"
        service.send_signal(signal.SIGTERM)

        assert service.stdout.read() == "closed\n"
    assert service.returncode == 0
