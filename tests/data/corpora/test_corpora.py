"""The built-in corpora as dataset repositories: what is loaded is what was built, and the card says how."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import datasets
import pytest
from datasets import load_dataset, load_dataset_builder
from huggingface_hub import DatasetCard, HfApi
from huggingface_hub.errors import HfHubHTTPError

from hf_arae.data.corpora import CORPORA, build_corpus, push_corpus, save_corpus
from hf_arae.data.corpora.news import build_titles
from hf_arae.data.documents import DocumentArguments, load_documents, load_titles
from hf_arae.data.loading import DataArguments, load_labelled_text
from hf_arae.data.pairs import PairArguments, load_labelled_pairs
from hf_arae.data.streaming import load_text_stream

BUILT_ONCE = {name: replace(corpus, build=cache(corpus.build)) for name, corpus in CORPORA.items()}


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path):
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.setattr("hf_arae.data.corpora.CORPORA", BUILT_ONCE)


def assert_same(loaded: datasets.DatasetDict, built: datasets.DatasetDict) -> None:
    assert list(loaded) == list(built)
    for split, rows in built.items():
        assert loaded[split].features == rows.features and loaded[split][:] == rows[:], split


@pytest.mark.parametrize("name", CORPORA)
def test_a_saved_corpus_is_loaded_as_it_was_built(tmp_path, name):
    folder = save_corpus(name, tmp_path / name)
    built = build_corpus(name)
    assert_same(load_dataset(str(folder)), built)
    card = DatasetCard.load(folder / "README.md")
    assert card.data.license == "apache-2.0" and card.data.language == ["en"] and card.data.task_categories
    info = load_dataset_builder(str(folder)).info
    assert {split: info.splits[split].num_examples for split in built} == {s: len(rows) for s, rows in built.items()}
    for split, rows in built.items():
        assert f"| {split} | {len(rows):,} |" in card.text and f'"{next(iter(rows[0].values()))}"' in card.text
    assert all(f"| `{column}` |" in card.text for column in built["train"].column_names)
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    save_corpus(name, folder)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_a_folder_with_other_files_is_left_alone(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "mine.parquet").write_text("precious")
    with pytest.raises(FileExistsError, match=r"such as mine.parquet"):
        save_corpus("scenes", tmp_path)
    assert not (tmp_path / "README.md").exists()


def test_an_unknown_name_lists_the_known_ones(tmp_path):
    calls = (build_corpus, lambda name: save_corpus(name, tmp_path), lambda name: push_corpus(name, "a/b"))
    for call in calls:
        with pytest.raises(ValueError, match="'poems'; accepted are reviews, scenes, news, headlines"):
            call("poems")


def test_the_loaders_read_a_repository_as_the_built_in_corpus(local_hub):
    for name in CORPORA:
        push_corpus(name, f"alice/{name}")
    assert_same(load_labelled_text(DataArguments(dataset_name="alice/reviews")), load_labelled_text(DataArguments()))
    assert_same(load_labelled_pairs(PairArguments(dataset_name="alice/scenes")), load_labelled_pairs(PairArguments()))
    arguments = DocumentArguments(dataset_name="alice/news", titles_name="alice/headlines")
    assert_same(load_documents(arguments, summary_required=True), load_documents(DocumentArguments()))
    assert load_titles(arguments) == build_titles()


def test_a_pushed_corpus_has_a_card_that_the_hub_takes_and_datasets_reads(local_hub):
    commit = push_corpus("reviews", "alice/reviews")
    files = local_hub.files("alice/reviews", "dataset")
    assert {f"data/{split}-00000-of-00001.parquet" for split in ("train", "validation", "test")} < files.keys()
    card = DatasetCard(files["README.md"].decode())
    assert card.data.license == "apache-2.0" and card.data.tags == ["synthetic", "hf_arae"]
    assert [entry["split"] for entry in card.data.configs[0]["data_files"]] == ["train", "validation", "test"]
    assert card.data.dataset_info["splits"][0]["num_examples"] == 24_000
    assert 'load_dataset("alice/reviews")' in card.text and "made up" in card.text
    assert commit.oid == HfApi().dataset_info("alice/reviews").sha
    push_corpus("reviews", "alice/reviews", commit_message="once more")
    assert local_hub.files("alice/reviews", "dataset") == files
    fresh = "import datasets; print(datasets.load_dataset('alice/reviews', split='train').features['label'].names)"
    assert local_hub.run(fresh, user=None).stdout.strip() == "['negative', 'positive']"


def test_a_branch_and_a_private_repository(local_hub):
    push_corpus("scenes", "alice/hidden", private=True, revision="draft", token=local_hub.token("alice"))
    assert HfApi().dataset_info("alice/hidden").private
    assert "data/train-00000-of-00001.parquet" not in local_hub.files("alice/hidden", "dataset")
    assert_same(load_dataset("alice/hidden", revision="draft"), build_corpus("scenes"))
    with pytest.raises(HfHubHTTPError):
        push_corpus("scenes", "alice/hidden", token=local_hub.token("bob"))


def test_a_stream_of_the_hub_is_read_at_a_commit_and_its_absence_is_told_at_once(local_hub, monkeypatch):
    commit = push_corpus("reviews", "alice/reviews", private=True)
    stream, data = load_text_stream(DataArguments(dataset_name="alice/reviews"), sample_size=100)
    built = build_corpus("reviews")
    assert stream.identity["commit"] == commit.oid and stream.label_names == ["negative", "positive"]
    assert {split: len(rows) for split, rows in data.items()} == {"train": 100, "validation": 1000, "test": 1000}
    assert data["test"].features == built["test"].features and data["test"][:] == built["test"][:]
    texts = [text for chunk, _ in stream.texts() for text in chunk]
    assert texts == built["train"]["text"][:]
    with pytest.raises(FileNotFoundError, match="has no revision 'v9'"):
        load_text_stream(DataArguments(dataset_name="alice/reviews", dataset_revision="v9"), 100)
    with pytest.raises(FileNotFoundError, match="neither a local folder nor a dataset on the Hub"):
        load_text_stream(DataArguments(dataset_name="alice/nothing"), 100)
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(FileNotFoundError, match="If it is private: hf auth login, or HF_TOKEN"):
        load_text_stream(DataArguments(dataset_name="alice/reviews"), 100)
    monkeypatch.setattr("hf_arae.data.stream_sources.HfApi", lambda: HfApi(endpoint="http://127.0.0.1:9"))
    with pytest.raises(FileNotFoundError, match=r"the Hub cannot be asked for it: .*refused"):
        load_text_stream(DataArguments(dataset_name="alice/reviews"), 100)
