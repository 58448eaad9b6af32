"""News text: what it is rewritten to, what stays as it is, and where the first sentence ends."""

import re
import time
from pathlib import Path

import pytest
from datasets import Dataset

from hf_arae.data.text.news import first_sentence, normalize_news

REAL_DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"


@pytest.mark.parametrize(
    ("raw", "written"),
    [
        (
            "Japan's NEC Corp. said 'no' to 1,200 U.S. workers.",
            "japan 's nec corp. said ' no ' to #,### u.s. workers .",
        ),
        ('He said "yes, perhaps."', "he said `` yes , perhaps . ''"),
        ("He said \u201cyes\u201d \u2014 it\u2019s true", "he said `` yes '' -- it 's true"),
        ('" You did ," he said .', "`` you did , '' he said ."),
        ("They can't, won't and cannot.", "they ca n't , wo n't and can not ."),
        ("It ' s 19 , 000 , don ' t ask", "it 's ##,### , do n't ask"),
        ("the workers' and fans' rock 'n' roll of the '90s", "the workers ' and fans ' rock 'n' roll of the '##s"),
        ("US$5.20 or $3 at 10:30, 50% (net)", "us$ #.## or $ # at ##:## , ## % -lrb- net -rrb-"),
        ("AT&T and/or J.P. Morgan", "at&amp;t and\\/or j.p. morgan"),
        ("S\u00e3o Tom\u00e9\u00a0rose", "sao tome rose"),
        ("It fell. No. 5 in Sept. He said no. She left", "it fell . no. # in sept. he said no . she left"),
        ("bought by Acme Corp.", "bought by acme corp. ."),
        ("STROUD <SRD> FILES <B.TO>SUIT", "stroud files suit"),
        ("<Nova Corp> said", "nova corp said"),
        ("the UNK and <unk> of UNK", "the unk and unk of unk"),
        ("a <eos> b <pad>", "a eos b pad"),
        ("", ""),
        (" \n\t ", ""),
    ],
)
def test_rewriting(raw, written):
    assert normalize_news(raw) == written
    assert normalize_news(written) == written


@pytest.mark.parametrize(
    "headline",
    [
        "nec pulls out of u.s.",
        "brokerages gain as bt buys alex.",
        "#st ld : china economy grows ##.# pct in #q vs. year-earlier ##.# pct",
        "the `` new vision '' , ' yes ' and rock 'n' roll -- again",
        "euro## ,### -lrb- $ ##,### -rrb- for ###.##-### .##",
    ],
)
def test_text_in_this_form_stays(headline):
    assert normalize_news(headline) == headline


@pytest.mark.parametrize(
    ("first", "rest"),
    [
        ("NEC Corp. and J.P. Morgan said so.", "They left."),
        ("It pays No. 5 in the U.S. Senate on Sept. 3.", "More follows."),
        ("Mr. Li of Acme Ltd. Holdings rose 2.5 pct.", "He fell."),
        ("It is made in the U.S.", "The firm said so."),
        ("He bought Acme Corp.", "He then sold it."),
        ('"We will go," he said.', '"We must."'),
        ('He said "no."', "She left."),
        ("He said no.", "She left."),
        ("Will it rain?", "Nobody knows."),
        ("It fell to 3.", "1986 was better."),
        ("Yahoo! Inc rose.", "It fell."),
        ("Yesterday it\nfell again.", "It rose."),
        ("a u.s. firm said '' yes . ''", "it was late ."),
        ("A headline without a stop", "\n\nThe article. It goes on."),
    ],
)
def test_first_sentence(first, rest):
    assert first_sentence(f"{first} {rest}") == " ".join(first.split())
    assert first_sentence(first) == " ".join(first.split())


def test_first_sentence_of_what_has_none():
    assert first_sentence("") == first_sentence(" \n ") == ""
    assert first_sentence("...") == "..."
    assert first_sentence("Shr 5 cts vs 6 Net 1.2 mln") == "Shr 5 cts vs 6 Net 1.2 mln"


def test_long_texts_take_no_long_time():
    started = time.process_time()  # what other programs compute meanwhile is not counted
    for text in ("word " * 2_000, "x" * 100_000, "." * 20_000, '"a" ' * 2_000, "\" '" * 500):
        normalize_news(first_sentence(text))
    assert time.process_time() - started < 60


@pytest.mark.skipif(not REAL_DATA.is_dir(), reason="needs the real data beside the repository")
def test_real_data(tmp_path):
    def column(file, name):
        return Dataset.from_parquet(str(REAL_DATA / file), cache_dir=str(tmp_path))[name][:]

    for name, least in (("document", 0.998), ("summary", 1.0)):
        for split in ("test", "validation"):
            texts = [" ".join(text.split()) for text in column(f"gigaword/{split}.parquet", name)]
            expected = [re.sub(r"\d", "#", text.lower().replace("<unk>", "unk")) for text in texts]
            same = [normalize_news(text) == form for text, form in zip(texts, expected, strict=True)]
            assert sum(same) >= least * len(texts)
    documents = column("gigaword/test.parquet", "document")
    assert all(first_sentence(text) == " ".join(text.split()) for text in documents)
    articles = column("reuters21578/test.parquet", "document")
    firsts = [first_sentence(text) for text in articles]
    assert sum(len(text.split()) < 6 for text in firsts) < 0.01 * len(firsts)
    assert all(normalize_news(text) == text for text in map(normalize_news, articles))
