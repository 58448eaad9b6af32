"""What the Hub says to the metadata at the head of a README.md."""

import re
from collections.abc import Callable, Iterator

import yaml

BLOCK = re.compile(r"^(\s*---[\r\n]+)([\S\s]*?)([\r\n]+---(\r\n|\n|$))")
_LICENSES = """
    apache-2.0 mit openrail bigscience-openrail-m creativeml-openrail-m bigscience-bloom-rail-1.0 bigcode-openrail-m
    afl-3.0 artistic-2.0 bsl-1.0 bsd bsd-2-clause bsd-3-clause bsd-3-clause-clear c-uda cc cc0-1.0 cc-by-2.0 cc-by-2.5
    cc-by-3.0 cc-by-4.0 cc-by-sa-3.0 cc-by-sa-4.0 cc-by-nc-2.0 cc-by-nc-3.0 cc-by-nc-4.0 cc-by-nd-4.0 cc-by-nc-nd-3.0
    cc-by-nc-nd-4.0 cc-by-nc-sa-2.0 cc-by-nc-sa-3.0 cc-by-nc-sa-4.0 cdla-sharing-1.0 cdla-permissive-1.0
    cdla-permissive-2.0 wtfpl ecl-2.0 epl-1.0 epl-2.0 etalab-2.0 eupl-1.1 eupl-1.2 agpl-3.0 gfdl gpl gpl-2.0 gpl-3.0
    lgpl lgpl-2.1 lgpl-3.0 isc h-research intel-research lppl-1.3c ms-pl apple-ascl apple-amlr mpl-2.0 odc-by odbl
    openmdw-1.0 openrail++ osl-3.0 postgresql ofl-1.1 ncsa unlicense zlib pddl lgpl-lr deepfloyd-if-license
    fair-noncommercial-research-license llama2 llama3 llama3.1 llama3.2 llama3.3 llama4 grok2-community gemma unknown
    other
"""
LICENSES = frozenset(_LICENSES.split())
_TASKS = """
    text-classification token-classification table-question-answering question-answering zero-shot-classification
    translation summarization feature-extraction text-generation fill-mask sentence-similarity text-to-speech
    text-to-audio automatic-speech-recognition audio-to-audio audio-classification audio-text-to-text
    voice-activity-detection depth-estimation image-classification object-detection image-segmentation text-to-image
    image-to-text image-to-image image-to-video unconditional-image-generation video-classification
    reinforcement-learning robotics tabular-classification tabular-regression tabular-to-text table-to-text
    multiple-choice text-ranking text-retrieval time-series-forecasting text-to-video image-text-to-text
    image-text-to-image image-text-to-video visual-question-answering document-question-answering
    zero-shot-image-classification graph-ml mask-generation zero-shot-object-detection text-to-3d image-to-3d
    image-feature-extraction video-text-to-text keypoint-detection visual-document-retrieval any-to-any video-to-video
    other
"""
TASKS = frozenset(_TASKS.split())
COLORS = ("red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray")
SDKS = ("gradio", "streamlit", "docker", "static")
LANGUAGE_HINT = (
    "It must be an ISO 639-1, 639-2 or 639-3 code (two/three letters), or a special value like"
    ' "code", "multilingual". If you want to use BCP-47 identifiers, you can specify them in language_bcp47.'
)


def read_metadata(content: str) -> dict:
    """The metadata of a card; empty if there is none or if it is broken."""
    match = BLOCK.match(content)
    try:
        metadata = yaml.safe_load(match.group(2)) if match else None
    except yaml.YAMLError:
        metadata = None
    return metadata if isinstance(metadata, dict) else {}


def validate_card(content: str, repo_type: str) -> tuple[list[str], list[str]]:
    """Judges a README.md as the Hub does.

    Args:
        content: The whole text of the card.
        repo_type: "model", "dataset" or "space".

    Returns:
        (errors, warnings): an error keeps the Hub from taking the file; a warning is only shown.
    """
    match = BLOCK.match(content)
    if match is None or not match.group(2).strip():
        return [], ["empty or missing yaml metadata in repo card"]
    try:
        metadata = yaml.safe_load(match.group(2))
    except yaml.YAMLError as error:
        return [f"YAML metadata could not be parsed: {error}"], []
    if not isinstance(metadata, dict):
        return ["YAML metadata must be an object"], []
    warnings = list(_warnings(metadata))
    return [*_common_errors(metadata), *_ERRORS_OF[repo_type](metadata)], warnings


