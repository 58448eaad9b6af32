"""What a processor says of itself, by which a resumed run knows it again."""

from __future__ import annotations

from tokenizers import normalizers
from transformers import AutoTokenizer

from hf_arae.data.text.tokenization import train_tokenizer
from hf_arae.storage.processors import describe_processor, save_processor


class Pictures:
    """As transformers' image processors are."""

    def __init__(self, **settings):
        self.settings = settings

    def to_dict(self):
        return self.settings

    def save_pretrained(self, folder):
        pass


def test_a_tokenizer_is_known_by_its_words_and_by_how_it_reads(tmp_path):
    tokenizer = train_tokenizer(["a b c"])
    before = describe_processor(tokenizer)
    tokenizer("a", truncation=True, max_length=3)
    save_processor(tokenizer, tmp_path)
    assert describe_processor(AutoTokenizer.from_pretrained(tmp_path)) == before
    tokenizer.backend_tokenizer.normalizer = normalizers.Lowercase()
    changed = describe_processor(tokenizer)
    assert {name for name in before if before[name] != changed[name]} == {"processor.normalizer"}
    assert describe_processor(train_tokenizer(["a b d"]))["processor.vocabulary"] != before["processor.vocabulary"]


def test_an_image_processor_is_known_by_its_settings():
    said = describe_processor(Pictures(size=28, mean=[0.5], transformers_version="5"))
    assert said == {"processor.size": "28", "processor.mean": "[0.5]"}
    assert describe_processor(None) == {}
