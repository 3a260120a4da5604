"""What workflow code must not call, since a replay would get another answer or do it again; and what to call instead.

A name is dotted, as its module has it. ``package.*`` stands for every function and class of a package.
"""

from __future__ import annotations

import msgspec

__all__ = ["GROUPS", "METHODS", "Group", "Instead", "instead_of"]


class Group(msgspec.Struct, frozen=True):
    """Names that share a replacement.

    Attributes:
        does: what they do, in words that follow a name.
        instead: what to do instead.
        names: the names.
        reaches_out: whether they act on the world or hold the thread up, so that nothing a workflow calls may use them
            either; the others are left to libraries, which may read the clock for their own purposes.
    """

    does: str
    instead: str
    names: tuple[str, ...]
    reaches_out: bool = False


class Instead(msgspec.Struct, frozen=True):
    """Why one name is refused.

    Attributes:
        does: what it does, in words that follow the name.
        instead: what to do instead.
        repeatable_from: the number of arguments from which on it gives the same every time; None for never.
    """

    does: str
    instead: str
    repeatable_from: int | None = None


def _of(module: str, names: str) -> tuple[str, ...]:
    return tuple(f"{module}.{name}" for name in names.split())


GROUPS = (
    Group(
        "reads the clock",
        "workflow.now() or workflow.time_ns()",
        (
            *_of("datetime", "datetime.now datetime.utcnow datetime.today date.today"),
            *_of("time", "time time_ns monotonic monotonic_ns perf_counter perf_counter_ns process_time"),
            *_of("time", "process_time_ns thread_time thread_time_ns localtime gmtime ctime asctime strftime"),
        ),
    ),
    Group("holds up every workflow", "await workflow.sleep(…)", ("time.sleep",), True),
    Group(
        "throws dice",
        "workflow.random()",
        (
            *_of("random", "betavariate choice choices expovariate gammavariate gauss getrandbits lognormvariate"),
            *_of("random", "normalvariate paretovariate randbytes randint random randrange sample seed shuffle"),
            *_of("random", "triangular uniform vonmisesvariate weibullvariate Random SystemRandom"),
            "secrets.*",
            *_of("os", "urandom getrandom"),
            *_of("numpy.random", "* MT19937 PCG64 Philox RandomState SFC64 SeedSequence default_rng"),
        ),
    ),
    Group(
        "makes an id by chance",
        "workflow.uuid4() or workflow.uuid7()",
        _of("uuid", "uuid1 uuid4 uuid6 uuid7 uuid8 getnode"),
    ),
    Group(
        "asks for the environment",
        "an argument of the workflow, or workflow.side_effect(…)",
        (
            *_of(
                "os", "environ environb getenv getenvb putenv unsetenv getpid getppid getcwd getlogin cpu_count uname"
            ),
            *_of("os.path", "expanduser expandvars"),
            *("getpass.getuser", "platform.node"),
        ),
    ),
    Group(
        "touches files",
        "an activity",
        (
            *("builtins.open", "codecs.open"),
            *_of("os", "chdir chmod chown link listdir lstat makedirs mkdir open read readlink remove removedirs"),
            *_of("os", "rename renames replace rmdir scandir stat symlink truncate unlink walk write"),
            *_of("os.path", "exists getatime getctime getmtime getsize isdir isfile islink lexists realpath samefile"),
            *_of(
                "pathlib.Path", "absolute chmod cwd exists expanduser glob home is_dir is_file is_symlink iterdir lstat"
            ),
            *_of("pathlib.Path", "mkdir open owner read_bytes read_text readlink rename replace resolve rglob rmdir"),
            *_of("pathlib.Path", "samefile stat symlink_to touch unlink write_bytes write_text"),
            *_of("shutil", "copy copy2 copyfile copytree disk_usage move rmtree which"),
            "tempfile.*",
            "glob.glob",
            "glob.iglob",
            "sqlite3.connect",
        ),
        True,
    ),
    Group(
        "uses the network",
        "an activity",
        (
            *_of("socket", "socket create_connection create_server socketpair getaddrinfo gethostbyaddr gethostbyname"),
            *_of("socket", "gethostname getfqdn getnameinfo"),
            *_of("asyncio", "open_connection open_unix_connection start_server start_unix_server"),
            *("urllib.request.*", "http.client.*", "smtplib.*", "ftplib.*", "imaplib.*", "xmlrpc.client.*"),
            *("requests.*", "httpx.*", "aiohttp.*", "urllib3.*"),
        ),
        True,
    ),
    Group(
        "starts a process",
        "an activity",
        (
            "subprocess.*",
            "multiprocessing.*",
            *_of("os", "fork forkpty posix_spawn popen spawnl spawnlp spawnv spawnvp system"),
            *_of("asyncio", "create_subprocess_exec create_subprocess_shell"),
            *_of("concurrent.futures", "ProcessPoolExecutor process.ProcessPoolExecutor"),
        ),
        True,
    ),
    Group(
        "starts a thread",
        "an activity, or asyncio.create_task(…) for work of the workflow's own",
        (
            *_of("threading", "Thread Timer"),
            "_thread.start_new_thread",
            *_of("concurrent.futures", "ThreadPoolExecutor thread.ThreadPoolExecutor"),
            "asyncio.to_thread",
        ),
        True,
    ),
    Group(
        "runs another loop",
        "await: a workflow has a loop of its own",
        _of("asyncio", "run Runner new_event_loop set_event_loop"),
        True,
    ),
    Group("asks a person", "workflow.wait_condition(…) on what a signal brings", ("builtins.input",), True),
)

# Names with arguments that leave nothing to chance: from that many of them on.
_REPEATABLE_FROM = {
    "random.Random": 1,
    "time.localtime": 1,
    "time.gmtime": 1,
    "time.ctime": 1,
    "time.asctime": 1,
    "time.strftime": 2,
    **dict.fromkeys(_of("numpy.random", "MT19937 PCG64 Philox RandomState SFC64 SeedSequence default_rng"), 1),
}

# Of a whole package: what only makes a value, and what such a value can do; and its exceptions.
_VALUES = {
    "aiohttp": {"ClientTimeout"},
    "httpx": {"Headers", "QueryParams", "Request", "Response", "Timeout", "URL"},
    "numpy.random": {"Generator", "RandomState"},
    "requests": {"PreparedRequest", "Request", "Response"},
    "secrets": {"compare_digest"},
    "subprocess": {"CompletedProcess", "list2cmdline"},
    "urllib.request": {"Request", "pathname2url", "url2pathname"},
}
_EXCEPTIONS = ("Error", "Exception", "Warning")

METHODS = {"run_in_executor": Instead("starts a thread", "an activity")}
"""Methods that are refused by their name alone, whatever they are called on."""

_BY_NAME = {
    name: Instead(group.does, group.instead, _REPEATABLE_FROM.get(name)) for group in GROUPS for name in group.names
}
_PACKAGES = tuple((name[:-1], found) for name, found in _BY_NAME.items() if name.endswith(".*"))


def instead_of(name: str) -> Instead | None:
    """Why a name is refused; None if it is not.

    Args:
        name: dotted, as its module has it; of a member of a package, as any module of it has it.
    """
    found = _BY_NAME.get(name)
    if found is None:
        for prefix, each in _PACKAGES:
            if name.startswith(prefix):
                is_value = not _VALUES.get(prefix[:-1], set()).isdisjoint(name.split("."))
                return None if is_value or name.endswith(_EXCEPTIONS) else each
    return found
