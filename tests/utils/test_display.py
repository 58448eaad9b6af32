"""Lists that are shown as tables, and bars over long calls."""

import copy
import json
import pickle
import re
import sys
from html.parser import HTMLParser

import datasets
import pandas
import pytest
from linear_autoencoder import SENTENCES, LinearAutoencoder
from transformers import pipeline
from transformers.utils import logging

from hf_arae.latent.space import LatentSpace
from hf_arae.latent.texts import Neighbour
from hf_arae.utils import display
from hf_arae.utils.display import ShownList, shown

NASTY = '<script>alert("1")</script> & <b>'
TEXTS = ["The food was awful!", "Great food."]


@pytest.fixture
def latent():
    model = LinearAutoencoder()
    return LatentSpace(model, model.tokenizer, batch_size=4)


@pytest.fixture(scope="module")
def rewrite(transfer_folder):
    return pipeline("text-style-transfer", model=str(transfer_folder))


class Cells(HTMLParser):
    """The texts of a table's rows, and all names of tags."""

    def __init__(self, source):
        super().__init__()
        self.rows, self.tags = [], set()
        self.feed(source)

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_data(self, data):
        if self.rows and self.rows[-1] and data.strip():
            self.rows[-1][-1] += data


# Tables


def test_texts_are_numbered_lines():
    assert str(shown(["a b", "c"])) == repr(shown(["a b", "c"])) == "   text\n0  a b\n1  c"


def test_lists_of_lists_say_the_outer_place_once():
    table = str(shown([["a", "b"], [], ["c"]]))
    assert table == "      text\n0  0  a\n   1  b\n1\n2  0  c"


def test_dictionaries_and_named_tuples_have_columns():
    assert str(shown([{"text": "long one", "words": 12}, {"text": "x", "words": 3}])).splitlines() == [
        "   text      words",
        "0  long one     12",
        "1  x             3",
    ]
    assert str(shown([[Neighbour("a", 0.51234, 7)]])).splitlines() == [
        "      text  similarity  row",
        "0  0  a          0.512    7",
    ]


def test_a_long_text_is_wrapped_in_its_column(monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    table = str(shown([{"text": "well-known words " * 5, "target": "positive"}])).splitlines()
    assert len(table) > 3 and max(map(len, table)) <= 40
    assert table[1].endswith("  positive") and all(len(line) <= 30 for line in table[2:])
    assert " ".join(line[3:30].strip() for line in table[1:]).split() == ["well-known", "words"] * 5


def test_only_the_first_rows_of_many_are_shown():
    for results in (shown(["a"] * 100_000), shown([["a"] * 1000] * 100)):
        assert str(results).count("\n") < 40 and str(results).endswith("... and 99970 more")
        assert results._repr_html_().count("<tr>") < 40 and "and 99970 more" in results._repr_html_()


def test_what_steers_a_terminal_is_written_out():
    assert str(shown(["a\x1b[31mb\nc"])).splitlines()[1:] == ["0  a\\x1b[31mb\\nc"]


def test_html_is_escaped():
    table = Cells(shown([{"text": NASTY, NASTY: None}])._repr_html_())
    assert table.rows == [["", "text", NASTY], ["0", NASTY, ""]]
    assert table.tags == {"table", "thead", "tbody", "tr", "th", "td"}
    assert Cells(shown([[NASTY]])._repr_html_()).rows[1] == ["0", "0", NASTY]


def test_nothing_is_shown_as_an_empty_list():
    assert str(shown([])) == "[]"
    assert Cells(shown([])._repr_html_()).rows == [[""]]


# Still lists


@pytest.mark.parametrize(
    "plain", [["a", "b"], [["a"], []], [{"text": "a", "target": None}], [[Neighbour("a", 1.0, 0)]]]
)
def test_it_is_the_list_that_it_was(plain):
    results = shown(plain)
    assert isinstance(results, list) and results == plain and plain == results
    assert json.dumps(results) == json.dumps(plain)
    assert type(results[:1]) is list and results[:1] == plain[:1] and results[-1] == plain[-1]
    for again in (copy.deepcopy(results), pickle.loads(pickle.dumps(results))):
        assert again == plain and type(again) is ShownList


def test_latent_spaces_return_them(latent):
    a, b = SENTENCES[:2]
    codes = latent.encode([a, b])
    for results in (
        latent.interpolate(a, b, steps=3),
        latent.walk(a, steps=3),
        latent.nearest(a, SENTENCES, k=2),
        latent.arithmetic(a, [a], [b], num_samples=2),
        latent.arithmetic(a, [a], [b], num_samples=2, wanted=lambda text: True),
        latent.decode_samples(codes, 2),
    ):
        assert type(results) is type(results[0]) is ShownList
    assert type(latent.sample(2)) is type(latent.decode(codes)) is ShownList


def test_pipelines_over_many_texts_return_them(rewrite):
    assert type(rewrite(TEXTS)) is type(rewrite([])) is ShownList
    assert str(rewrite(TEXTS)).splitlines()[0].split()[:3] == ["text", "target", "source"]
    assert type(rewrite(TEXTS, do_sample=True, num_return_sequences=2)[0]) is ShownList
    assert type(rewrite(TEXTS[0])) is dict
    assert type(rewrite(TEXTS[0], do_sample=True, num_return_sequences=2)) is list
    assert list(rewrite(text for text in TEXTS)) == rewrite(TEXTS)


def test_datasets_and_tables_of_pandas_take_them(rewrite):
    data = datasets.Dataset.from_dict({"text": TEXTS})
    mapped = data.map(lambda batch: {"result": rewrite(batch["text"])}, batched=True)
    assert mapped["result"][:] == rewrite(TEXTS)
    several = data.map(
        lambda batch: {"result": rewrite(batch["text"], num_return_sequences=2, num_beams=2)}, batched=True
    )
    assert several["result"][:] == rewrite(TEXTS, num_return_sequences=2, num_beams=2)
    assert pandas.DataFrame(rewrite(TEXTS))["source"].tolist() == ["negative", "positive"]


# Bars


@pytest.fixture
def watched(monkeypatch):
    """As in a notebook without widgets, where a bar's first seconds are over."""
    monkeypatch.setitem(sys.modules, "ipykernel", sys)
    monkeypatch.setattr(display, "_SECONDS", 0)


def bars(capsys):
    return set(re.findall(r"(\S+): +\d+%", capsys.readouterr().err))


def test_long_calls_show_a_bar(watched, latent, rewrite, capsys):
    latent.interpolate(SENTENCES, SENTENCES[0], steps=20)
    assert bars(capsys) == {"Reading", "Writing"}
    rewrite(TEXTS * 20)
    assert bars(capsys) == {"text-style-transfer"}
    logging.disable_progress_bar()
    try:
        latent.sample(100)
    finally:
        logging.enable_progress_bar()
    assert not bars(capsys)


def test_short_calls_and_those_that_nobody_watches_show_none(watched, latent, rewrite, capsys, monkeypatch):
    monkeypatch.setattr(display, "_SECONDS", 3)
    latent.sample(100)
    rewrite(TEXTS)
    monkeypatch.setattr(display, "_SECONDS", 0)
    monkeypatch.delitem(sys.modules, "ipykernel")
    assert not sys.stderr.isatty()
    latent.sample(100)
    assert capsys.readouterr().err == ""
