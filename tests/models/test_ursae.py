"""URSAE: the language model in it, what its verbs promise, saving and refusing."""

from __future__ import annotations

import pytest
import torch
from huggingface_hub.errors import StrictDataclassClassValidationError
from safetensors.torch import load_file
from testing_mixins import TextFamilyTests
from torch.nn import functional as F
from transformers import AutoModelForSeq2SeqLM
from ursae_models import BOS, EOS, IDS, MASK, PAD, SIZES, UNK, is_compression, make_model, words_of

import hf_arae  # noqa: F401 (registers the Auto classes)
from hf_arae import RnnLmConfig, RnnLmForCausalLM
from hf_arae.models.ursae.configuration_ursae import UrsaeConfig
from hf_arae.models.ursae.modeling_ursae import UrsaeForConditionalGeneration, writer_config
from hf_arae.models.ursae.objective_ursae import UrsaeObjective, UrsaeObjectiveArguments
from hf_arae.models.ursae.policy import SummaryPolicy
from hf_arae.training.state import TRAINING_FILE


class TestUrsaeFamily(TextFamilyTests):
    def build_model(self):
        model = UrsaeForConditionalGeneration(UrsaeConfig(**SIZES))
        self.never_moved = frozenset(name for name, _ in model.named_parameters() if name.startswith("writer."))
        return model

    def build_objective(self, model):
        return UrsaeObjective(model, UrsaeObjectiveArguments(samples=2, eta_steps=5))


class TestSharedUrsaeBySgd(TestUrsaeFamily):
    """The published optimizer, whose momentum a resumed run needs; one table; every option that is off by default."""

    def build_model(self):
        model = UrsaeForConditionalGeneration(
            UrsaeConfig(**SIZES, share_embeddings=True, reader_kernel=3, copy_gate=True)
        )
        self.never_moved = frozenset(name for name, _ in model.named_parameters() if name.startswith("writer."))
        return model

    def build_objective(self, model):
        settings = {"optimizer": "sgd", "reader_learning_rate": 0.25, "reconstructor_learning_rate": 0.25}
        settings |= {"baseline": "mean", "samples": 3, "reward_normalization": "std", "force_lengths": True}
        settings |= {"block_ngrams": 2, "entropy_weight": 0.1, "length_penalty": 0.1, "shortest_summary": 2}
        return UrsaeObjective(model, UrsaeObjectiveArguments(**settings))

    def test_the_momentum_is_in_the_checkpoint(self, tmp_path):
        self.trainer(tmp_path).train()
        buffers = [name for name in load_file(tmp_path / "checkpoint-4" / TRAINING_FILE) if "momentum_buffer" in name]
        assert {name.split(".")[1] for name in buffers} == {"reader", "reconstructor"}


# The language model in it


@pytest.mark.parametrize(("share_embeddings", "copy_gate"), [(False, False), (True, False), (True, True)])
def test_without_a_read_vector_it_is_the_language_model_bit_for_bit(share_embeddings, copy_gate):
    model = make_model(share_embeddings=share_embeddings, copy_gate=copy_gate)
    judge = RnnLmForCausalLM(writer_config(model.config)).eval()
    model.load_writer(judge)
    written = torch.tensor([[BOS, 9, 14, EOS], [BOS, 21, EOS, PAD], [BOS, 7, 7, 7]])
    assert not torch.equal(model(IDS, decoder_input_ids=written).logits, judge(written).logits)
    torch.nn.init.zeros_(model.reader.value)
    if copy_gate:
        torch.nn.init.zeros_(model.reader.gate.bias)
    assert torch.equal(model(IDS, decoder_input_ids=written).logits, judge(written).logits)
    totals = torch.stack([-judge.token_loss(row[None])[0] for row in written])
    torch.testing.assert_close(model.language_model_score(written), totals)


@pytest.mark.parametrize("copy_gate", [False, True])
def test_attending_to_a_word_raises_its_logit_and_to_bos_none(copy_gate):
    model = make_model(spread=1.0, copy_gate=copy_gate)
    states = torch.zeros(1, 1, 8)
    for place, word in ((1, 9), (3, 7), (0, None)):
        reading = model.read_source(IDS[:1])
        reading.last_hidden_state = torch.zeros_like(reading.last_hidden_state)
        reading.mask = torch.arange(7).unsqueeze(0) == place
        logits, weights = model.summary_logits(states, reading)
        assert weights[0, 0, place] == 1
        change = logits[0, 0] - model.writer.projection(states)[0, 0]
        if word is None:
            assert not change.any()
        else:
            expected = model.writer.projection.weight[word].square().sum() + (1.0 if copy_gate else 0.0)
            torch.testing.assert_close(change[word], expected)