def _warnings(data: dict) -> Iterator[str]:
    official = ", ".join(sorted(TASKS))
    if isinstance(tag := data.get("pipeline_tag"), str) and tag not in TASKS:
        yield f'The pipeline tag "{tag}" is not in the official list: {official}'
    for task in as_list(data.get("task_categories")):
        if task not in TASKS:
            yield f'The task_categories "{task}" is not in the official list: {official}'


def _common_errors(data: dict) -> Iterator[str]:
    for key in ("thumbnail", "pretty_name", "license_name", "license_link", "library_name", "pipeline_tag"):
        if key in data and not isinstance(data[key], str):
            yield f'"{key}" must be a string'
    for key in ("tags", "widget", "task_categories", "configs", "model-index"):
        if key in data and not isinstance(data[key], list):
            yield f'"{key}" must be an array'
    for key in ("tags", "datasets", "metrics"):
        for index, value in enumerate(as_list(data.get(key))):
            if not isinstance(value, str):
                yield f'"{key}[{index}]" must be a string'
    for license_id in as_list(data.get("license")):
        if license_id not in LICENSES:
            yield f'"license" must be one of [{", ".join(sorted(LICENSES))}, array]'
    for index, language in enumerate(as_list(data.get("language"))):
        name = f'"language[{index}]"' if isinstance(data["language"], list) else '"language"'
        if not isinstance(language, str):
            yield f"{name} must be a string"
        elif language != language.lower():
            yield f"{name} must only contain lowercase characters"
        elif not re.fullmatch("[a-z]{2,3}|code|multilingual", language):
            yield f'{name} with value "{language}" is not valid. {LANGUAGE_HINT}'


def _model_errors(data: dict) -> Iterator[str]:
    for i, model in enumerate(as_list(data.get("model-index"))):
        where = f"model-index[{i}]"
        yield from _missing(model, where, name=str, results=list)
        for j, result in enumerate(as_list(_get(model, "results"))):
            inner = f"{where}.results[{j}]"
            yield from _missing(result, inner, task=dict, metrics=list)
            if isinstance(_get(result, "task"), dict):
                yield from _missing(result["task"], f"{inner}.task", type=str)
            if _get(result, "dataset") is not None:
                yield from _missing(result["dataset"], f"{inner}.dataset", type=str, name=str)
            if isinstance(_get(result, "source"), dict):
                yield from _missing(result["source"], f"{inner}.source", url=str)
            for k, metric in enumerate(as_list(_get(result, "metrics"))):
                yield from _missing(metric, f"{inner}.metrics[{k}]", type=str, value=object)


def _dataset_errors(data: dict) -> Iterator[str]:
    for i, config in enumerate(as_list(data.get("configs"))):
        yield from _missing(config, f"configs[{i}]", config_name=str)
        for j, file in enumerate(as_list(_get(config, "data_files"))):
            if isinstance(file, dict):
                yield from _missing(file, f"configs[{i}].data_files[{j}]", split=str, path=(str, list))
    for key in ("size_categories", "annotations_creators", "language_creators", "multilinguality", "source_datasets"):
        if not isinstance(data.get(key, []), (list, str)):
            yield f'"{key}" must be an array'


def _space_errors(data: dict) -> Iterator[str]:
    if data.get("sdk") not in SDKS:
        yield f'"sdk" must be one of [{", ".join(SDKS)}]'
    for key in ("colorFrom", "colorTo"):
        if key in data and data[key] not in COLORS:
            yield f'"{key}" must be one of [{", ".join(COLORS)}]'
    for key in ("title", "app_file", "emoji"):
        if key in data and not isinstance(data[key], str):
            yield f'"{key}" must be a string'
    if isinstance(data.get("emoji"), str) and data["emoji"].isascii():
        yield '"emoji" must be an emoji'
    if len(str(data.get("short_description", ""))) > 60:
        yield '"short_description" length must be less than or equal to 60 characters long'
    if not isinstance(data.get("pinned", False), bool):
        yield '"pinned" must be a boolean'


_ERRORS_OF: dict[str, Callable[[dict], Iterator[str]]] = {
    "model": _model_errors,
    "dataset": _dataset_errors,
    "space": _space_errors,
}
_KINDS = {str: "a string", list: "an array", dict: "an object"}


def _missing(data: object, where: str, **fields) -> Iterator[str]:
    if not isinstance(data, dict):
        yield f'"{where}" must be an object'
        return
    for key, kind in fields.items():
        if data.get(key) is None:
            yield f'"{where}.{key}" is required'
        elif not isinstance(data[key], kind):
            yield f'"{where}.{key}" must be {_KINDS.get(kind, "a string or an array")}'


def _get(data: object, key: str) -> object:
    return data.get(key) if isinstance(data, dict) else None


def as_list(value: object) -> list:
    """The values of a field that may hold one, several or none."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
