"""The built-in corpora as dataset repositories: on the Hub, or in a local folder with the Hub's layout."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datasets import Dataset, DatasetDict, DatasetInfo, Features, SplitDict, SplitInfo, Value
from datasets.info import DatasetInfosDict
from datasets.utils.metadata import MetadataConfigs
from huggingface_hub import CommitInfo, DatasetCard, DatasetCardData, HfApi, hf_hub_download

from hf_arae.data.corpora.news import build_news, build_titles
from hf_arae.data.corpora.reviews import build_reviews
from hf_arae.data.corpora.scenes import build_scenes
from hf_arae.utils.version import VERSION

LICENSE = "apache-2.0"


@dataclass(frozen=True)
class Corpus:
    """A built-in corpus and what its card says.

    Args:
        build: makes it, always the same.
        description: in one line.
        made: how, in a few sentences.
        columns: what each holds.
        tasks: the Hub's task categories.
        example: command that trains on it, with `{repository}` for its name.
    """

    build: Callable[[], DatasetDict]
    description: str
    made: str
    columns: dict[str, str]
    tasks: tuple[str, ...]
    example: str


def _headlines() -> DatasetDict:
    features = Features({"title": Value("string")})
    return DatasetDict(train=Dataset.from_dict({"title": build_titles()}, features=features))


CORPORA: dict[str, Corpus] = {
    "reviews": Corpus(
        build_reviews,
        "Made-up short reviews in English, half of them negative and half positive.",
        "A grammar (`hf_arae/data/corpora/reviews.py`) draws what a sentence is about (thing, kind of place, time, "
        "people, landmark) without looking at the label; the sentiment stands only in one to four words of opinion. "
        "Validation and test sentences hold pairs of words that never stand together in a training sentence.",
        {
            "text": "The sentence, in lower case, 4 to 15 words and marks with spaces between them.",
            "label": "Its sentiment.",
        },
        ("text-classification", "text-generation"),
        "python examples/train_style_transfer.py --dataset_name {repository}",
    ),
    "scenes": Corpus(
        build_scenes,
        "Made-up pairs of a scene and a sentence that follows from it, may be so, or contradicts it, in English.",
        "A grammar (`hf_arae/data/corpora/scenes.py`) draws who does what, where and in which clothes, and then a "
        "sentence for each label in turn. Each sentence by itself is as likely to be entailed as contradicted. A pair "
        "is in one split only, though its sentences may be in several.",
        {
            "premise": "The scene, in lower case, with spaces between words and marks.",
            "hypothesis": "The sentence about it.",
            "label": "Whether the hypothesis follows from the premise.",
        },
        ("text-classification",),
        "python examples/train_entailment.py --dataset_name {repository}",
    ),
    "news": Corpus(
        build_news,
        "Made-up news articles of one sentence with their headlines, in English.",
        "A grammar (`hf_arae/data/corpora/news.py`) writes who did what, where, when, why and according to whom; the "
        "headline leaves out the last three and most of the first, and says the rest in the present tense. All names, "
        "places and events are invented. No two headlines are the same.",
        {
            "document": "The article, in lower case, 15 to 35 words and marks with spaces between them, # for digits.",
            "summary": "Its headline, 5 to 10 words.",
        },
        ("summarization",),
        "python examples/train_summarization.py --dataset_name {repository}",
    ),
    "headlines": Corpus(
        _headlines,
        "Made-up news headlines in English without articles, of other events than those of the corpus `news`.",
        "The grammar of the corpus `news` (`hf_arae/data/corpora/news.py`) writes articles with headlines; these are "
        "headlines whose articles are in no corpus, for learning without pairs. All names, places and events are made "
        "up.",
        {"title": "The headline, in lower case, 5 to 10 words, # for digits."},
        ("text-generation",),
        "python examples/train_headline_search.py --titles_name {repository}",
    ),
}


def build_corpus(name: str) -> DatasetDict:
    """The corpus of this name.

    Raises:
        ValueError: there is none; the names are listed.
    """
    if name not in CORPORA:
        raise ValueError(f"There is no corpus {name!r}; accepted are {', '.join(CORPORA)}.")
    return CORPORA[name].build()


def save_corpus(name: str, folder: str | os.PathLike) -> Path:
    """Writes a corpus as a dataset repository: `data/SPLIT-00000-of-00001.parquet` and a card.

    `load_dataset(folder)` and the examples' `--dataset_name` read it as they read it from the Hub.

    Args:
        name: a key of `CORPORA`.
        folder: made if it does not exist; must be empty or hold an earlier save.

    Returns:
        The folder.

    Raises:
        FileExistsError: the folder holds files of something else; nothing is written.
        ValueError: the name is unknown.
    """
    data, folder = build_corpus(name), Path(folder)
    paths = {split: f"data/{split}-00000-of-00001.parquet" for split in data}
    own = {"README.md", *paths.values()}
    others = [path for path in folder.rglob("*") if path.is_file() and path.relative_to(folder).as_posix() not in own]
    if others:
        raise FileExistsError(f"{folder} holds other files, such as {others[0].name}; give an empty or a new folder")
    (folder / "data").mkdir(parents=True, exist_ok=True)
    splits, sizes = SplitDict(), 0
    for split, dataset in data.items():
        size = dataset.to_parquet(str(folder / paths[split]))
        splits.add(SplitInfo(split, num_bytes=size, num_examples=len(dataset)))
        sizes += (folder / paths[split]).stat().st_size
    features = next(iter(data.values())).features
    total = sum(split.num_bytes for split in splits.values())
    info = DatasetInfo(features=features, splits=splits, download_size=sizes, dataset_size=total)
    metadata = DatasetCardData()
    DatasetInfosDict({"default": info}).to_dataset_card_data(metadata)
    files = [{"split": split, "path": f"data/{split}-*"} for split in data]
    MetadataConfigs({"default": {"data_files": files}}).to_dataset_card_data(metadata)
    corpus_card(name, data, folder.name, metadata.to_dict()).save(folder / "README.md")
    return folder


def push_corpus(
    name: str,
    repo_id: str,
    private: bool | None = None,
    token: str | None = None,
    revision: str | None = None,
    commit_message: str | None = None,
) -> CommitInfo:
    """Uploads a corpus as a dataset repository, which `load_dataset(repo_id)` reads: Parquet files, and then a card.

    Args:
        name: a key of `CORPORA`.
        repo_id: `owner/name`; made if it does not exist. What it holds under `data/` is replaced.
        private: whether a new repository is private; `None` is the owner's default.
        token: one that may write; `None` takes the one that is logged in.
        revision: branch, made if it does not exist; `None` is `main`.
        commit_message: of the data's commit.

    Returns:
        The card's commit, the last one.

    Raises:
        huggingface_hub.errors.HfHubHTTPError: the Hub refuses.
        ValueError: the name is unknown.
    """
    data = build_corpus(name)
    message = commit_message or f"The corpus {name} of hf_arae {VERSION}"
    commit = data.push_to_hub(repo_id, private=private, token=token, revision=revision, commit_message=message)
    repo_id = commit.repo_url.repo_id  # with the owner, if that was left out
    written = hf_hub_download(repo_id, "README.md", repo_type="dataset", revision=commit.oid, token=token)
    card = corpus_card(name, data, repo_id, DatasetCard.load(written).data.to_dict())
    return HfApi(token=token).upload_file(
        path_or_fileobj=str(card).encode(),
        path_in_repo="README.md",
        repo_id=repo_id,
        repo_type="dataset",
        revision=revision,
        commit_message=f"Card of the corpus {name}",
    )


def corpus_card(name: str, data: DatasetDict, repository: str, metadata: dict[str, Any]) -> DatasetCard:
    """The card of a corpus.

    Args:
        name: a key of `CORPORA`.
        data: what `build_corpus` made.
        repository: what it is loaded by.
        metadata: what `datasets` says of files and columns (`configs`, `dataset_info`); it is kept.
    """
    corpus = CORPORA[name]
    rows = sum(map(len, data.values()))
    size = "n<1K" if rows < 1_000 else "1K<n<10K" if rows < 10_000 else "10K<n<100K"
    facts = DatasetCardData(
        pretty_name=f"hf_arae {name}",
        language=["en"],
        license=LICENSE,
        task_categories=list(corpus.tasks),
        size_categories=[size],
        annotations_creators=["machine-generated"],
        language_creators=["machine-generated"],
        source_datasets=["original"],
        tags=["synthetic", "hf_arae"],
    )
    features = next(iter(data.values())).features
    columns = "\n".join(
        f"| `{column}` | {_kind(features[column])} | {text} |" for column, text in corpus.columns.items()
    )
    sizes = "\n".join(f"| {split} | {len(dataset):,} |" for split, dataset in data.items())
    examples = "\n\n".join(
        f"{split}:\n\n```json\n{json.dumps(dataset[0], indent=2, ensure_ascii=False)}\n```"
        for split, dataset in data.items()
    )
    text = f"""# hf_arae {name}

{corpus.description} A built-in corpus of `hf_arae`, for trying and testing its models and examples.

```python
from datasets import load_dataset

data = load_dataset("{repository}")
```

```bash
{corpus.example.format(repository=repository)}
```

## How it was made

{corpus.made} Written by hf_arae {VERSION} with seed 0; the same version writes the same rows again, by
`from hf_arae.data.corpora import build_corpus; build_corpus("{name}")`. No person wrote, collected or labelled a row.

## Columns

| column | type | what it holds |
| --- | --- | --- |
{columns}

## Splits

| split | rows |
| --- | --: |
{sizes}

The first row of each:

{examples}

## Limits

The text is made up. A few hundred words and a few dozen sentence forms make all of it, so that a model which does well
here has shown that it runs and learns, and nothing about real text. It says nothing true about any person, place,
business or event. Not for training what is to be used.

Licence: {LICENSE}.
"""
    return DatasetCard(f"---\n{DatasetCardData(**metadata | facts.to_dict()).to_yaml()}\n---\n\n{text}")


def _kind(feature: Any) -> str:
    """A column's type in words."""
    names = getattr(feature, "names", None)
    return feature.dtype if names is None else "class: " + ", ".join(f"{i} {label}" for i, label in enumerate(names))
