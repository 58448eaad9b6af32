"""Python processes that start warm: each is forked from one that has imported what everybody imports.

A fresh interpreter spends some six seconds of CPU on torch, transformers and datasets before a program's first line.
`run_python` instead asks a server, one for each process of the suite, which has imported these (and nothing of
hf_arae) and forks a child for each command. The child has an environment, a folder, streams, an exit code and signals
of its own, imports hf_arae itself, and ends as every interpreter does. What depends on a fresh interpreter (which
packages an import brings, a launcher, the seed of hashes) is for `subprocess`.

    python warm_python.py FILE_DESCRIPTOR
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType

PRELOADED = (
    "accelerate",
    "datasets",
    "evaluate",
    "matplotlib.pyplot",
    "sacrebleu",
    "safetensors.torch",
    "sklearn.linear_model",
    "torch.utils.tensorboard",
    "transformers.modeling_utils",
    "transformers.models.auto.modeling_auto",
    "transformers.models.auto.tokenization_auto",
    "transformers.pipelines",
)


def run_python(
    arguments: Sequence[str | Path],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    input: str = "",
    timeout: float = 1200,
) -> subprocess.CompletedProcess:
    """`subprocess.run([sys.executable, *arguments], ...)` with text streams that are captured.

    Raises:
        subprocess.TimeoutExpired: After `timeout` seconds; the process has then been killed.
    """
    return run_processes(arguments, [{}], env=env, cwd=cwd, input=input, timeout=timeout)[0]


def run_distributed(arguments: Sequence[str | Path], processes: int, **options) -> list[subprocess.CompletedProcess]:
    """As `run_python`, on one process, or on several with the variables that torchrun would set."""
    if processes == 1:
        return [run_python(arguments, **options)]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    group = {"WORLD_SIZE": str(processes), "LOCAL_WORLD_SIZE": str(processes), "GROUP_RANK": "0"}
    group |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    ranks = [group | {"RANK": str(rank), "LOCAL_RANK": str(rank)} for rank in range(processes)]
    return run_processes(arguments, ranks, **options)


def run_processes(
    arguments: Sequence[str | Path],
    variables: Sequence[Mapping[str, str]],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    input: str = "",
    timeout: float = 1200,
) -> list[subprocess.CompletedProcess]:
    """Runs a command several times side by side, each with more variables in its environment. See `run_python`."""
    arguments = [str(argument) for argument in arguments]
    environment = dict(os.environ if env is None else env)
    with TemporaryDirectory(prefix="warm-python-") as folder:
        jobs = []
        for number, more in enumerate(variables):
            streams = [str(Path(folder, f"{number}.{name}")) for name in ("in", "out", "err")]
            Path(streams[0]).write_text(input)
            job = {"arguments": arguments, "environment": environment | dict(more), "streams": streams}
            jobs.append(job | {"folder": str(cwd or Path.cwd())})
        codes = _Server.ask(jobs, timeout)
        command = [sys.executable, *arguments]
        if codes is None:
            raise subprocess.TimeoutExpired(command, timeout, *(Path(name).read_bytes() for name in streams[1:]))
        return [
            subprocess.CompletedProcess(command, code, *(Path(name).read_text() for name in job["streams"][1:]))
            for job, code in zip(jobs, codes, strict=True)
        ]


class _Server:
    """The server of this process, started when it is first asked."""

    process: subprocess.Popen | None = None
    connection: socket.socket
    lines: object

    @classmethod
    def start(cls) -> None:
        cls.connection, theirs = socket.socketpair()
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        environment |= {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
        command = [sys.executable, __file__, str(theirs.fileno())]
        cls.process = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, pass_fds=[theirs.fileno()], start_new_session=True
        )
        theirs.close()
        cls.lines = cls.connection.makefile("rw")
        atexit.register(cls.stop)

    @classmethod
    def stop(cls) -> None:
        cls.lines.close()
        cls.connection.close()
        cls.process.wait()
        cls.process = None

    @classmethod
    def ask(cls, jobs: list[dict], timeout: float) -> list[int] | None:
        """The exit codes, negative for a signal as subprocess has them; None where the time was over."""
        if cls.process is None:
            cls.start()
        cls.lines.write(json.dumps(jobs) + "\n")
        cls.lines.flush()
        children = json.loads(cls.lines.readline())
        in_time, _, _ = select.select([cls.connection], [], [], timeout)
        for child in [] if in_time else children:
            for kill in (os.killpg, os.kill):  # the second for one that has not got its group yet
                with contextlib.suppress(ProcessLookupError):
                    kill(child, signal.SIGKILL)
        codes = json.loads(cls.lines.readline())
        return codes if in_time else None


def _serve(connection: socket.socket) -> dict:
    """Forks a child for each job until the other side hangs up. Returns only in a child, its job."""
    lines = connection.makefile("rw")
    for line in lines:
        children = []
        for job in json.loads(line):
            children.append(os.fork())
            if not children[-1]:
                connection.close()
                return job
        lines.write(json.dumps(children) + "\n")
        lines.flush()
        codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
        lines.write(json.dumps(codes) + "\n")
        lines.flush()
    os._exit(0)


def _become(job: dict) -> None:
    """Gives this process what a new one has of its own: group, streams, folder, environment, search path."""
    os.setsid()
    modes = (os.O_RDONLY, os.O_WRONLY | os.O_CREAT, os.O_WRONLY | os.O_CREAT)
    for number, (name, mode) in enumerate(zip(job["streams"], modes, strict=True)):
        opened = os.open(name, mode, 0o600)
        os.dup2(opened, number)
        os.close(opened)
    os.chdir(job["folder"])
    os.environ.clear()
    os.environ.update(job["environment"])
    search = [os.path.abspath(entry) for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry]
    sys.path[:0] = search
    sys.dont_write_bytecode = bool(os.environ.get("PYTHONDONTWRITEBYTECODE"))
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for entry in search:
        if Path(entry, "sitecustomize.py").is_file():
            runpy.run_path(str(Path(entry, "sitecustomize.py")))
            break


def _run(arguments: list[str]) -> None:
    """What `python ARGUMENTS` does."""
    first, *rest = arguments
    if first == "-m":
        sys.path.insert(0, os.getcwd())
        sys.argv[:] = rest
        runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
    elif first == "-c":
        sys.path.insert(0, "")
        sys.argv[:] = ["-c", *rest[1:]]
        main = sys.modules["__main__"] = ModuleType("__main__")
        exec(compile(rest[0], "<string>", "exec"), vars(main))
    else:
        sys.path.insert(0, str(Path(first).resolve().parent))
        sys.argv[:] = arguments
        runpy.run_path(first, run_name="__main__")


if __name__ == "__main__":
    from local_hub.environment import follow_environment

    del sys.path[0]  # this folder
    for name in PRELOADED:
        with contextlib.suppress(ImportError):
            import_module(name)
    gc.collect()
    gc.freeze()  # else the collector copies what parent and children share
    job = _serve(socket.socket(fileno=int(sys.argv[1])))
    _become(job)
    follow_environment()
    _run(job["arguments"])
