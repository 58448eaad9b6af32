"""Graphs attached to models that know nothing of them: unchanged at first, trained, saved, loaded, in a pipeline."""

from __future__ import annotations

import copy
import json

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from torch import nn
from transformers import (
    DistilBertConfig,
    DistilBertForSequenceClassification,
    GPT2Config,
    GPT2LMHeadModel,
    PreTrainedTokenizerFast,
    pipeline,
)

from hf_arae.data.text.tokenization import train_tokenizer
from hf_arae.models.glomo.attached_files import load_attached, save_attached
from hf_arae.models.glomo.attaching import attach_graphs, detach_graphs
from hf_arae.models.glomo.configuration_glomo import GlomoConfig
from hf_arae.models.glomo.modeling_glomo import GlomoModel
from hf_arae.models.rnn_lm.configuration_rnn_lm import RnnLmConfig
from hf_arae.models.rnn_lm.modeling_rnn_lm import RnnLmForCausalLM

TEXTS = ["the old man sees the dogs .", "dogs see the man !", "a man sees old dogs and the man sees them ."]
WORD_IDS = torch.tensor([[1, 9, 8, 7, 6, 2], [1, 6, 8, 2, 0, 0]])
WORD_MASK = torch.tensor([[1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 0, 0]])


class TorchTagger(nn.Module):
    """A model of nobody's library: table, recurrent layer, output."""

    def __init__(self, words: int = 30, width: int = 6, wider: int = 0):
        super().__init__()
        self.table = nn.Embedding(words, width)
        self.rnn = nn.GRU(width + wider, width, batch_first=True)
        self.head = nn.Linear(width, 3)

    def forward(self, ids):
        return self.head(self.rnn(self.table(ids))[0])


def make_glomo(tokenizer=None, **changes) -> GlomoModel:
    """A predictor with weights so large that its graphs differ."""
    sizes = {"hidden_size": 8, "num_graph_layers": 2, "num_heads": 2, "head_size": 4, "key_layers": 1}
    sizes |= {"query_layers": 1, "context_length": 40} | changes
    if tokenizer is None:
        config = GlomoConfig(**({"vocab_size": 30} | sizes))
    else:
        config = GlomoConfig.from_tokenizer(tokenizer, **sizes)
    torch.manual_seed(0)
    glomo = GlomoModel(config)
    for parameter in glomo.parameters():
        nn.init.normal_(parameter, std=0.7)
    return glomo


def make_distilbert(words: int = 30) -> DistilBertForSequenceClassification:
    torch.manual_seed(1)
    sizes = {"n_layers": 2, "dim": 8, "n_heads": 2, "hidden_dim": 8, "max_position_embeddings": 40}
    return DistilBertForSequenceClassification(DistilBertConfig(vocab_size=words, **sizes)).eval()


def make_gpt(words: int = 30) -> GPT2LMHeadModel:
    torch.manual_seed(1)
    ids = {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
    return GPT2LMHeadModel(GPT2Config(vocab_size=words, n_layer=2, n_embd=8, n_head=2, n_positions=40, **ids)).eval()


@pytest.fixture(scope="module")
def words() -> PreTrainedTokenizerFast:
    """The predictor's tokenizer."""
    return train_tokenizer(TEXTS, max_length=38)


@pytest.fixture(scope="module")
def pieces() -> PreTrainedTokenizerFast:
    """A tokenizer of pieces, as BERT has."""
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "the", "old", "man", "see", "##s", "dog", "a", "and", "them"]
    vocabulary = {token: number for number, token in enumerate([*vocabulary, ".", "!"])}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer, tokenizer.decoder = pre_tokenizers.BertPreTokenizer(), decoders.WordPiece()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    names = {f"{name}_token": f"[{name.upper()}]" for name in ("pad", "unk", "cls", "sep")}
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=40, **names)


