"""What the README files show, run in one process: Python snippets, and the help of the commands.

    python document_runs.py WANTED OUTCOMES

WANTED is a JSON file: `snippets`, pieces of code that share no names, and `commands`, argument lists of Python.
OUTCOMES gets, in their order, what each snippet printed and how it failed, and the help that each command prints.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import runpy
import sys
import traceback
from pathlib import Path


def run_snippet(code: str) -> dict[str, str | None]:
    """Runs code in a namespace of its own; `error` is a traceback or None."""
    printed, error = io.StringIO(), None
    with contextlib.redirect_stdout(printed):
        try:
            exec(compile(code, "snippet", "exec"), {"__name__": "snippet"})
        except Exception:
            error = traceback.format_exc()
    return {"printed": printed.getvalue(), "error": error}


def help_of(command: list[str]) -> dict[str, str | None]:
    """What `python COMMAND --help` prints."""
    printed, error = io.StringIO(), None
    first, *rest = command
    search = list(sys.path)
    with contextlib.redirect_stdout(printed):
        try:
            if first == "-m":
                sys.argv[:] = [*rest, "--help"]
                runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
            else:
                sys.argv[:] = [first, *rest, "--help"]
                sys.path.insert(0, str(Path(first).resolve().parent))
                runpy.run_path(first, run_name="__main__")
        except SystemExit as ended:
            error = None if not ended.code else str(ended.code)
        except Exception:
            error = traceback.format_exc()
    sys.path[:] = search
    return {"printed": printed.getvalue(), "error": error}


if __name__ == "__main__":
    wanted = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    outcomes = Path(sys.argv[2]).resolve()
    os.environ["COLUMNS"] = "200"
    commands = [help_of(command) for command in wanted["commands"]]
    found = {"snippets": [run_snippet(code) for code in wanted["snippets"]], "commands": commands}
    outcomes.write_text(json.dumps(found), encoding="utf-8")
