"""Arguments of the pipelines and of what they stand on: labels, limits, ranges, and a tokenizer of another model."""

import copy
import math
from functools import partial

import pytest
import torch
from transformers import AutoTokenizer, GenerationConfig, pipeline
from transformers.utils import logging as transformers_logging

from hf_arae.data.text.attribute_labels import AttributeLabels
from hf_arae.data.text.tokenization import train_tokenizer
from hf_arae.latent.space import LatentSpace
from hf_arae.models.rnn_lm.configuration_rnn_lm import RnnLmConfig
from hf_arae.models.rnn_lm.modeling_rnn_lm import RnnLmForCausalLM
from hf_arae.models.ursae.configuration_ursae import UrsaeConfig
from hf_arae.models.ursae.modeling_ursae import UrsaeForConditionalGeneration

TEXT = "The food was awful!"


@pytest.fixture(scope="module")
def rewrite(transfer_model, tokenizer):
    return pipeline("text-style-transfer", model=transfer_model, tokenizer=tokenizer)


@pytest.fixture(scope="module")
def write(tokenizer):
    torch.manual_seed(0)
    sizes = {"embedding_size": 8, "hidden_size": 8, "reader_size": 6, "conv_size": 6, "max_source_length": 10}
    model = UrsaeForConditionalGeneration(UrsaeConfig(vocab_size=len(tokenizer), **sizes)).eval()
    return pipeline("text-summarization", model=model, tokenizer=tokenizer)


# Labels

STARS = {index: str(index + 1) for index in range(5)}


def test_numbers_are_names_where_all_names_are_numbers():
    labels = AttributeLabels(STARS)
    for index, name in STARS.items():
        assert labels.id_of("target", name) == labels.id_of("target", int(name)) == index
    for wrong in (0, 6, "6", "positive", True):
        with pytest.raises(ValueError, match="target must be one of '1'"):
            labels.id_of("target", wrong)
    assert AttributeLabels({0: "0", 1: "1"}).id_of("target", 1) == 1
    assert AttributeLabels({0: "-1", 1: "1"}).id_of("target", -1) == 0


def test_a_number_with_two_meanings_is_refused():
    labels = AttributeLabels({0: "1", 1: "neutral", 2: "2"})
    with pytest.raises(ValueError, match="target=1 is the name of one label and the id of another"):
        labels.id_of("target", 1)
    assert labels.id_of("target", "1") == 0 and labels.id_of("target", 0) == 0 and labels.id_of("target", 2) == 2
    named = AttributeLabels({0: "5", 1: "good"})
    assert named.id_of("target", 5) == 0 and named.id_of("target", 1) == 1


@pytest.mark.parametrize("wrong", [["positive"], torch.tensor(1), 1.0, ("positive",), {"positive": 1}, b"positive"])
def test_what_is_no_label_is_a_type_error(rewrite, wrong):
    for name in ("target", "source"):
        with pytest.raises(TypeError, match=f"{name} must be a label's name or id, one for all"):
            rewrite(TEXT, **{name: wrong})


def test_stars_in_the_pipeline(transfer_model, tokenizer):
    config = type(transfer_model.config)(
        **{k: v for k, v in transfer_model.config.to_diff_dict().items() if k not in ("auto_map", "label2id")}
        | {"id2label": {0: "1", 1: "2"}}
    )
    model = type(transfer_model)(config)
    model.load_state_dict(transfer_model.state_dict())
    rewrite = pipeline("text-style-transfer", model=model, tokenizer=tokenizer)
    assert [rewrite(TEXT, target=star)["target"] for star in (1, 2, "1", "2")] == ["1", "2", "1", "2"]
    with pytest.raises(ValueError, match="target must be one of"):
        rewrite(TEXT, target=0)


def test_latent_space_takes_names_and_draws_without_a_seed(transfer_model, tokenizer):
    latent = LatentSpace(transfer_model, tokenizer, attribute="positive")
    assert latent.attribute == 1 and LatentSpace(transfer_model, tokenizer, attribute=1).attribute == 1
    with pytest.raises(ValueError, match="attribute must be one of 'negative'"):
        LatentSpace(transfer_model, tokenizer, attribute="neutral")
    with pytest.raises(TypeError, match="attribute"):
        LatentSpace(transfer_model, tokenizer, attribute=1.0)
    torch.manual_seed(3)
    first = latent.draw(2, seed=None)
    assert not torch.equal(first, latent.draw(2, seed=None))
    torch.manual_seed(3)
    assert torch.equal(first, latent.draw(2, seed=None))
    codes = latent.encode([TEXT])
    assert len(latent.sample(2, seed=None)) == len(latent.walk(codes, steps=2, seed=None)[0]) == 2
    assert len(latent.decode(codes, seed=None, do_sample=True)) == 1


