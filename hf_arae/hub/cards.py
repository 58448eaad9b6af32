"""Model cards, written from the run itself."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from huggingface_hub import EvalResult, ModelCard, ModelCardData
from transformers import AutoConfig, PretrainedConfig

from hf_arae.hub.card_text import CardText, template
from hf_arae.hub.curves import plot_run_curves
from hf_arae.hub.family import card_text
from hf_arae.hub.weights import count_parameters
from hf_arae.metrics.numbers import known_numbers
from hf_arae.storage.run_files import LOG_FILE, PICTURES_FOLDER, read_log, read_report
from hf_arae.utils.card_metadata import languages
from hf_arae.utils.escapes import fenced, literal, plain
from hf_arae.utils.places import repositories, without_place, without_places
from hf_arae.utils.tables import markdown_table

CARD_FILE = "README.md"
SAMPLES_FILE = "samples.md"
CURVES_FILE = "curves.png"
PICTURES = (CURVES_FILE, SAMPLES_FILE, f"{PICTURES_FOLDER}/*.png")  # of a run
SPLIT_OFF = "validation rows split off the training data"
_AS_THEY_ARE = [
    "training",
    "precision",
    "protocol",
    "table",
    "reading",
    "samples",
    "settings",
    "pictures",
    "domain",
]  # parts of a card's content in its template
_LONGEST_SAMPLE = 600  # characters of a line of samples


@dataclass(frozen=True)
class CardContent:
    """What a card says of one model, beside the texts of its family.

    Args:
        title: heading.
        repository: Hub id that the snippets name.
        parameters: their number.
        training: a sentence or two on the training data.
        dataset, split: names of the data that the numbers are of; `None`: not known.
        results: numbers of the evaluation, by the way in which the model was used ("" if there is one way only);
            those that are finite, and that their metric wants there, go into the metadata.
        runs: reports of the trainings that led to it, first to last (see `hf_arae.storage.run_files`).
        datasets: Hub ids of the training data.
        protocol: how the numbers were made.
        hardware: what it was trained on; as the runs say, if empty.
        precision: what the sentence on the parameters ends with.
        table, samples, settings: Markdown.
        reading: how often its outputs are usable, by whose rule.
        pictures: names of the files of `PICTURES` that lie beside the card.
        example: input of the snippet. If empty: one of the corpus, if `built_in`, else a placeholder.
        built_in: it was trained on a built-in corpus.
        domain: what its data are, as the first of its limits.
        language: ISO 639-1 codes, with commas between; `None`: the card names none.
        license: as the Hub names it; `None`: the card names none.
    """

    title: str
    repository: str
    parameters: int
    training: str
    dataset: str
    split: str | None = None
    results: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    runs: Sequence[dict[str, Any]] = ()
    datasets: Sequence[str] = ()
    protocol: str = ""
    hardware: str = ""
    precision: str = ""
    table: str = ""
    reading: str = ""
    samples: str = ""
    settings: str = ""
    pictures: Sequence[str] = ()
    example: str = ""
    built_in: bool = False
    domain: str = ""
    language: str | None = None
    license: str | None = None


def make_card(config: PretrainedConfig, content: CardContent) -> ModelCard:
    """Makes a card: what the model is for, how to use it, its training, results, samples, limits and settings.

    Raises:
        ValueError: the config is of no family of this package, or its family has no card.
    """
    report = content.runs[-1] if content.runs else {}
    text, labels = card_text(config), list((config.id2label or {}).values())
    inputs = text.examples if content.built_in else text.placeholders
    untrue = {"unsupervised"} if any(map(_chosen_by, content.runs)) else set()  # by pairs, for a summarizer
    untrue |= {"semi-supervised"} if report.get("method") == "supervised" else set()
    data = ModelCardData(
        language=languages(content.language),
        license=content.license,
        library_name="hf_arae",
        pipeline_tag=text.task_type,
        tags=[tag for tag in text.tags if tag not in untrue],
        datasets=list(content.datasets) or None,
        model_name=content.title,
        eval_results=_results(text, content) or None,
    )
    pairs = next((run["tuning_pairs"] for run in reversed(content.runs) if run.get("tuning_pairs")), None)
    return ModelCard.from_template(
        data,
        template_str=template(text),
        **{name: getattr(content, name) for name in _AS_THEY_ARE},
        title=plain(content.title),
        repository=re.sub(r"[^\w./-]", "-", content.repository),
        labels=" / ".join(map(plain, labels)),
        example=literal(content.example or inputs[0]),
        example_2=literal(inputs[1]),
        example_target=literal(labels[-1] if labels else ""),
        tuning_pairs="pairs" if pairs is None else f"{pairs:,} pairs".replace(",", " "),
        report=report,
        runs=[_run(run, content.hardware) for run in content.runs],
        parameters=f"{content.parameters / 1e6:.1f} M",
        config=config,
    )


def _results(text: CardText, content: CardContent) -> list[EvalResult]:
    """The numbers of the metadata."""
    return [
        EvalResult(
            task_type=text.task_type,
            task_name=text.task_name,
            dataset_type=re.sub(r"\W+", "-", content.dataset.lower()).strip("-") or "data",
            dataset_name=content.dataset,
            dataset_split=content.split,
            metric_type=key,
            metric_name=f"{text.name_of(key)}, {way}" if way else text.name_of(key),
            metric_value=round(value, 2),
        )
        for way, numbers in content.results.items()
        for key, value in numbers.items()
        if key in known_numbers() and known_numbers()[key].in_metadata
        if isinstance(value, (int, float)) and math.isfinite(value)
    ]


def write_run_card(
    folder: Path,
    repository: str,
    *,
    license: str | None = None,
    language: str | None = None,
    publish_samples: bool = False,
) -> Path:
    """Writes `README.md` into a run's folder from what the run left there, and draws its curves.

    It says what the run says, without the places on this machine.

    Args:
        folder: with weights; and, as far as they are there, the run's report and its log.
        repository: Hub id that the snippets name.
        license: as the Hub names it; `None`: that which the run was given, if any.
        language: ISO 639 codes, with commas between; `None`: those which the run was given, if any.
        publish_samples: show what the last evaluation printed, sentences of the data among it; also if the run was
            given that.

    Raises:
        OSError: the folder holds no model.
        ValueError: its family has no texts for a card.
    """
    whole = read_report(folder)
    config, report = AutoConfig.from_pretrained(folder), without_places(whole)
    settings = report.get("settings", {})
    log = folder / LOG_FILE
    if log.is_file() and not (folder / "curves.png").is_file():
        plot_run_curves(log, folder / "curves.png")
    publish_samples = publish_samples or samples_wanted(report)
    names, data = _data(whole)
    about = f"Trained on {' and '.join(map(plain, data))}" if data else "Trained"
    finite = {key: value for key, value in report.items() if type(value) is float and math.isfinite(value)}
    numbers = {key: value for key, value in finite.items() if key != "minutes"}
    text = card_text(config)
    rows = [{"": plain(text.name_of(key)), "value": value} for key, value in numbers.items()]
    runs = [part for part in (report.get("base"), report) if part]
    split, protocol = _measured(report)
    content = CardContent(
        title=repository.rpartition("/")[2],
        repository=repository,
        results={"": report},
        runs=runs,
        parameters=count_parameters(folder),
        training=f"{about}:" if report else f"{about}; the run left no report.",
        dataset=", ".join(data) or "not recorded",
        split=split,
        datasets=names,
        protocol=protocol,
        table=markdown_table(rows, 2),
        samples=_samples(log) if publish_samples else "",
        settings=_table_of_settings(settings) if settings else "",
        pictures=pictures_in(folder, publish_samples),
        built_in=bool(settings) and not any(map(settings.get, ("train_file", "dataset_name"))),
        language=language or settings.get("language"),
        license=license or settings.get("license"),
    )
    path = folder / CARD_FILE
    make_card(config, content).save(path)
    return path


def pictures_in(folder: Path, samples: bool) -> list[str]:
    """The pictures of a run that go along, by name: those that show samples only if these are published."""
    names = [path.relative_to(folder).as_posix() for pattern in PICTURES for path in sorted(folder.glob(pattern))]
    return [name for name in names if samples or name == CURVES_FILE]


def samples_wanted(report: dict[str, Any]) -> bool:
    """Whether a run was told to publish sentences of its data."""
    return bool(report.get("settings", {}).get("publish_samples"))


def _chosen_by(report: dict[str, Any]) -> str | None:
    """The metric by which evaluations chose a run's checkpoint."""
    settings = report.get("settings", {})
    return settings.get("metric_for_best_model") if settings.get("eval_steps") else None


