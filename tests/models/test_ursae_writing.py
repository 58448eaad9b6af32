"""A summarizer writes under the limits that its checkpoint keeps, wherever it is asked to."""

from pathlib import Path

import pytest
import torch
from huggingface_hub.errors import StrictDataclassClassValidationError
from transformers import AutoModelForSeq2SeqLM, GenerationConfig, pipeline

from hf_arae.data.text.tokenization import train_tokenizer
from hf_arae.models.ursae.configuration_ursae import UrsaeConfig
from hf_arae.models.ursae.modeling_ursae import UrsaeForConditionalGeneration
from hf_arae.models.ursae.objective_ursae import UrsaeObjective, UrsaeObjectiveArguments

TEXTS = [
    "Velmora Corp. said on Monday it would buy 12 mines in the north of Zorvia .",
    "The mayor of Gildenau resigned after a week of protests , officials said on Friday .",
    "A storm closed two ports in Zorvia on Friday and sank a ferry , police said .",
]
LIMITS = {
    "write_length": 5,
    "write_source_words_only": True,
    "write_source_order": True,
    "write_longest_gap": 3,
    "write_no_repeat_ngram_size": 1,
}
SAME = {"target_length": 5, "source_words_only": True, "source_order": True, "longest_gap": 3}


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer(TEXTS, max_length=20, style="news")


def make_model(tokenizer, **changes):
    torch.manual_seed(0)
    sizes = {"embedding_size": 8, "hidden_size": 8, "reader_size": 6, "conv_size": 6, "copy_gate": True}
    sizes |= {"max_source_length": 20, "max_summary_length": 8}
    model = UrsaeForConditionalGeneration(UrsaeConfig(vocab_size=len(tokenizer), **sizes, **changes)).eval()
    with torch.no_grad():
        for parameter in (*model.writer.parameters(), *model.reader.parameters()):
            parameter.mul_(5.0)
    return model


@pytest.fixture(scope="module")
def folder(tokenizer, tmp_path_factory):
    folder = tmp_path_factory.mktemp("checkpoints") / "kept"
    make_model(tokenizer, **LIMITS).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def test_pipeline_and_generate_write_as_was_measured(folder, tokenizer):
    batch = tokenizer(TEXTS, padding=True, return_tensors="pt")
    measured = make_model(tokenizer).summarize(**batch, no_repeat_ngram_size=1, **SAME)
    loose = make_model(tokenizer).summarize(**batch)
    assert not torch.equal(measured, loose[:, : measured.shape[1]])
    model = AutoModelForSeq2SeqLM.from_pretrained(folder)
    assert torch.equal(model.generate(**batch), measured)
    assert torch.equal(model.generate(**batch, generation_config=GenerationConfig(num_beams=1)), measured)
    assert torch.equal(model.summarize(**batch), measured)
    assert torch.equal(model.generate(encoder_outputs=model.read_source(**batch)), measured)
    texts = tokenizer.batch_decode(measured, skip_special_tokens=True)
    results = pipeline("text-summarization", model=str(folder), detokenize=False)(TEXTS, batch_size=2)
    assert [result["summary_text"] for result in results] == texts
    for result in results:
        assert result["summary_words"] == 5


def test_what_a_call_gives_goes_before_what_is_kept(folder, tokenizer):
    model, plain = AutoModelForSeq2SeqLM.from_pretrained(folder), make_model(tokenizer)
    batch = tokenizer(TEXTS, padding=True, return_tensors="pt")
    free = {"source_words_only": False, "no_repeat_ngram_size": 0}
    for limit in ({"max_new_tokens": 5}, {"max_length": 6}):
        assert torch.equal(model.generate(**batch, **limit, **free), plain.generate(**batch, max_new_tokens=5))
        assert torch.equal(model.summarize(**batch, **limit, **free), plain.summarize(**batch, max_new_tokens=5))
    assert torch.equal(model.summarize(**batch, target_length=3, **free), plain.summarize(**batch, target_length=3))
    far = SAME | {"longest_gap": 20, "target_length": 4}
    for method in (model.generate, model.summarize):
        written = method(**batch, longest_gap=20, target_length=4, no_repeat_ngram_size=2)
        assert torch.equal(written, plain.summarize(**batch, no_repeat_ngram_size=2, **far))
    summarize = pipeline("text-summarization", model=model, tokenizer=tokenizer)
    assert summarize(TEXTS[0], target_length=3)["summary_words"] == 3
    assert summarize(TEXTS[0], compression=0.4)["summary_words"] == 6
    assert summarize(TEXTS[0], max_new_tokens=3)["summary_words"] <= 2
    assert summarize(TEXTS[0], max_length=3)["summary_words"] <= 2
    with torch.no_grad():
        plain.writer.projection.bias[tokenizer.eos_token_id] = 100.0
    assert plain.generate(**batch, max_new_tokens=5).shape[1] == 3  # a word, between <bos> and <eos>
    config = GenerationConfig(max_new_tokens=3)
    assert model.generate(**batch, generation_config=config).shape[1] <= 4


def test_training_keeps_what_drafts_are_held_to(tokenizer, tmp_path):
    model = make_model(tokenizer)
    settings = UrsaeObjectiveArguments(
        source_words_only=True,
        source_order=True,
        longest_gap=3,
        block_ngrams=1,
        force_lengths=True,
        shortest_summary=4,
        longest_summary=7,
    )
    UrsaeObjective(model, settings)
    model.save_pretrained(tmp_path)
    config = AutoModelForSeq2SeqLM.from_pretrained(tmp_path).config
    assert {name: getattr(config, name) for name in LIMITS} == LIMITS


@pytest.mark.parametrize("wrong", [{"write_length": 9}, {"write_length": 0}, {"write_longest_gap": -1}])
def test_limits_out_of_range_are_refused(wrong):
    with pytest.raises(StrictDataclassClassValidationError, match=next(iter(wrong))):
        UrsaeConfig(max_summary_length=8, **wrong)


def test_the_staged_summarizer_writes_as_its_card_measured():
    card = Path(__file__).parents[2] / "model_cards" / "ursae-news"
    write = pipeline("text-summarization", model=str(card), detokenize=False)
    text = "japan 's central bank said on monday it would keep interest rates unchanged after a meeting in tokyo ."
    measured = {"target_length": 9, "source_order": True, "longest_gap": 3, "no_repeat_ngram_size": 1}
    assert write(text) == write(text, **measured)
    rest = iter(text.split())
    assert all(word in rest for word in write(text)["summary_text"].split())