def test_the_writer_drops_nothing_while_the_rest_is_trained():
    model = make_model(dropout=0.5).train()
    assert model.reconstructor.training and not model.writer.training and not model.writer.lstm.training
    assert torch.equal(model(IDS, labels=IDS).logits, model(IDS, labels=IDS).logits)


# Shapes and invariances


def test_the_loss_is_the_cross_entropy_of_the_logits():
    model = make_model()
    output = model(IDS, labels=IDS[:, :5])
    assert output.logits.shape == (3, 4, 30) and output.read_weights.shape == (3, 4, 7)
    expected = F.cross_entropy(output.logits.flatten(0, 1), IDS[:, 1:5].flatten(), ignore_index=PAD)
    torch.testing.assert_close(output.loss, expected)
    torch.testing.assert_close(output.read_weights.sum(-1), torch.ones(3, 4))
    assert model(IDS, labels=IDS, return_dict=False)[0] == model(IDS, labels=IDS).loss


@pytest.mark.parametrize(("reader_kernel", "copy_gate"), [(1, False), (3, True)])
def test_padding_changes_nothing(reader_kernel, copy_gate):
    model = make_model(reader_kernel=reader_kernel, copy_gate=copy_gate)
    summary = torch.tensor([[BOS, 9, 8, EOS], [BOS, 6, EOS, PAD], [BOS, 13, 5, 12]])
    wide = F.pad(IDS, (0, 9))  # beyond max_source_length, too
    logits = model(IDS, decoder_input_ids=summary).logits
    torch.testing.assert_close(model(wide, wide != PAD, summary).logits, logits)
    torch.testing.assert_close(model(IDS[1:2, :4], decoder_input_ids=summary[1:2]).logits, logits[1:2])
    losses, counts = model.reconstruct_loss(summary, IDS)
    assert counts.tolist() == [6, 3, 5]
    torch.testing.assert_close(model.reconstruct_loss(F.pad(summary, (0, 2)), wide)[0], losses)
    torch.testing.assert_close(model.reconstruct_loss(summary[1:2, :3], IDS[1:2, :4])[0], losses[1:2])
    torch.testing.assert_close(model.language_model_score(F.pad(summary, (0, 3))), model.language_model_score(summary))
    assert torch.equal(model.summarize(wide), model.summarize(IDS))
    assert words_of(model.summarize(IDS[1:2, :4])) == words_of(model.summarize(IDS))[1:2]


def test_both_reconstruction_losses_and_their_gradients_agree():
    model = make_model(share_embeddings=True)
    summary = torch.tensor([[BOS, 9, 8, EOS], [BOS, 6, EOS, PAD], [BOS, 13, 5, 12]])
    losses, counts = model.reconstruct_loss(summary, IDS)
    total, count = model.total_reconstruct_loss(summary, IDS)
    torch.testing.assert_close(total, losses.sum())
    assert count == counts.sum()
    parameters = list(model.reconstructor.parameters())
    by_row, at_once = (torch.autograd.grad(value, parameters) for value in (losses.sum(), total))
    for one, other in zip(by_row, at_once, strict=True):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)


def test_the_reconstruction_of_a_word_does_not_see_it_or_what_follows():
    model = make_model()
    summary, other = torch.tensor([[BOS, 9, 8, EOS]]), IDS[:1].clone()
    other[0, 4:] = 25
    logits = []
    for source in (IDS[:1], other):
        states, weight, bias = model.reconstructor(summary, source)
        logits.append(F.linear(states, weight, bias))
    torch.testing.assert_close(logits[0][:, :4], logits[1][:, :4])
    assert not torch.allclose(logits[0][:, 4:], logits[1][:, 4:])


# Writing


@pytest.mark.parametrize("copy_gate", [False, True])
@pytest.mark.parametrize("arguments", [{}, {"num_beams": 3}, {"do_sample": True}], ids=["greedy", "beams", "sampling"])
def test_cached_writing_equals_uncached(arguments, copy_gate):
    model, written = make_model(seed=1, copy_gate=copy_gate), []
    for use_cache in (True, False):
        torch.manual_seed(3)
        written.append(model.summarize(IDS, use_cache=use_cache, **arguments))
    assert torch.equal(*written)
    words_of(written[0])


