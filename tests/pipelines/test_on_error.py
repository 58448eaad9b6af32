"""One text that cannot be read costs its own row, not the list, if the caller says so."""

import json
import re

import pytest
import torch
from datasets import Dataset
from headline_selectors import untrained_selector
from transformers import pipeline
from transformers.pipelines.pt_utils import KeyDataset

from hf_arae.data.text.tokenization import train_tokenizer
from hf_arae.models.ursae.configuration_ursae import UrsaeConfig
from hf_arae.models.ursae.modeling_ursae import UrsaeForConditionalGeneration

TEXTS = ["The food was awful!", "", " ".join(["great"] * 11), "Great food.", None, "I'm coming back, friendly staff."]
REASONS = {1: "sentence 1 is empty", 2: "sentence 2 has 11 words", 4: "sentence 4 must be a string"}


@pytest.fixture(scope="module")
def rewrite(transfer_folder):
    return pipeline("text-style-transfer", model=str(transfer_folder))


@pytest.fixture(scope="module")
def summarizers(tokenizer, tmp_path_factory):
    """Checkpoints of a model that selects words and of one that writes."""
    news = train_tokenizer([text for text in TEXTS if text], max_length=10, style="news")
    torch.manual_seed(0)
    sizes = {"embedding_size": 8, "hidden_size": 8, "reader_size": 6, "conv_size": 6, "max_source_length": 10}
    writer = UrsaeForConditionalGeneration(UrsaeConfig(vocab_size=len(news), **sizes, write_length=2))
    folders = {}
    for kind, model in (("select", untrained_selector(len(news), max_source_length=10)), ("write", writer)):
        folders[kind] = tmp_path_factory.mktemp("checkpoints") / kind
        model.save_pretrained(folders[kind])
        news.save_pretrained(folders[kind])
    return folders


def rows_of(results, name):
    """Reasons of the rows without a text, by row; the other rows have no note."""
    assert all(("note" in row) == (row[name] is None) for row in results)
    return {row: result["note"] for row, result in enumerate(results) if result[name] is None}


def test_sentences_that_cannot_be_read_are_skipped(rewrite):
    good = [row for row in range(len(TEXTS)) if row not in REASONS]
    alone = [rewrite(TEXTS[row]) for row in good]
    data = Dataset.from_dict({"text": TEXTS})
    inputs = (TEXTS, tuple(TEXTS), data["text"], (text for text in TEXTS), KeyDataset(data, "text"))
    for given in inputs:
        for size in (1, 4):
            if size == 4 and not isinstance(given, list):
                continue
            results = list(rewrite(given, batch_size=size, on_error="skip"))
            found = rows_of(results, "text")
            assert found.keys() == REASONS.keys()
            assert all(found[row].startswith(reason) for row, reason in REASONS.items())
            assert [results[row] for row in good] == alone
            assert all(results[row]["target"] is None and results[row]["source"] is None for row in REASONS)
    skipped = rewrite("", on_error="skip")
    assert skipped.pop("note") == "the sentence is empty"
    assert skipped.keys() == rewrite(TEXTS[0]).keys() and set(skipped.values()) == {None}
    beams = rewrite(TEXTS, batch_size=3, num_beams=2, num_return_sequences=2, on_error="skip")
    assert [row is not None and isinstance(row, list) for row in beams] == [row in good for row in range(len(TEXTS))]
    assert beams[0] == rewrite(TEXTS[0], num_beams=2, num_return_sequences=2)


def test_the_default_ends_the_call_and_names_the_row(rewrite, transfer_folder):
    for given in ({}, {"on_error": "raise"}):
        with pytest.raises(ValueError, match="sentence 1 is empty"):
            rewrite(TEXTS, **given)
    with pytest.raises(ValueError, match="on_error must be one of 'raise', 'skip'; got 'ignore'"):
        rewrite(TEXTS, on_error="ignore")
    always = pipeline("text-style-transfer", model=str(transfer_folder), on_error="skip")
    assert rows_of(always(TEXTS), "text").keys() == REASONS.keys()
    with pytest.raises(ValueError, match="sentence 1 is empty"):
        always(TEXTS, on_error="raise")


@pytest.mark.parametrize("kind", ["select", "write"])
@pytest.mark.parametrize("arguments", [{}, {"target_length": 3}, {"compression": 0.5}, {"first_sentence": False}])
def test_texts_that_cannot_be_summarised_are_skipped(summarizers, kind, arguments):
    summarize = pipeline("text-summarization", model=str(summarizers[kind]))
    results = summarize(TEXTS, batch_size=4, on_error="skip", **arguments)
    found = rows_of(results, "summary_text")
    assert {row: reason.replace("text", "sentence") for row, reason in found.items()}.keys() == REASONS.keys()
    for row in (0, 3, 5):
        assert results[row] == summarize(TEXTS[row], **arguments)
    assert list(summarize((text for text in TEXTS), batch_size=2, on_error="skip", **arguments)) == results
    with pytest.raises(ValueError, match="text 1 is empty"):
        summarize(TEXTS, **arguments)


def test_a_file_s_line_is_skipped_on_demand(summarizers, tmp_path, monkeypatch, capsys):
    from importlib.util import module_from_spec, spec_from_file_location
    from pathlib import Path

    script = Path(__file__).parents[2] / "examples" / "summarize_file.py"
    spec = spec_from_file_location("summarize_file", script)
    module = module_from_spec(spec)
    monkeypatch.setitem(__import__("sys").modules, "summarize_file", module)
    spec.loader.exec_module(module)
    source, target = tmp_path / "news.txt", tmp_path / "out.jsonl"
    source.write_text(f"{TEXTS[0]}\n\n{TEXTS[2]}\n{TEXTS[3]}\n")
    command = ["x", "--model", str(summarizers["select"]), "--input_file", str(source), "--output_file", str(target)]
    monkeypatch.setattr("sys.argv", command)
    with pytest.raises(ValueError, match="line 3: the text has 11 words"):
        module.main()
    assert not target.exists()
    monkeypatch.setattr("sys.argv", [*command, "--on_error", "skip"])
    module.main()
    rows = [json.loads(line) for line in target.read_text().splitlines()]
    assert [row["summary_text"] is None for row in rows] == [False, True, True, False]
    assert rows[1]["note"] == "blank line" and rows[2]["note"].startswith("the text has 11 words")
    assert [row["line"] for row in rows] == [1, 2, 3, 4] and set(rows[2]) == {"line", "summary_text", "note"}
    assert re.search(r"2 summaries of 4 lines .*1 skipped", capsys.readouterr().out)