# What generate() takes


@pytest.mark.parametrize("name", ["return_dict_in_generate", "output_scores", "output_logits"])
def test_raw_outputs_are_refused_by_name(rewrite, write, name):
    for call in (lambda **given: rewrite(TEXT, **given), lambda **given: write(TEXT, **given)):
        with pytest.raises(TypeError, match=f"does not take '{name}'"):
            call(**{name: True})
        call(**{name: False})


def test_a_checkpoint_that_asks_for_raw_outputs_still_gives_texts(rewrite, write, monkeypatch):
    for pipe in (rewrite, write):
        wanted = pipe(TEXT)
        monkeypatch.setattr(pipe.model.generation_config, "return_dict_in_generate", True)
        assert pipe(TEXT) == wanted


def test_a_given_max_length_goes_before_the_checkpoint_s_own_limit(rewrite, write, transfer_model, tokenizer, caplog):
    batch = tokenizer([TEXT, "great !"], padding=True, return_tensors="pt")
    transformers_logging.enable_propagation()
    for limit in ({"max_length": 4}, {"generation_config": GenerationConfig(max_length=4)}):
        for beams in (1, 3):
            written = transfer_model.generate(
                **batch, attribute=1, **limit, **({"num_beams": beams} if beams > 1 and "max_length" in limit else {})
            )
            assert written.shape[1] <= 4
    assert "Both `max_new_tokens`" not in caplog.text
    transformers_logging.disable_propagation()
    for extra in ({}, {"num_beams": 3}, {"do_sample": True, "top_k": 5}):
        torch.manual_seed(0)
        assert transfer_model.transfer(**batch, target=1, max_length=4, **extra).shape[1] <= 4
    assert len(rewrite(TEXT, max_length=4, detokenize=False)["text"].split()) <= 3
    assert write(TEXT, max_length=3)["summary_words"] <= 2
    latent = LatentSpace(transfer_model, tokenizer, 1)
    assert len(latent.decode(latent.encode([TEXT]), max_length=3)[0].split()) <= 2
    with pytest.raises(ValueError, match="max_length must be above 1"):
        rewrite(TEXT, max_length=1)
    # Both given: the caller's max_new_tokens counts, as in transformers.
    assert transfer_model.transfer(**batch, target=1, max_length=4, max_new_tokens=1).shape[1] == 2


WRONG = [
    ({"do_sample": True, "temperature": math.nan}, ValueError),
    ({"do_sample": True, "temperature": math.inf}, ValueError),
    ({"do_sample": True, "temperature": 0.0}, ValueError),
    ({"do_sample": True, "top_p": 1.5}, ValueError),
    ({"do_sample": True, "top_p": math.nan}, ValueError),
    ({"do_sample": True, "top_k": -1}, ValueError),
    ({"do_sample": True, "top_k": 2.5}, TypeError),
    ({"do_sample": True, "min_p": -0.1}, ValueError),
    ({"num_beams": 0}, ValueError),
    ({"num_beams": "two"}, TypeError),
    ({"num_return_sequences": 0}, ValueError),
    ({"max_new_tokens": 0}, ValueError),
    ({"max_time": math.nan}, ValueError),
    ({"repetition_penalty": 0.0}, ValueError),
    ({"no_repeat_ngram_size": -1}, ValueError),
    ({"stop_strings": ["food"]}, ValueError),
    ({"prompt_lookup_num_tokens": 2}, ValueError),
    ({"guidance_scale": 1.5}, ValueError),
    ({"penalty_alpha": 0.5}, ValueError),
]


@pytest.mark.parametrize(("arguments", "error"), WRONG, ids=lambda value: str(value)[:60])
def test_settings_out_of_range_are_named(rewrite, write, transfer_model, tokenizer, arguments, error):
    name, batch = list(arguments)[-1], tokenizer([TEXT], return_tensors="pt")
    latent = LatentSpace(transfer_model, tokenizer, 1)
    for call in (
        lambda: rewrite(TEXT, **arguments),
        lambda: write(TEXT, **arguments),
        lambda: transfer_model.generate(**batch, attribute=1, **arguments),
        lambda: transfer_model.transfer(**batch, target=1, **arguments),
        *([] if name == "num_return_sequences" else [lambda: latent.decode(latent.encode([TEXT]), **arguments)]),
    ):
        with pytest.raises(error, match=name):
            call()