@pytest.mark.parametrize(
    "arguments",
    [{}, {"num_beams": 3}, {"do_sample": True}, {"num_beams": 2, "num_return_sequences": 2}],
    ids=["greedy", "beams", "sampling", "several"],
)
def test_a_target_length_is_kept_to_the_word(arguments):
    for seed in range(3):
        model, copies = make_model(seed), arguments.get("num_return_sequences", 1)
        for target in (1, 4, 6):
            written = model.summarize(IDS, target_length=target, **arguments)
            assert [len(words) for words in words_of(written)] == [target] * 3 * copies
        each = torch.tensor([5, 1, 3])
        written = words_of(model.summarize(IDS, target_length=each, **arguments))
        assert [len(words) for words in written] == each.repeat_interleave(copies).tolist()


@pytest.mark.parametrize("arguments", [{}, {"num_beams": 3}, {"do_sample": True}], ids=["greedy", "beams", "sampling"])
def test_words_can_be_held_to_the_source_s(arguments):
    model = make_model()
    for words, source in zip(
        words_of(model.summarize(IDS, target_length=5, source_words_only=True, **arguments)), IDS.tolist(), strict=True
    ):
        assert set(words) <= set(source)
    once = {"no_repeat_ngram_size": 1, "source_words_only": True}
    for words, source in zip(words_of(model.summarize(IDS, target_length=4, **once, **arguments)), IDS, strict=True):
        assert len(set(words)) == 4 and not set(words) & {PAD, BOS, UNK, MASK}
        own = set(source.tolist()) - {PAD, BOS, EOS}
        assert len(own & set(words)) == min(4, len(own)), "other words only once the source's are used up"


def test_a_summary_is_never_empty_and_ends_in_time():
    model = make_model()
    with torch.no_grad():
        model.writer.projection.bias[EOS] = 50.0
    assert [len(words) for words in words_of(model.summarize(IDS))] == [1, 1, 1]
    with torch.no_grad():
        model.writer.projection.bias[EOS] = -50.0
    assert [len(words) for words in words_of(model.summarize(IDS))] == [6, 6, 6]
    assert [len(words) for words in words_of(model.summarize(IDS, max_new_tokens=4))] == [3, 3, 3]


def test_the_policy_writes_as_summarize_does():
    model = make_model()
    with torch.no_grad():
        model.writer.projection.bias[EOS] = 1.0
    one, most = torch.ones(3), torch.full((3,), 6)
    for block in (0, 1, 2):
        policy = SummaryPolicy(model, IDS, None, 1.0, one, most, block)
        greedy = policy.write(torch.empty(3, 0, 6), greedy=True).ids[:, 0]
        assert words_of(greedy) == words_of(model.summarize(IDS, no_repeat_ngram_size=block))


@pytest.mark.parametrize("arguments", [{}, {"num_beams": 3}, {"do_sample": True}], ids=["greedy", "beams", "sampling"])
def test_words_can_be_held_to_the_source_s_order(arguments):
    model = make_model(seed=2)
    for target in (2, 4, 5):
        written = words_of(model.summarize(IDS, target_length=target, source_order=True, **arguments))
        for words, source in zip(written, IDS.tolist(), strict=True):
            assert len(words) == target
            if target <= source.index(EOS) - 1:
                assert is_compression(words, source)
            else:  # the source has too few: its words come again
                assert set(words) <= set(source)


def test_half_precision_trains(tmp_path):
    trainer = TestUrsaeFamily().trainer(tmp_path, bf16=True)
    for phase in trainer.phases:
        terms = trainer.run_phase(phase, TestUrsaeFamily().batch())
        assert all(torch.isfinite(value) for value in terms.values())


# Building, saving, refusing


@pytest.mark.parametrize("share_embeddings", [False, True])
def test_saved_and_loaded_is_the_same(tmp_path, share_embeddings):
    model = make_model(share_embeddings=share_embeddings)
    model.save_pretrained(tmp_path)
    loaded = AutoModelForSeq2SeqLM.from_pretrained(tmp_path)
    assert type(loaded) is UrsaeForConditionalGeneration and not loaded.training
    assert torch.equal(loaded.summarize(IDS, num_beams=2), model.summarize(IDS, num_beams=2))
    losses = [part.reconstruct_loss(IDS[:, :5], IDS)[0] for part in (loaded, model)]
    torch.testing.assert_close(*losses)


