"""Model cards, written from the run itself."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from huggingface_hub import EvalResult, ModelCard, ModelCardData
from huggingface_hub.utils import HFValidationError, validate_repo_id
from transformers import AutoConfig, PretrainedConfig

from hf_arae.evaluation.curves import draw_run_curves
from hf_arae.evaluation.tables import markdown_table
from hf_arae.hub.card_texts import METRIC_NAMES, card_text, template
from hf_arae.hub.weights import count_parameters
from hf_arae.training.logs import LOG_FILE
from hf_arae.training.report import read_report

CARD_FILE = "README.md"
PICTURES = ("curves.png", "samples.md")  # of a run; what there is goes along
_LONGEST_SAMPLE = 600  # characters of a line of samples


def make_card(
    config: PretrainedConfig,
    *,
    title: str,
    repository: str,
    results: dict[str, Any],
    runs: Sequence[dict[str, Any]],
    parameters: int,
    training: str,
    dataset: str,
    split: str = "test",
    datasets: Sequence[str] = (),
    protocol: str = "",
    hardware: str = "",
    precision: str = "",
    table: str = "",
    samples: str = "",
    settings: str = "",
    pictures: Sequence[str] = (),
    example: str = "",
    language: str = "en",
    license: str = "apache-2.0",
) -> ModelCard:
    """Makes a card: what the model is for, how to use it, its training, results, samples, limits and settings.

    Args:
        config: the model's.
        title: heading.
        repository: Hub id that the snippets name.
        results: numbers of the evaluation; those in `METRIC_NAMES` go into the metadata.
        runs: reports of the trainings that led to it, first to last (see `hf_arae.training.report`).
        parameters: their number.
        training: a sentence or two on the training data.
        dataset, split: names of the data that the numbers are of.
        datasets: Hub ids of the training data.
        protocol: how the numbers were made.
        hardware: what it was trained on; as the runs say, if empty.
        precision: what the sentence on the parameters ends with.
        table, samples, settings: Markdown.
        pictures: files of `PICTURES` that lie beside the card.
        example: sentence of the snippet; the family's own if empty.
        language: ISO 639-1 code.
        license: as the Hub names it.
    """
    text, labels = card_text(config), list((config.id2label or {}).values())
    evaluation = [
        EvalResult(
            task_type=text.task_type,
            task_name=text.task_name,
            dataset_type=re.sub(r"\W+", "-", dataset.lower()).strip("-"),
            dataset_name=dataset,
            dataset_split=split,
            metric_type=key,
            metric_name=name,
            metric_value=round(results[key], 2),
        )
        for key, name in METRIC_NAMES.items()
        if results.get(key) is not None
    ]
    data = ModelCardData(
        language=language,
        license=license,
        library_name="hf_arae",
        pipeline_tag=text.task_type,
        tags=text.tags,
        datasets=list(datasets) or None,
        model_name=title,
        eval_results=evaluation or None,
    )
    return ModelCard.from_template(
        data,
        template_str=template(text),
        title=title,
        repository=repository,
        labels=" / ".join(labels),
        example=example or text.example,
        example_target=labels[-1] if labels else "",
        training=training,
        runs=[_run(report, hardware) for report in runs],
        parameters=f"{parameters / 1e6:.1f} M",
        precision=precision,
        protocol=protocol,
        table=table,
        samples=samples,
        settings=settings,
        vocabulary=f"{config.vocab_size:,}",
        config=config,
        pictures=pictures,
    )


def write_run_card(folder: Path, repository: str) -> Path:
    """Writes `README.md` into a run's folder from what the run left there, and draws its curves.

    Args:
        folder: with weights; and, as far as they are there, the run's report and its log.
        repository: Hub id that the snippets name.

    Raises:
        OSError: the folder holds no model.
    """
    config, report = AutoConfig.from_pretrained(folder), read_report(folder)
    settings = report.get("settings", {})
    log = folder / LOG_FILE
    if log.is_file() and not (folder / "curves.png").is_file():
        draw_run_curves(log, folder / "curves.png")
    names, files = _data(settings)
    data = names + files or (["built-in corpus of hf_arae"] if settings else [])
    about = f"Trained on {' and '.join(f'`{name}`' for name in data)}" if data else "Trained"
    numbers = {key: value for key, value in report.items() if type(value) is float and key != "minutes"}
    card = make_card(
        config,
        title=repository.rpartition("/")[2],
        repository=repository,
        results=report,
        runs=[part for part in (report.get("base"), report) if part],
        parameters=count_parameters(folder),
        training=f"{about}:" if report else f"{about}; the run left no report.",
        dataset=", ".join(data) or "not recorded",
        datasets=[name for name in names if _is_repository(name)],
        protocol="On held-out texts, as the training script measures them at its end.",
        table=markdown_table([{"": METRIC_NAMES.get(key, key), "value": value} for key, value in numbers.items()], 2),
        samples=_samples(log),
        settings=_table_of_settings(settings) if settings else "",
        pictures=[name for name in PICTURES if (folder / name).is_file()],
    )
    path = folder / CARD_FILE
    card.save(path)
    return path


def _run(report: dict[str, Any], hardware: str) -> dict[str, str]:
    """One training's line of the card."""
    return {
        "command": report["command"],
        "updates": f"{report['updates']:,}",
        "minutes": f"{report['minutes']:.0f}",
        "seed": str(report["seed"]),
        "hardware": hardware or report.get("hardware", "unnamed hardware"),
    }


def _data(settings: dict[str, Any]) -> tuple[list[str], list[str]]:
    """Names of the datasets and of the files that the settings name; folders without their places."""
    names = str(settings.get("dataset_name") or "").split(",")
    names = [name if _is_repository(name) else Path(name).name for name in names if name]
    return names, [Path(name).name for name in str(settings.get("train_file") or "").split(",") if name]


def _is_repository(name: str) -> bool:
    """Whether a dataset's name is one of the Hub's, as far as its form and this disk tell."""
    try:
        validate_repo_id(name.partition(":")[0])
    except HFValidationError:
        return False
    return name.count("/") == 1 and not Path(name).exists()


def _samples(log: Path) -> str:
    """What the last evaluation printed, as Markdown; nothing where there was none."""
    if not log.is_file():
        return ""
    lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    samples = next((line["samples"] for line in reversed(lines) if line.get("samples")), [])
    if not samples:
        return ""
    shown = "\n".join(f"    {text[:_LONGEST_SAMPLE]}" for sample in samples for text in sample.splitlines())
    return f"## Unpicked samples\n\nWhat the last evaluation of the training printed:\n\n{shown}"


def _table_of_settings(settings: dict[str, Any]) -> str:
    return markdown_table([{"setting": f"`{key}`", "value": _cell(value)} for key, value in settings.items()])


def _cell(value: Any) -> str:
    return "" if value is None else str(value).replace("|", "\\|").replace("\n", " ")
