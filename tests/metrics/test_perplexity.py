import math
from pathlib import Path
from types import SimpleNamespace

import evaluate
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from torch import nn
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

import hf_arae.metrics
from hf_arae.metrics import Perplexity

VOCABULARY = ["<pad>", "<bos>", "<eos>", "<unk>", "a", "b"]
PAD, BOS, EOS, UNK, A, B = range(6)


def make_tokenizer(template="<bos> $A <eos>"):
    core = Tokenizer(models.WordLevel({word: index for index, word in enumerate(VOCABULARY)}, unk_token="<unk>"))
    core.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    core.post_processor = processors.TemplateProcessing(
        single=template, special_tokens=[("<bos>", BOS), ("<eos>", EOS)]
    )
    names = {"pad_token": "<pad>", "bos_token": "<bos>", "eos_token": "<eos>", "unk_token": "<unk>"}
    return PreTrainedTokenizerFast(tokenizer_object=core, **names)


class Bigrams(nn.Module):
    """Next-token probabilities from a table, (vocabulary, vocabulary)."""

    def __init__(self):
        super().__init__()
        table = torch.full((6, 6), 1e-9)
        table[BOS, [A, B, EOS]] = torch.tensor([0.5, 0.25, 0.25])
        table[A, [A, EOS]] = torch.tensor([0.25, 0.75])
        table[B, EOS] = 1.0
        self.register_buffer("table", table.log())
        self.batch_shapes = []

    def forward(self, input_ids, attention_mask):
        assert not self.training
        assert ((input_ids == PAD) == (attention_mask == 0)).all()
        self.batch_shapes.append(tuple(input_ids.shape))
        return SimpleNamespace(logits=self.table[input_ids])


@pytest.mark.parametrize("batch_size", [1, 2, 256])
def test_by_hand(batch_size):
    # <bos> a a <eos>: 1/2 * 1/4 * 3/4; <bos> b <eos>: 1/4 * 1; empty: 1/4. Six tokens are predicted.
    metric = Perplexity(Bigrams(), make_tokenizer(), batch_size)
    scores = metric.compute(predictions=["a a", "b", ""])
    expected = (1 / 2 * 1 / 4 * 3 / 4 * 1 / 4 * 1 / 4) ** (-1 / 6)
    assert scores == {"perplexity": pytest.approx(expected, rel=1e-5)}


def test_empty_prediction_is_the_end_alone():
    assert Perplexity(Bigrams(), make_tokenizer()).compute(predictions=[""])["perplexity"] == pytest.approx(4)


def test_batches_hold_sentences_of_like_length():
    model = Bigrams()
    Perplexity(model, make_tokenizer(), batch_size=2).compute(predictions=["a a a", "a", "a a a", "a"])
    assert model.batch_shapes == [(2, 3), (2, 5)]


def test_mode_of_the_model_is_restored():
    model = Bigrams()
    Perplexity(model.train(), make_tokenizer()).compute(predictions=["a"])
    assert model.training


def test_impossible_text_is_infinite():
    model = Bigrams()
    model.table.fill_(-math.inf)[:, EOS] = 0
    assert Perplexity(model, make_tokenizer()).compute(predictions=["a"])["perplexity"] == math.inf


def test_agrees_with_the_loss_of_a_transformers_model():
    torch.manual_seed(0)
    config = LlamaConfig(vocab_size=6, hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=2)
    model, tokenizer = LlamaForCausalLM(config).eval(), make_tokenizer()
    texts = ["a b b a", "b", "", "a z"]
    total, tokens = 0.0, 0
    for text in texts:
        ids = torch.tensor([tokenizer(text)["input_ids"]])
        total += model(input_ids=ids, labels=ids).loss.item() * (ids.shape[1] - 1)
        tokens += ids.shape[1] - 1
    scores = Perplexity(model, tokenizer).compute(predictions=texts)
    assert scores["perplexity"] == pytest.approx(math.exp(total / tokens), rel=1e-5)


def test_loads_by_path():
    path = Path(hf_arae.metrics.__file__).parent / "perplexity.py"
    metric = evaluate.load(str(path), model=Bigrams(), tokenizer=make_tokenizer())
    assert metric.compute(predictions=[""])["perplexity"] == pytest.approx(4)


def test_special_tokens_in_a_prediction_are_refused():
    metric = Perplexity(Bigrams(), make_tokenizer())
    with pytest.raises(ValueError, match=r"\['<eos>'\] at position 1: .*skip_special_tokens"):
        metric.compute(predictions=["a", "a <eos> b"])


def test_wrong_arguments_are_refused():
    with pytest.raises(TypeError, match=r"torch\.nn\.Module"):
        Perplexity("gpt2", make_tokenizer())
    with pytest.raises(ValueError, match="batch_size"):
        Perplexity(Bigrams(), make_tokenizer(), batch_size=0)
    with pytest.raises(ValueError, match="begin and the end"):
        Perplexity(Bigrams(), make_tokenizer("$A"))
    with pytest.raises(ValueError, match="no pad token"):
        tokenizer = make_tokenizer()
        tokenizer.pad_token = None
        Perplexity(Bigrams(), tokenizer)
    with pytest.raises(TypeError, match="predictions must hold str"):
        Perplexity(Bigrams(), make_tokenizer()).compute(predictions=[3])
