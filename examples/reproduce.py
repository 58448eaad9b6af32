"""Reproduces a table or figure: trains its presets, evaluates them, and sets ours beside the published numbers.

    python examples/reproduce.py --list                                   # what there is
    python examples/reproduce.py yelp-transfer --data_dir DATA            # DATA has the data sets, in the Hub's layout
    python examples/reproduce.py yelp-transfer --data_dir DATA --seeds 0 1 2
    python examples/reproduce.py yelp-transfer --quick                    # proves the chain on built-in data

Each entry is a record, `examples/tables/NAME.yaml`: its trainings (presets, in their order), its evaluation, and its
rows, each with the key of our number and the published one. Everything runs in processes of its own. What has ended is
not run again, and a training that was stopped goes on, so that the same command finishes a table that was interrupted.
A training of other settings that stands in its place is refused; an evaluation of other trainings is made anew.
Runs are shared between entries: `--output_dir`, then `seed-N`, then the preset's name.

The steps: 1 arguments, 2 trainings and evaluation of each seed, 3 the table. `NAME.json` and `NAME.md` in
`--output_dir` have the rows: ours, mean and range over the seeds, published, difference.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path
from statistics import mean
from typing import Any

import yaml

from hf_arae.metrics.numbers import legend
from hf_arae.storage.downloads import file_sha256
from hf_arae.storage.files import read_json, write_json, write_text
from hf_arae.storage.run_files import REPORT_FILE
from hf_arae.utils.command_line import read_command_line, run_script
from hf_arae.utils.presets import close_names, read_preset, script_of
from hf_arae.utils.tables import markdown_table

EXAMPLES = Path(__file__).parent
MADE_FILE = "made_with.json"  # beside a result: the settings that it was made with
QUICK = "Quick: tiny models, a few updates, built-in data. The chain works; the numbers mean nothing."
LEGEND = "ours: mean over the seeds, of which range is lowest and highest; difference: ours less published; -: none."


Seeds = list[int]


@dataclass
class ScriptArguments:
    """What belongs to this script alone."""

    list: bool = field(default=False, metadata={"help": "All entries are listed, and nothing is run."})
    quick: bool = field(
        default=False,
        metadata={"help": "Tiny models learn for a few updates from built-in data, to prove the chain of an entry."},
    )
    data_dir: str | None = field(
        default=None, metadata={"help": "This folder has the data sets that the records name, in the Hub's layout."}
    )
    seeds: Seeds | None = field(
        default=None,
        metadata={"help": "Everything is trained once a seed; by default seed 0, or the seeds that a preset has."},
    )
    output_dir: str | None = field(
        default=None,
        metadata={"help": "Runs and tables go into this folder; by default runs/reproduce, or runs/reproduce-quick."},
    )


@dataclass(frozen=True)
class Job:
    """A command, and the file that is there once it has ended.

    Args:
        command: what is run.
        result: the file.
        settings: names and values that the result depends on.
        resume: flags that make it go on where it was stopped.
        reads: results of the trainings that an evaluation reads; a training reads none.
    """

    command: list[str]
    result: Path
    settings: dict[str, Any]
    resume: tuple[str, ...] = ()
    reads: tuple[Path, ...] = ()


def read_record(name: str) -> dict[str, Any]:
    """The record of an entry.

    Raises:
        ValueError: there is none of that name.
    """
    path = EXAMPLES / "tables" / f"{name}.yaml"
    if not path.is_file():
        known = entries()
        raise ValueError(f"there is no entry {name}{close_names(name, known)} Entries: {', '.join(known)}")
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def entries() -> list[str]:
    """Names of all records."""
    return sorted(path.stem for path in (EXAMPLES / "tables").glob("*.yaml"))


def flags(values: Mapping[str, Any], places: Mapping[str, str]) -> list[str]:
    """Flags as the command line has them, with `{data}` and `{runs}` filled in."""
    found = []
    for name, value in values.items():
        texts = [str(one).lower() if isinstance(one, bool) else str(one) for one in _listed(value)]
        for place, path in places.items():
            texts = [text.replace(f"{{{place}}}", path) for text in texts]
        found += [f"--{name}", *texts]
    return found


def jobs(
    name: str, record: dict[str, Any], seeds: Sequence[int] | None, out: Path, data: str | None, quick: bool
) -> list[Job]:
    """What an entry runs, in its order."""
    found, tiny = [], record.get("quick", {})
    for seed in [None] if record.get("own_seeds") else seeds or [0]:
        runs = runs_folder(out, seed)
        places, trained = {"data": data or "", "runs": str(runs)}, []
        steps = [(f"train:{one['preset']}", one) for one in record["trainings"]]
        for kind, step in [*steps, *([("evaluate", record["evaluation"])] if "evaluation" in record else [])]:
            training = kind != "evaluate"
            given = dict(step.get("flags", {}))
            if quick:  # without data sets, which are not there
                given = {key: value for key, value in given.items() if "{data}" not in str(value)}
                given = {key: value for key, value in given.items() if key not in tiny.get("without", ())}
                given |= tiny.get("trainings" if training else "evaluation", {}) | step.get("quick", {})
            if training:
                script, folder = f"{script_of(step['preset'], EXAMPLES / 'presets')}.py", runs / step["preset"]
                given = {"preset": step["preset"], **given, "output_dir": str(folder)}
                given |= {"seed": seed} if seed is not None else {"seeds": list(seeds)} if seeds else {}
                result, reads = folder / step.get("result", REPORT_FILE), ()
                resume = () if step.get("resumes_itself") else ("--resume_from_checkpoint", "last")
                preset = read_preset(step["preset"], EXAMPLES / script)
                trained.append(result)
            else:
                script, folder, resume = f"{step['script']}.py", evaluation_folder(name, out, seed), ()
                given = {**given, "output_dir": str(folder)} | ({} if seed is None else {"seed": seed})
                given = {key: value for key, value in given.items() if key not in step.get("without", ())}
                result, reads, preset = folder / step["result"], tuple(trained), {}
            settings: dict[str, Any] = {"quick": quick, "script": script}
            if not quick:  # entries have quick settings of their own, whose numbers mean nothing
                own = {
                    key: _filled(value, {"data": data or ""}) for key, value in given.items() if key != "output_dir"
                }
                settings |= preset | own
            command = [sys.executable, str(EXAMPLES / script), *flags(given, places)]
            found.append(Job(command, result, settings, resume, reads))
    return found


def runs_folder(out: Path, seed: int | None) -> Path:
    return out if seed is None else out / f"seed-{seed}"


def evaluation_folder(name: str, out: Path, seed: int | None) -> Path:
    return runs_folder(out, seed) / name


def start(command: list[str]) -> int:
    """Runs a command to its end; returns its exit code."""
    return subprocess.run(command).returncode


def run(job: Job) -> None:
    """Runs a job unless it has ended before.

    Raises:
        SystemExit: it failed, or was stopped; with its code.
        ValueError: a training of other settings stands in its place.
    """
    made = job.result.with_name(MADE_FILE)
    settings = job.settings | {f"read {path.parent.name}": file_sha256(path) for path in job.reads}
    shown = f"python {shlex.join([str(Path(job.command[1]).name), *job.command[2:]])}"
    if job.result.exists():
        earlier = read_json(made) if made.exists() else settings
        if earlier == settings:
            print(f"has ended before: {shown}", flush=True)
            return
        if not job.reads:
            other = [key for key in {**earlier, **settings} if earlier.get(key) != settings.get(key)]
            other = ["quick"] if "quick" in other else other  # nothing else is to be told then
            raise ValueError(
                f"the training in {job.result.parent} was made with another {', '.join(other)}: remove it, or give "
                "another --output_dir"
            )
        job.result.unlink()
    print(f"\n$ {shown}", flush=True)
    code = start([*job.command, *job.resume])
    if code or not job.result.exists():
        print(f"reproduce.py: this ended with code {code}: {shown}", file=sys.stderr)
        raise SystemExit(code or 1)
    write_json(made, settings)


def numbers(found: Any, row: dict[str, Any], places: Mapping[str, str], quick: bool) -> dict[str, Any]:
    """What an evaluation wrote, in the place that a row of a record means.

    Raises:
        ValueError: there is no such place. Where it was quick, of other data, there need be none.
    """
    rows = found[row["section"]] if "section" in row else found
    wanted = {key: _filled(value, places) for key, value in row.get("of", {}).items()}
    for one in rows:
        if all(one.get(key) == value for key, value in wanted.items()):
            return one
    if quick:
        return {}
    raise ValueError(f"the evaluation has no row with {wanted}")


def compare(
    name: str, record: dict[str, Any], seeds: Sequence[int] | None, out: Path, quick: bool
) -> list[dict[str, Any]]:
    """The rows of an entry: ours, of each seed and on average, beside the published numbers."""
    written = {}
    for seed in [None] if record.get("own_seeds") else seeds or [0]:
        runs, step = runs_folder(out, seed), record.get("evaluation") or record["trainings"][-1]
        folder = evaluation_folder(name, out, seed) if "evaluation" in record else runs / step["preset"]
        written[runs] = read_json(folder / step["result"])
    found = []
    for row in record["rows"]:
        ours = [numbers(result, row, {"runs": str(runs)}, quick) for runs, result in written.items()]
        for metric, published in row["published"].items():
            values = [one[metric] for one in ours if one.get(metric) is not None]
            line = {"row": row["row"], "metric": metric, "values": values, "published": published}
            line["ours"] = mean(values) if values else None
            known = values and published is not None
            found.append(line | {"difference": line["ours"] - published if known else None})
    return found


def table(rows: Sequence[dict[str, Any]]) -> str:
    """The rows as a Markdown table."""
    lines = []
    for row in rows:
        line = {"row": row["row"], "metric": row["metric"], "ours": "-" if row["ours"] is None else row["ours"]}
        if len(row["values"]) > 1:
            line["range"] = f"{min(row['values']):.2f} to {max(row['values']):.2f}"
        line |= {"published": row["published"], "difference": row["difference"]}
        lines.append({key: value for key, value in line.items() if value is not None})
    return markdown_table(lines, decimals=2)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _filled(value: Any, places: Mapping[str, str]) -> Any:
    for place, path in places.items():
        value = value.replace(f"{{{place}}}", path) if isinstance(value, str) else value
    return value


def main() -> None:
    # 1. Arguments: names of entries, then flags
    names = list(takewhile(lambda argument: not argument.startswith("-"), sys.argv[1:]))
    flags_given = sys.argv[1 + len(names) :]
    (script,) = read_command_line(__file__, __doc__, {"Flags": ScriptArguments}, arguments=flags_given).parts
    if script.list or not names:
        for name in entries():
            record = read_record(name)
            print(f"{name}\n    {record['title']}\n    {record['takes']}")
        return
    records = {name: read_record(name) for name in names}
    if not script.quick and script.data_dir is None:
        raise ValueError("--data_dir must name the folder of the data sets; --quick does without")
    if script.data_dir is not None and not Path(script.data_dir).is_dir():
        raise FileNotFoundError(f"there is no folder {script.data_dir} (--data_dir)")
    seeds = [0] if script.quick else script.seeds and list(dict.fromkeys(script.seeds))
    out = Path(script.output_dir or ("runs/reproduce-quick" if script.quick else "runs/reproduce")).resolve()
    out.mkdir(parents=True, exist_ok=True)
    data = script.data_dir and str(Path(script.data_dir).resolve())

    for name, record in records.items():
        # 2. Trainings and evaluation of each seed
        for job in jobs(name, record, seeds, out, data, script.quick):
            run(job)

        # 3. The table
        rows = compare(name, record, seeds, out, script.quick)
        meanings = legend(row["metric"] for row in rows)
        notes = [QUICK] if script.quick else [record["note"]] if "note" in record else []
        text = "\n\n".join(filter(None, [f"# {record['title']}", table(rows), LEGEND, meanings, *notes]))
        print(f"\n{text}")
        write_text(out / f"{name}.md", f"{text}\n")
        about = {"name": name, "title": record["title"], "quick": script.quick, "seeds": seeds}
        write_json(out / f"{name}.json", about | {"rows": rows})


if __name__ == "__main__":
    run_script(main)
