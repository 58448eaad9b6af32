import math
import random

import pytest
import torch
from accelerate.state import AcceleratorState
from huggingface_hub.errors import StrictDataclassClassValidationError
from transformers import AutoTokenizer

from hf_arae import RnnLmForCausalLM
from hf_arae.data.text.tokenization import train_tokenizer
from hf_arae.evaluation.language_model import reverse_perplexity, train_language_model
from hf_arae.metrics import Perplexity

# A made-up language: the next word hangs on the last one, and "" ends the sentence.
GRAMMAR = {
    "": {"the": 0.6, "a": 0.4},
    "the": {"cat": 0.5, "dog": 0.3, "big": 0.2},
    "a": {"cat": 0.2, "bird": 0.8},
    "big": {"dog": 0.7, "bird": 0.3},
    "cat": {"sleeps": 0.6, "runs": 0.4},
    "dog": {"runs": 0.9, "sleeps": 0.1},
    "bird": {"sings": 0.75, "": 0.25},
    "sleeps": {"": 1.0},
    "runs": {"": 0.5, "fast": 0.5},
    "sings": {"": 1.0},
    "fast": {"": 1.0},
}
SMALL = {
    "embedding_size": 16,
    "hidden_size": 32,
    "dropout": 0.0,
    "share_embeddings": False,
    "learning_rate": 0.01,
    "epochs": 15,
    "batch_size": 32,
}


def language(prefix=(), probability=1.0):
    """Every sentence of the language, and its probability."""
    for word, share in GRAMMAR[prefix[-1] if prefix else ""].items():
        if word:
            yield from language((*prefix, word), probability * share)
        else:
            yield " ".join(prefix), probability * share


def exact_perplexity():
    """exp of the language's entropy a token, end of sentence included."""
    entropy = sum(-probability * math.log(probability) for _, probability in language())
    tokens = sum(probability * (len(sentence.split()) + 1) for sentence, probability in language())
    return math.exp(entropy / tokens)


def write(count, seed):
    sentences, probabilities = zip(*language(), strict=True)
    return random.Random(seed).choices(sentences, probabilities, k=count)


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer(sentence for sentence, _ in language())


@pytest.fixture(scope="module")
def trained(tokenizer):
    return train_language_model(write(2000, seed=0), tokenizer, **SMALL)


def perplexity(model, tokenizer, texts):
    return Perplexity(model, tokenizer).compute(predictions=texts)["perplexity"]


def test_the_language_is_a_distribution():
    assert sum(probability for _, probability in language()) == pytest.approx(1)


def test_training_reaches_the_entropy_of_the_language(tokenizer, trained):
    held_out, exact = write(4000, seed=1), exact_perplexity()
    untrained = RnnLmForCausalLM(trained.config).eval()
    assert perplexity(untrained, tokenizer, held_out) > 5 * exact
    # The held-out sample's own entropy is off by about 1 %.
    assert 0.97 * exact < perplexity(trained, tokenizer, held_out) < 1.05 * exact


def test_a_trained_model_writes_the_language(tokenizer, trained):
    written = tokenizer.batch_decode(trained.sample(500, seed=0), skip_special_tokens=True)
    known = {sentence for sentence, _ in language()}
    assert sum(sentence in known for sentence in written) > 475
    assert len(set(written)) > len(known) / 2


def test_model_is_ready_for_scoring_and_random_state_is_untouched(tokenizer):
    before = torch.get_rng_state()
    texts = write(100, seed=2)
    settings = {**SMALL, "epochs": 1, "dropout": 0.2}
    first, second = (train_language_model(texts, tokenizer, **settings) for _ in range(2))
    other = train_language_model(texts, tokenizer, seed=1, **settings)
    assert torch.equal(torch.get_rng_state(), before)
    assert isinstance(first, RnnLmForCausalLM) and not first.training
    weights = [model.embeddings.weight for model in (first, second, other)]
    assert torch.equal(weights[0], weights[1]) and not torch.equal(weights[0], weights[2])


@pytest.mark.parametrize("bf16", [False, True])
def test_training_inside_an_evaluation_is_the_same(tokenizer, bf16):
    # An evaluator runs without gradients and, in a bf16 run, under autocast.
    AcceleratorState._reset_state()  # one process trains in one precision otherwise
    texts, settings = write(200, seed=7), {**SMALL, "epochs": 3, "share_embeddings": True, "bf16": bf16}
    plain = train_language_model(texts, tokenizer, **settings)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        inside = train_language_model(texts, tokenizer, **settings)
    AcceleratorState._reset_state()
    for one, other in zip(plain.parameters(), inside.parameters(), strict=True):
        assert torch.equal(one, other)


def test_quiet_by_default_and_a_bar_on_demand(tokenizer, capfd):
    train_language_model(write(10, seed=3), tokenizer, **{**SMALL, "epochs": 1})
    assert capfd.readouterr() == ("", "")
    train_language_model(write(10, seed=3), tokenizer, progress_bar=True, **{**SMALL, "epochs": 1})
    assert "Training" in capfd.readouterr().err


def test_nothing_is_left_behind_unless_asked_for(tokenizer, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    model = train_language_model(write(10, seed=4), tokenizer, **{**SMALL, "epochs": 1})
    assert not list(tmp_path.iterdir())
    kept = tmp_path / "judge"
    model = train_language_model(write(10, seed=4), tokenizer, output_dir=kept, **{**SMALL, "epochs": 1})
    loaded = RnnLmForCausalLM.from_pretrained(kept)
    ids = AutoTokenizer.from_pretrained(kept)(["the cat runs"], return_tensors="pt")
    torch.testing.assert_close(loaded(**ids).logits, model(**ids).logits)


def test_fewer_texts_than_a_batch(tokenizer):
    model = train_language_model(["the cat"], tokenizer, **{**SMALL, "epochs": 60})
    assert perplexity(model, tokenizer, ["the cat"]) < 1.5


def test_reverse_perplexity_tells_a_collapsed_sampler(tokenizer):
    real = write(500, seed=5)
    good = reverse_perplexity(write(1000, seed=6), real, tokenizer, **SMALL)
    collapsed = reverse_perplexity(["the cat sleeps"] * 1000, real, tokenizer, **SMALL)
    assert good < 1.15 * exact_perplexity()
    assert collapsed > 5 * good


def test_wrong_arguments_are_refused(tokenizer):
    with pytest.raises(ValueError, match="texts are empty"):
        train_language_model([], tokenizer)
    with pytest.raises(TypeError, match="texts must be a list"):
        train_language_model("the cat", tokenizer)
    with pytest.raises(TypeError, match="texts must hold str, got int at position 1"):
        train_language_model(["the cat", 3], tokenizer)
    with pytest.raises(ValueError, match="num_train_epochs"):
        train_language_model(["the cat"], tokenizer, epochs=0)
    with pytest.raises(StrictDataclassClassValidationError, match="dropout must lie"):
        train_language_model(["the cat"], tokenizer, dropout=1.0)
    with pytest.raises(ValueError, match="samples are empty"):
        reverse_perplexity([], ["the cat"], tokenizer)
    with pytest.raises(ValueError, match="real_texts are empty"):
        reverse_perplexity(["the cat"], [], tokenizer)
    with pytest.raises(TypeError, match="real_texts must hold str"):
        reverse_perplexity(["the cat"], [None], tokenizer)