def _measured(report: dict[str, Any]) -> tuple[str | None, str]:
    """The split that a run's numbers are of, and a sentence or two on it."""
    split, metric, pairs = report.get("measured_split"), _chosen_by(report), report.get("tuning_pairs")
    chose = [f"the best checkpoint (by {plain(metric)})"] if metric else []
    chose += [f"the numbers of the search (on {pairs} pairs)"] if pairs else []
    what = " and ".join(chose)
    if split is None:
        return None, "Measured by the training script at its end; the run did not record on which split."
    if split == "test":
        told = f" The validation data chose {what}." if chose else ""
        return split, f"Measured on the test split, by the training script at its end.{told}"
    rows = f"{SPLIT_OFF}" if split == "split off" else "the validation split"
    told = f", which also chose {what}: on new texts the numbers are likely to be worse." if chose else "."
    return (
        SPLIT_OFF if split == "split off" else split,
        f"There is no test split. Measured by the training script, at its end, on {rows}{told}",
    )


def _run(report: dict[str, Any], hardware: str) -> dict[str, str]:
    """One training's part of the card: its command, and a sentence on what it took, as far as that is known."""
    took = f"{report['updates']:,} updates" if "updates" in report else "Trained"
    minutes = f"{report.get('minutes', 0):.0f}"
    took += f" in {minutes} minute{'' if minutes == '1' else 's'}" if "minutes" in report else ""
    took += f" on {plain(hardware or report.get('hardware', 'unnamed hardware'))}"
    took += f"; seed {report['seed']}" if "seed" in report else ""
    preset = report.get("preset") or report.get("settings", {}).get("preset")
    took += f"; preset {plain(str(preset))}" if preset else ""
    return {"command": fenced(str(report.get("command", "(not recorded)"))), "took": f"{took}."}