def test_a_model_is_built_around_a_pretrained_writer(tokenizer):
    config = RnnLmConfig(vocab_size=len(tokenizer), embedding_size=6, hidden_size=8, dropout=0.3)
    judge = RnnLmForCausalLM(config).eval()
    sizes = {name: getattr(config, name) for name in ("embedding_size", "hidden_size", "num_layers", "dropout")}
    sizes |= {"reader_size": 4, "conv_size": 6}
    model = UrsaeForConditionalGeneration(UrsaeConfig.from_tokenizer(tokenizer, **sizes)).eval()
    model.load_writer(judge)
    ids = tokenizer(["the food was great .", "awful !"], padding=True, return_tensors="pt")["input_ids"]
    torch.testing.assert_close(model.language_model_score(ids).sum(), -judge.token_loss(ids)[0])
    assert model.config.max_source_length == tokenizer.model_max_length - 2 and model.config.dropout == 0.3


def long_source() -> torch.Tensor:
    return torch.tensor([[BOS, *[5] * 13, EOS]])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m: m.summarize(IDS, target_length=0), r"must lie in 1\.\.6 .max_summary_length., got \[0\]"),
        (lambda m: m.summarize(IDS, target_length=torch.tensor([1, 7, 2])), r"1\.\.6"),
        (lambda m: m.summarize(IDS, target_length=torch.tensor([1, 2])), r"one a source, \(3,\)"),
        (lambda m: m.summarize(IDS, target_length=2.5), "whole number"),
        (lambda m: m.summarize(IDS, target_length=2, max_new_tokens=3), "not both"),
        (lambda m: m.summarize(IDS, max_new_tokens=1), "at least 2"),
        (
            lambda m: m.summarize(torch.tensor([[BOS, 5, EOS], [BOS, EOS, PAD]])),
            r"nothing to summarize in row.s. \[1\]",
        ),
        (lambda m: m.summarize(torch.zeros(1, 4, dtype=torch.long)), r"row.s. \[0\]"),
        (lambda m: m.summarize(IDS, torch.zeros_like(IDS)), r"row.s. \[0, 1, 2\]"),
        (lambda m: m.summarize(long_source()), "15 tokens; accepted: at most 14, that is max_source_length=12"),
        (lambda m: m(IDS), "decoder_input_ids or labels"),
        (lambda m: m.load_writer(RnnLmForCausalLM(RnnLmConfig(vocab_size=31))), "vocab_size is 31, not 30"),
        (lambda m: UrsaeConfig(hiden_size=3), "Did you mean hidden_size"),
        (lambda m: UrsaeConfig(conv_size=0), "conv_size"),
        (lambda m: UrsaeConfig(reader_kernel=2), "reader_kernel must be odd"),
        (lambda m: UrsaeConfig(reconstructor_dropout=1.0), r"reconstructor_dropout must lie in \[0, 1\)"),
        (lambda m: UrsaeConfig(eos_token_id=None), "eos_token_id is needed"),
        (lambda m: UrsaeObjectiveArguments(baseline="none"), "greedy, mean"),
        (lambda m: UrsaeObjectiveArguments(baseline="mean", samples=1), "samples of at least 2"),
        (lambda m: UrsaeObjectiveArguments(eta_start=0.0), r"eta_start must lie in \(0, 1\]"),
        (lambda m: UrsaeObjectiveArguments(momentum=1.0), r"momentum must lie in \[0, 1\)"),
        (lambda m: UrsaeObjectiveArguments(reader_start=-1), "reader_start"),
        (lambda m: UrsaeObjectiveArguments(source_order=True), "source_order needs source_words_only"),
        (lambda m: UrsaeObjectiveArguments(source_discount=1.1), r"source_discount must lie in \(0, 1\]"),
        (lambda m: UrsaeObjectiveArguments(temperature=0.0), "temperature"),
        (lambda m: UrsaeObjectiveArguments(samples=0), "samples"),
        (lambda m: UrsaeObjectiveArguments(length_penalty=1.0, entropy_weight=-1.0), "entropy_weight"),
        (lambda m: UrsaeObjective(m, UrsaeObjectiveArguments(longest_summary=7)), "max_summary_length is 6"),
        (lambda m: UrsaeObjective(m, UrsaeObjectiveArguments(shortest_summary=7)), "end after 6 words"),
    ],
)
def test_wrong_input_is_refused_with_what_is_accepted(call, message):
    with pytest.raises((ValueError, StrictDataclassClassValidationError), match=message):
        call(make_model())