# Tokenizers


def test_a_tokenizer_of_another_model_is_refused(transfer_model, transfer_folder, tokenizer, write, tmp_path):
    other = train_tokenizer(["one two three ."], max_length=10)
    for call in (
        lambda words: pipeline("text-style-transfer", model=transfer_model, tokenizer=words),
        lambda words: pipeline("text-summarization", model=write.model, tokenizer=words),
        lambda words: LatentSpace(transfer_model, words),
    ):
        call(tokenizer)
        with pytest.raises(ValueError, match=rf"{len(other)} words and the model {len(tokenizer)}"):
            call(other)
        swapped = AutoTokenizer.from_pretrained(transfer_folder, unk_token="<mask>", mask_token="<unk>")
        with pytest.raises(ValueError, match="<unk>"):
            call(swapped)
    grown = AutoTokenizer.from_pretrained(transfer_folder)
    grown.add_tokens(["newword"])
    with pytest.raises(ValueError, match="not the model's"):
        LatentSpace(transfer_model, grown)


def test_a_warning_where_punctuation_alone_is_known(rewrite, write, caplog):
    transformers_logging.enable_propagation()
    transformers_logging.get_logger().warning_once.cache_clear()
    for pipe in (partial(rewrite, target=1), write):
        caplog.clear()
        pipe("Xyzzy plugh.")
        assert "No word of 'Xyzzy plugh.' is in the vocabulary" in caplog.text
        caplog.clear()
        pipe("Xyzzy food.")
        pipe("!")
        assert "No word of" not in caplog.text
        pipe("Q" * 10_000)
        assert len(caplog.text) < 400
    transformers_logging.disable_propagation()


# Prompts of a language model


def test_a_prompt_is_gone_on_with(tokenizer):
    torch.manual_seed(0)
    model = RnnLmForCausalLM(RnnLmConfig(vocab_size=len(tokenizer), embedding_size=8, hidden_size=8)).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.9)
    batch = tokenizer("the food", return_tensors="pt")
    bare = {name: value[:, :-1] for name, value in batch.items()}
    more = {"max_new_tokens": 4, "min_new_tokens": 4}
    wanted = model.generate(**bare, **more)
    assert wanted[0, :3].tolist() == bare["input_ids"][0].tolist() and wanted.shape[1] == 7
    for given in (batch, {"input_ids": batch["input_ids"]}):
        assert torch.equal(model.generate(**given, **more), wanted)
    assert torch.equal(model.generate(batch["input_ids"], **more), wanted)
    two = tokenizer(["the food", "great service"], return_tensors="pt")
    assert torch.equal(model.generate(**two, **more)[:1], wanted)
    mixed = torch.cat([two["input_ids"][:1], two["input_ids"][1:].masked_fill(two["input_ids"][1:] == 2, 7)])
    with pytest.raises(ValueError, match="<eos>"):
        model.generate(mixed, **more)
    assert model.generate(**batch, max_length=5).shape[1] <= 5

    words = copy.deepcopy(tokenizer)  # the pipeline makes it pad on the left
    generate = pipeline("text-generation", model=model, tokenizer=words)
    text = generate("the food", do_sample=False, **more)[0]["generated_text"]
    assert text == tokenizer.decode(wanted[0], skip_special_tokens=True)
    new = generate(["the food"], do_sample=False, return_full_text=False, **more)[0][0]["generated_text"]
    assert f"the food {new}" == text
    with pytest.raises(ValueError, match="stop_strings"):
        generate("the food", stop_strings=["great"], tokenizer=words)
    with pytest.raises(ValueError, match="tokenizer"):
        pipeline("text-generation", model=model, tokenizer=train_tokenizer(["two dogs run ."]))


def test_a_tokenizer_may_do_without_a_mask(transfer_folder, transfer_model, tokenizer):
    without = AutoTokenizer.from_pretrained(transfer_folder)
    without.mask_token = without.unk_token = None
    latent = LatentSpace(transfer_model, without, "positive")
    assert latent.encode(["good food ."]).equal(LatentSpace(transfer_model, tokenizer).encode(["good food ."]))
    without.eos_token = None
    with pytest.raises(ValueError, match="not the model's"):
        LatentSpace(transfer_model, without)