def _data(report: dict[str, Any]) -> tuple[list[str], list[str]]:
    """Hub ids of the datasets that a run's settings name, and the names of all its data without their places."""
    settings, known = report.get("settings", {}), repositories(report)
    names = [name.strip() for name in str(settings.get("dataset_name") or "").split(",") if name.strip()]
    files = [name.strip() for name in str(settings.get("train_file") or "").split(",") if name.strip()]
    on_hub = list(dict.fromkeys(name.partition(":")[0] for name in names if name in known))
    shown = [name if name in known else without_place(name) for name in names + files]
    return on_hub, shown or (["the built-in corpus of hf_arae"] if settings else [])


def _samples(log: Path) -> str:
    """What the last evaluation printed, as Markdown; nothing where there was none."""
    if not log.is_file():
        return ""
    samples = next((line["samples"] for line in reversed(read_log(log)) if line.get("samples")), [])
    texts = [sample for sample in samples if not fnmatch(sample, PICTURES[-1])]
    if not texts:
        return ""
    shown = "\n".join(text[:_LONGEST_SAMPLE] for sample in texts for text in sample.splitlines())
    return f"## Unpicked samples\n\nWhat the last evaluation of the training printed:\n\n{fenced(shown)}"


def _table_of_settings(settings: dict[str, Any]) -> str:
    rows = [
        {
            "setting": f"`{key}`" if key.isidentifier() else plain(key),
            "value": "" if value is None else plain(value),
        }
        for key, value in settings.items()
    ]
    return markdown_table(rows)