@pytest.fixture(scope="module")
def bytes_() -> PreTrainedTokenizerFast:
    """A tokenizer of bytes, as GPT has, with few merges."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    merges = [("s", "e"), ("se", "e"), ("t", "h"), ("Ġ", "th"), ("Ġth", "e"), ("d", "o"), ("Ġ", "do")]
    listed = ["<|end|>", *alphabet, *("".join(pair) for pair in merges)]
    vocabulary = {token: number for number, token in enumerate(listed)}
    tokenizer = Tokenizer(models.BPE(vocabulary, merges))
    tokenizer.pre_tokenizer, tokenizer.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|end|>", pad_token="<|end|>")


def train(model: nn.Module, loss, steps: int = 3) -> None:
    """Some updates of all parameters that want gradients, in training mode."""
    optimizer = torch.optim.Adam([one for one in model.parameters() if one.requires_grad], 0.01)
    model.train()
    for _ in range(steps):
        optimizer.zero_grad()
        loss(model).backward()
        optimizer.step()
    model.eval()


def own_weights(module: nn.Module) -> list[torch.Tensor]:
    return [one.detach().clone() for one in module.parameters()]


# three kinds of models


@pytest.mark.parametrize("places", [("embeddings",), ("distilbert.transformer.layer.0", "embeddings")])
def test_a_distilbert_is_the_same_at_the_start_and_trains_saves_and_loads(places, tmp_path):
    model, glomo = make_distilbert(), make_glomo()
    inputs = {"input_ids": WORD_IDS, "attention_mask": WORD_MASK}
    with torch.no_grad():
        before = model(**inputs).logits
        for at in places:
            attached = attach_graphs(model, glomo, at)
        assert torch.equal(model(**inputs).logits, before)
    frozen = own_weights(glomo)
    train(model, lambda one: one(**inputs, labels=torch.tensor([0, 1])).loss)
    assert not glomo.training and all(map(torch.equal, own_weights(glomo), frozen))
    assert all(one.grad is None for one in glomo.parameters())
    for mixer in attached.mixers:
        assert mixer.value.weight.any() and all(one.grad is not None for one in mixer.parameters())
    after = model(**inputs).logits
    save_attached(model, tmp_path)
    assert {path.suffix for path in tmp_path.rglob("*") if path.is_file()} == {".json", ".safetensors"}
    loaded = load_attached(tmp_path)
    assert type(loaded) is DistilBertForSequenceClassification and loaded.attached_graphs.places == attached.places
    torch.testing.assert_close(loaded(**inputs).logits, after)
    assert torch.equal(model(**inputs).logits, after)
    detach_graphs(loaded)
    plain = DistilBertForSequenceClassification.from_pretrained(tmp_path).eval()
    torch.testing.assert_close(loaded(**inputs).logits, plain(**inputs).logits)
    assert not torch.allclose(plain(**inputs).logits, after)


def test_a_gpt_gets_forward_graphs_alone_and_sees_nothing_that_comes_later(tmp_path):
    model, ids = make_gpt(), WORD_IDS[:1]
    with torch.no_grad():
        before = model(ids).logits
        attached = attach_graphs(model, make_glomo(), "transformer.h.0")
        assert torch.equal(model(ids).logits, before)
    assert attached.mixers[0].num_directions == 1
    train(model, lambda one: one(ids, labels=ids).loss)
    other = ids.clone()
    other[:, 4] = 20
    with torch.no_grad():
        logits = model(ids).logits
        assert torch.equal(logits[:, :4], model(other).logits[:, :4])
        torch.testing.assert_close(logits[:, :3], model(ids[:, :3]).logits)
    save_attached(model, tmp_path)
    torch.testing.assert_close(load_attached(tmp_path)(ids).logits, logits)
    model.generation_config.eos_token_id = None
    written = model.generate(ids[:, :3], max_new_tokens=4, do_sample=False)
    for length in range(3, written.shape[1]):
        assert written[0, length] == model(written[:, :length]).logits[0, -1].argmax()
    with pytest.raises(ValueError, match="use_cache"):
        model.generate(ids[:, :3], max_new_tokens=4, do_sample=False, use_cache=True)
    detach_graphs(model)
    assert model.generation_config.use_cache


def test_backward_graphs_in_a_gpt_are_for_who_asks():
    model = make_gpt()
    attach_graphs(model, make_glomo(), "transformer.wte", directions="both")
    nn.init.normal_(model.attached_graphs.mixers[0].value.weight)
    other = WORD_IDS[:1].clone()
    other[:, 4] = 20
    assert not torch.equal(model(other).logits[:, :3], model(WORD_IDS[:1]).logits[:, :3])


@pytest.mark.parametrize("at", ["table", "rnn"])
def test_a_torch_model_trains_saves_and_loads(at, tmp_path):
    torch.manual_seed(0)
    model = TorchTagger()
    with torch.no_grad():
        before = model(WORD_IDS)
        attach_graphs(model, make_glomo(), at)
        assert torch.equal(model(WORD_IDS), before)
    train(model, lambda one: one(WORD_IDS).square().sum())
    after = model(WORD_IDS)
    save_attached(model, tmp_path)
    loaded = load_attached(tmp_path, TorchTagger())
    torch.testing.assert_close(loaded(WORD_IDS), after)
    torch.testing.assert_close(copy.deepcopy(loaded)(WORD_IDS), after)
    with pytest.raises(ValueError, match="TorchTagger"):
        load_attached(tmp_path, TorchTagger(width=5))


def test_a_model_of_this_package_saves_and_loads(tmp_path):
    torch.manual_seed(0)
    model = RnnLmForCausalLM(RnnLmConfig(vocab_size=30, embedding_size=6, hidden_size=6)).eval()
    attached = attach_graphs(model, make_glomo(), "lstm")
    assert attached.mixers[0].num_directions == 1
    nn.init.normal_(attached.mixers[0].value.weight)
    save_attached(model, tmp_path)
    loaded = load_attached(tmp_path)
    assert type(loaded) is RnnLmForCausalLM
    torch.testing.assert_close(loaded(WORD_IDS).logits, model(WORD_IDS).logits)


def test_wider_features_go_into_a_layer_that_is_made_for_them():
    torch.manual_seed(0)
    model = TorchTagger(wider=4)
    attach_graphs(model, make_glomo(), "table", "concatenate", gate_size=4)
    train(model, lambda one: one(WORD_IDS).square().sum())
    assert model(WORD_IDS).shape == (2, 6, 3)


# once for a batch


def test_the_graphs_of_a_batch_are_computed_once(monkeypatch):
    model, glomo = make_distilbert(), make_glomo()
    attach_graphs(model, glomo, "embeddings")
    attach_graphs(model, glomo, "distilbert.transformer.layer.1")
    calls, read = [], glomo.layer_graphs
    monkeypatch.setattr(glomo, "layer_graphs", lambda *units: calls.append(1) or read(*units))
    for _ in range(2):
        model(input_ids=WORD_IDS, attention_mask=WORD_MASK)
    assert len(calls) == 1
    model(input_ids=WORD_IDS.flip(0), attention_mask=WORD_MASK.flip(0))
    assert len(calls) == 2
    with torch.no_grad():
        glomo.embeddings.weight.mul_(2.0)
    model(input_ids=WORD_IDS.flip(0), attention_mask=WORD_MASK.flip(0))
    assert len(calls) == 3


def test_without_a_cache_the_numbers_are_the_same():
    found = []
    for cache in (True, False):
        model = make_distilbert()
        attach_graphs(model, make_glomo(), "embeddings", cache=cache)
        torch.manual_seed(2)
        model.attached_graphs.mixers[0].reset_parameters()
        nn.init.normal_(model.attached_graphs.mixers[0].value.weight)
        model(input_ids=WORD_IDS, attention_mask=WORD_MASK).logits.sum().backward()
        found.append(model.attached_graphs.mixers[0].weigh.weight.grad)
    assert found[0].any()
    torch.testing.assert_close(*found)


# foreign tokenizers


def test_graphs_over_words_are_spread_to_pieces(words, pieces):
    model, glomo = make_distilbert(len(pieces)), make_glomo(words)
    attached = attach_graphs(model, glomo, tokenizer=pieces, glomo_tokenizer=words)
    text = "the old man sees dogs ."
    ids = pieces(text, return_tensors="pt")["input_ids"]
    assert " ".join(pieces.convert_ids_to_tokens(ids[0])) == "[CLS] the old man see ##s dog ##s . [SEP]"
    spread = attached.foreign(ids, torch.ones_like(ids))
    assert spread.input_ids.tolist() == words([text])["input_ids"]
    assert spread.columns.tolist() == [[0, 1, 2, 3, 4, 4, 5, 5, 6, 7]]
    assert spread.sources.tolist() == [[0, 1, 2, 3, 4, -1, 5, -1, 6, 7]]
    (found, *_), (wanted, *_) = attached.layer_graphs(ids, torch.ones_like(ids)), glomo.layer_graphs(spread.input_ids)
    assert torch.equal(found[..., 0, 6], wanted[..., 0, 5]) and torch.equal(found[..., 0, 7], wanted[..., 0, 5])
    assert torch.equal(found[..., 4, 6], wanted[..., 4, 5]) and not found[..., 5, :].any()
    sums = found.sum(-2)
    assert (((sums - 1).abs() < 1e-5) | (sums == 0)).all()
    # Padding, on either side, and company change nothing.
    padded = torch.nn.functional.pad(ids, (2, 1))
    mask = torch.nn.functional.pad(torch.ones_like(ids), (2, 1))
    (again, *_) = attached.layer_graphs(torch.cat([padded, padded]), torch.cat([mask, mask]))
    torch.testing.assert_close(again[1:, ..., 2:-1, 2:-1], found)
    assert not again[..., :2].any() and not again[..., -1:, :].any()


def test_a_classifier_with_a_tokenizer_of_its_own_goes_through_a_pipeline(words, pieces, tmp_path):
    model = make_distilbert(len(pieces))
    attach_graphs(model, make_glomo(words), "embeddings", tokenizer=pieces, glomo_tokenizer=words)
    batch = pieces(TEXTS, padding=True, return_tensors="pt", return_token_type_ids=False)
    train(model, lambda one: one(**batch, labels=torch.tensor([0, 1, 0])).loss)
    save_attached(model, tmp_path)
    classify = pipeline("text-classification", load_attached(tmp_path), tokenizer=pieces)
    found = classify(TEXTS, batch_size=2)
    wanted = model(**batch).logits.softmax(1).max(1).values
    torch.testing.assert_close(torch.tensor([one["score"] for one in found]), wanted.detach(), atol=1e-5, rtol=0)


def test_a_gpt_of_bytes_learns_nothing_of_the_ends_of_words(words, bytes_):
    model, text = make_gpt(len(bytes_)), "the old man sees the dogs."
    attached = attach_graphs(model, make_glomo(words), "transformer.h.0", tokenizer=bytes_, glomo_tokenizer=words)
    nn.init.normal_(attached.mixers[0].value.weight, std=5.0)
    ids = bytes_(text, return_tensors="pt")["input_ids"]
    with torch.no_grad():
        whole = model(ids).logits
        detached = copy.deepcopy(model)
        detach_graphs(detached)
        assert not torch.allclose(detached(ids).logits, whole)
        for length in range(1, ids.shape[1]):
            torch.testing.assert_close(model(ids[:, :length]).logits, whole[:, :length], atol=1e-5, rtol=1e-4)
            other = ids.clone()
            other[:, length:] = 40
            torch.testing.assert_close(model(other).logits[:, :length], whole[:, :length], atol=1e-5, rtol=1e-4)


def test_a_gpt_writes_through_a_pipeline(words, bytes_):
    model = make_gpt(len(bytes_))
    attached = attach_graphs(model, make_glomo(words), "transformer.h.1", tokenizer=bytes_, glomo_tokenizer=words)
    nn.init.normal_(attached.mixers[0].value.weight)
    write = pipeline("text-generation", model, tokenizer=bytes_)
    found = write(["the old", "dogs see the man"], max_new_tokens=3, do_sample=False, batch_size=2)
    assert [one[0]["generated_text"][:7] for one in found] == ["the old", "dogs se"]


@torch.no_grad()
def test_one_token_and_nothing_but_padding_are_read():
    model = make_distilbert()
    attach_graphs(model, make_glomo())
    nn.init.normal_(model.attached_graphs.mixers[0].value.weight)
    assert model(input_ids=WORD_IDS[:, :1]).logits.isfinite().all()
    mask = WORD_MASK.clone()
    mask[1] = 0
    found = model.distilbert.embeddings.word_embeddings(WORD_IDS)
    mixed = model.attached_graphs.mixers[0](found, model.attached_graphs.layer_graphs(WORD_IDS, mask.bool()), mask)
    assert torch.equal(mixed[1], found[1]) and mixed.isfinite().all()


# bad input


def test_a_submodule_that_gives_no_sequence_is_refused_and_others_are_named():
    model, glomo = make_distilbert(), make_glomo()
    for at in ("encoder.layer.3", "classifier", "distilbert.embeddings.position_embeddings"):
        with pytest.raises(ValueError, match=r"distilbert\.transformer\.layer\.1 "):
            attach_graphs(model, glomo, at)
    assert not hasattr(model, "attached_graphs")
    attach_graphs(model, glomo)
    with pytest.raises(ValueError, match="already"):
        attach_graphs(model, glomo)
    with pytest.raises(ValueError, match="another predictor"):
        attach_graphs(model, make_glomo(), "distilbert.transformer.layer.0")


def test_what_is_no_predictor_or_no_example_is_refused():
    model = make_distilbert()
    with pytest.raises(TypeError, match="glomo"):
        attach_graphs(model, make_distilbert())
    with pytest.raises(ValueError, match="example"):
        attach_graphs(model, make_glomo(), example={})
    assert not hasattr(model, "attached_graphs")


def test_widths_that_do_not_fit_are_refused_and_the_model_stays_as_it_was():
    model, glomo = make_distilbert(), make_glomo()
    before = model(input_ids=WORD_IDS).logits
    with pytest.raises(ValueError, match="16"):
        attach_graphs(model, glomo, output="concatenate")
    assert torch.equal(model(input_ids=WORD_IDS).logits, before)
    with pytest.raises(ValueError, match="gate_size"):
        attach_graphs(model, glomo, gate_size=3)
    assert not hasattr(model, "attached_graphs")


def test_another_vocabulary_and_too_long_sequences_are_refused(words, pieces):
    model = make_distilbert(len(pieces))
    with pytest.raises(ValueError, match="glomo_tokenizer"):
        attach_graphs(model, make_glomo(vocab_size=31))
    with pytest.raises(ValueError, match="glomo_tokenizer"):
        attach_graphs(model, make_glomo(words), tokenizer=pieces)
    with pytest.raises(ValueError, match="words"):
        attach_graphs(model, make_glomo(vocab_size=31), tokenizer=pieces, glomo_tokenizer=words)
    model = make_distilbert()
    attach_graphs(model, make_glomo(context_length=8))
    with pytest.raises(ValueError, match="truncation"):
        model(input_ids=torch.ones(1, 9, dtype=torch.long))
    with pytest.raises(ValueError, match="input_ids"):
        model(inputs_embeds=torch.zeros(1, 3, 8))
    with pytest.raises(RuntimeError, match="outside"):
        model.distilbert(input_ids=WORD_IDS)
    with pytest.raises(ValueError, match="directions"):
        attach_graphs(make_distilbert(), make_glomo(), directions="backward")
    with pytest.raises(ValueError, match="no graphs"):
        attach_graphs(make_distilbert(), make_glomo(graph="none"))
    model, glomo = make_distilbert(len(pieces)), make_glomo(words)
    both = {"tokenizer": pieces, "glomo_tokenizer": words}
    attach_graphs(model, glomo, **both)
    with pytest.raises(ValueError, match="directions"):
        attach_graphs(model, glomo, "distilbert.transformer.layer.0", directions="forward", **both)


def test_damaged_files_are_refused(tmp_path):
    model = make_distilbert()
    with pytest.raises(ValueError, match="no graphs"):
        save_attached(model, tmp_path)
    attach_graphs(model, make_glomo())
    save_attached(model, tmp_path)
    settings = tmp_path / "attached_graphs.json"
    whole = settings.read_text()
    settings.write_text("[]")
    with pytest.raises(OSError, match="attached_graphs"):
        load_attached(tmp_path)
    changed = json.loads(whole)
    changed["mixers"][0]["num_mixtures"] = 1
    settings.write_text(json.dumps(changed))
    with pytest.raises(ValueError, match="mixers"):
        load_attached(tmp_path)
    settings.write_text(whole)
    (tmp_path / "attached_mixers.safetensors").write_bytes(b"nothing")
    with pytest.raises(OSError, match="attached_mixers"):
        load_attached(tmp_path)
