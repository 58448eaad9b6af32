"""Fast decoding gives what `generate()` gives, and samples from the model's distribution."""

from __future__ import annotations

import pytest
import torch
from transformers.modeling_outputs import BaseModelOutput

from hf_arae.models.arae.configuration_arae import AraeConfig
from hf_arae.models.arae.modeling_arae import AraeModel
from hf_arae.models.rnn_lm.configuration_rnn_lm import RnnLmConfig
from hf_arae.models.rnn_lm.modeling_rnn_lm import RnnLmForCausalLM
from hf_arae.nn.text import decoding

WORDS = 500  # more than four blocks, and no multiple of a block


def make_model(**changes) -> AraeModel:
    torch.manual_seed(0)
    names = {0: "negative", 1: "positive"}
    settings = {"vocab_size": WORDS, "embedding_size": 12, "hidden_size": 16, "code_size": 8, "num_attributes": 2}
    model = AraeModel(AraeConfig(**(settings | {"id2label": names} | changes))).eval()
    for parameter in model.parameters():  # sentences of many lengths, and different ones
        torch.nn.init.normal_(parameter, std=0.5)
    return model


def end_at_many_lengths(model, codes, attribute) -> None:
    """Raises the bias of `<eos>` until sentences end after different numbers of words."""
    for _ in range(20):
        lengths = (model.decode(codes, attribute) != 0).sum(1)
        if len(lengths.unique()) > 4:
            return
        with torch.no_grad():
            model.projection.bias[model.config.eos_token_id] += 0.5
    raise AssertionError(f"lengths {lengths.unique().tolist()}")


def by_generate(model, codes, attribute, **arguments):
    encoded = BaseModelOutput(last_hidden_state=codes.unsqueeze(1))
    return model.generate(encoder_outputs=encoded, attribute=attribute, **arguments)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"share_embeddings": True, "amplify_code": True},
        {"num_layers": 2},
        {"num_attributes": 1, "id2label": None},
        {"vocab_size": 60},
    ],
)
@torch.no_grad()
def test_greedy_decoding_equals_generate(changes):
    model = make_model(**changes)
    codes = torch.randn(150, 8)
    attribute = torch.arange(150) % 2 if model.config.num_attributes == 2 else None
    end_at_many_lengths(model, codes, attribute)
    fast, slow = model.decode(codes, attribute), by_generate(model, codes, attribute)
    assert torch.equal(fast, slow)
    assert torch.equal(model.decode(codes, attribute, max_new_tokens=3), fast[:, :4])


@torch.no_grad()
def test_more_rows_than_are_written_at_once(monkeypatch):
    model = make_model()
    codes = torch.randn(70, 8)
    end_at_many_lengths(model, codes, 1)
    whole = model.decode(codes, 1)
    monkeypatch.setattr(decoding, "MAX_ROWS", 32)
    assert torch.equal(model.decode(codes, 1), whole)


@pytest.mark.parametrize("precision", ["bfloat16", "int8"])
@torch.no_grad()
def test_lower_precision_writes_nearly_the_same(precision):
    model = make_model()
    codes = torch.randn(200, 8)
    exact, rough = model.decode(codes, 0), model.decode(codes, 0, precision=precision)
    # One word off changes all that follow, so the longer, the more sentences differ.
    assert (exact[:, 1:5] == rough[:, 1:5]).float().mean() > 0.9
    assert not torch.equal(exact[:, :20], rough[:, :20]), "the precision made no difference at all"
    assert not set(rough[:, 1:].unique().tolist()) & {1, 3, 4}, "suppressed tokens"


@torch.no_grad()
def test_samples_follow_the_model_s_distribution():
    torch.manual_seed(0)
    model = RnnLmForCausalLM(RnnLmConfig(vocab_size=8, embedding_size=4, hidden_size=4)).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=1.0)
    logits = model(torch.tensor([[1]])).logits[0, 0]
    logits[model.generation_config.suppress_tokens] = -torch.inf
    for temperature in (1.0, 0.5):
        first = model.sample(20_000, seed=1, max_new_tokens=1, temperature=temperature)[:, 1]
        shares = torch.bincount(first, minlength=8) / len(first)
        # Four standard deviations of a share are at most 4 * 0.5 / sqrt(20 000) = 0.014.
        assert torch.allclose(shares, (logits / temperature).softmax(0), atol=0.014)


def test_sampling_is_repeatable_and_varies_with_the_seed():
    model = RnnLmForCausalLM(RnnLmConfig(vocab_size=WORDS, embedding_size=4, hidden_size=4)).eval()
    assert torch.equal(model.sample(20, seed=1), model.sample(20, seed=1))
    assert not torch.equal(model.sample(20, seed=1)[:, :6], model.sample(20, seed=2)[:, :6])


@torch.no_grad()
def test_settings_that_need_generate_are_honoured():
    model = make_model()
    codes, attribute = torch.randn(6, 8), torch.zeros(6, dtype=torch.int64)
    assert not torch.equal(model.decode(codes, 0, num_beams=3)[:, :9], model.decode(codes, 0)[:, :9])
    model.generation_config.no_repeat_ngram_size = 1
    written = model.decode(codes, 0)
    assert torch.equal(written, by_generate(model, codes, attribute))
    assert all(len(row[row > 4]) == len(row[row > 4].unique()) for row in written)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"precision": "float8"}, "float32, bfloat16, int8; got 'float8'"),
        ({"precision": "bfloat16", "num_beams": 4}, "not together with num_beams"),
        ({"max_new_tokens": 0}, "max_new_tokens must be at least 1"),
        ({"do_sample": True, "temperature": 0.0}, "temperature must be above 0"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        make_model().decode(torch.randn(2, 8), 0, **arguments)
