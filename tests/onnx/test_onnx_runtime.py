"""Exported models in use: verbs, latent spaces, and what is refused."""

import json
import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import huggingface_hub
import numpy as np
import pytest
import torch
from family_tests import family_tests, narrow_model, text_autoencoders
from transformers import AutoTokenizer

from hf_arae import LatentSpace
from hf_arae.models.arae.configuration_arae import AraeConfig
from hf_arae.models.arae.modeling_arae import AraeModel
from hf_arae.onnx import OnnxLatentModel, OnnxStyleTransfer, OnnxTextAutoencoder, export_onnx
from hf_arae.onnx.text_codec import TextCodec

pytestmark = pytest.mark.skipif(find_spec("onnxruntime") is None, reason="the extra onnx is not installed")

CARDS = Path(__file__).parents[2] / "model_cards"
TEXTS = ["The food was awful!", "Great food.", "I'm coming back, friendly staff.", "Awful service.", "great"]


@pytest.fixture(scope="module")
def rewrite(model):
    return OnnxStyleTransfer(model)


# Verbs


@torch.no_grad()
def test_texts_are_read_and_written_as_by_torch(model, transfer_model, tokenizer):
    batch = tokenizer(TEXTS, return_tensors="pt", padding=True)
    codes = model.encode(TEXTS)
    torch.testing.assert_close(torch.from_numpy(codes), transfer_model.encode(**batch), atol=1e-6, rtol=1e-5)
    assert model.predict_attribute(TEXTS).tolist() == transfer_model.predict_attribute(batch["input_ids"]).tolist()
    for target in (0, 1):
        written = tokenizer.batch_decode(transfer_model.transfer(**batch, target=target), skip_special_tokens=True)
        name = model.labels.names[target]
        assert model.transfer(TEXTS, target) == model.transfer(TEXTS, name) == written
        assert model.decode(codes, target) == model.reconstruct(iter(TEXTS), target) == written
    mixed = transfer_model.decode(torch.from_numpy(codes), torch.tensor([0, 1, 0, 1, 1]))
    assert np.array_equal(model.decode_ids(codes, [0, 1, 0, 1, 1]), mixed.numpy())


def test_one_text_is_a_row_and_none_is_none(model):
    assert model.encode("great food").shape == (1, 8)
    assert len(model.transfer("great food", "negative")) == 1
    assert model.encode([]).shape == (0, 8) and model.transfer([], 0) == []
    assert model.decode(np.empty((0, 8)), 0) == [] and model.decode_ids(np.empty((0, 8)), 0).shape == (0, 1)
    assert model.generate_codes(np.empty((0, 4))).shape == (0, 8)


def test_draws_depend_on_their_seed_alone(folder, model):
    codes = model.sample_codes(9, seed=3)
    drawn = model.decode_ids(codes, 1, seed=5, do_sample=True)
    for batch_size in (1, 4, 64):
        other = OnnxTextAutoencoder(folder, batch_size=batch_size, num_threads=1)
        assert np.array_equal(other.decode_ids(codes, 1, seed=5, do_sample=True), drawn)
    assert not np.array_equal(model.decode_ids(codes, 1, seed=6, do_sample=True), drawn)
    assert model.sample(4, 0, seed=1) == model.decode(model.sample_codes(4, seed=1), 0)
    assert model.sample(4, 0, seed=1, do_sample=True) == model.sample(4, 0, seed=1, do_sample=True)
    source = np.random.default_rng(0)
    assert model.sample(4, 0, seed=source) != model.sample(4, 0, seed=source)


@torch.no_grad()
def test_draws_have_the_model_s_distribution(model, transfer_model):
    code, rows, temperature = torch.randn(1, 8, generator=torch.Generator().manual_seed(2)), 8000, 1.5
    begin = torch.tensor([[transfer_model.config.bos_token_id]])
    states, _ = transfer_model.decoder_states(code, begin, torch.tensor([1]))
    logits = transfer_model.project(states)[0, 0]
    logits[transfer_model.generation_config.suppress_tokens] = -torch.inf
    wanted = (logits / temperature).softmax(0).numpy()
    codes = code.numpy().repeat(rows, 0)
    drawn = model.decode_ids(codes, 1, do_sample=True, temperature=temperature, max_new_tokens=1)[:, 1]
    shares = np.bincount(drawn, minlength=len(wanted)) / rows
    assert np.abs(shares - wanted).max() < 5 * (0.25 / rows) ** 0.5
    assert shares[wanted == 0].sum() == 0 and (shares > 0).sum() > 5
    greedy = model.decode_ids(codes[:3], 1)
    assert np.array_equal(model.decode_ids(codes[:3], 1, do_sample=True, temperature=1e-4), greedy)


def test_the_generation_config_holds_and_can_be_overridden(model, spoiled):
    codes = model.sample_codes(20)
    assert model.decode_ids(codes, 0).shape[1] <= 12  # ten words, the begin and the end
    assert model.decode_ids(codes, 0, max_new_tokens=3).shape[1] <= 4
    favourite = int(np.bincount(model.decode_ids(codes, 0)[:, 1]).argmax())
    assert favourite not in model.decode_ids(codes, 0, suppress_tokens=[0, 1, 3, 4, favourite])
    settings = json.loads((spoiled / "generation_config.json").read_text())
    settings |= {"max_new_tokens": 2, "do_sample": True, "temperature": 3.0}
    (spoiled / "generation_config.json").write_text(json.dumps(settings))
    other = OnnxTextAutoencoder(spoiled)
    assert other.decode(codes, 0, 7) == model.decode(codes, 0, 7, max_new_tokens=2, do_sample=True, temperature=3.0)


def test_the_tokenizer_reads_as_transformers_does(tmp_path):
    for name in ("arae-yelp", "arae-flickr30k"):
        tokenizer, codec = AutoTokenizer.from_pretrained(CARDS / name), TextCodec(CARDS / name)
        texts = [
            "I didn't eat there...",
            "a literal <eos> and <pad>!",
            "  Caf\u00e9 \u201cX\u201d costs $5 ",
            "xyzzy",
            "a " * 90,
        ]
        assert codec.ids(texts) == tokenizer(texts, verbose=False)["input_ids"]
        cut = tokenizer(texts, truncation=True)["input_ids"]
        assert codec.ids(texts, truncation=True) == cut
        assert codec.ids(texts) == tokenizer(texts, verbose=False)["input_ids"]
        assert codec.limit == tokenizer.model_max_length - 2
        padded = tokenizer(texts, padding=True, truncation=True, return_tensors="np")["input_ids"]
        assert codec.texts(padded) == tokenizer.batch_decode(padded, skip_special_tokens=True)


# Latent space


@pytest.mark.parametrize("family", ["transfer", *(name for name in text_autoencoders() if family_tests(name).samples)])
def test_a_latent_space_is_the_model_s(tokenizer, transfer_model, tmp_path, family):
    model = transfer_model if family == "transfer" else narrow_model(family, len(tokenizer))
    export_onnx(model, tmp_path, tokenizer)
    attribute = 1 if family == "transfer" else None
    space = LatentSpace(model, tokenizer, attribute)
    other = LatentSpace(OnnxLatentModel(OnnxTextAutoencoder(tmp_path)), tokenizer, attribute)
    assert other.native_space == space.native_space
    assert other.sample(5, seed=2) == space.sample(5, seed=2)
    assert other.interpolate(TEXTS[0], TEXTS[1], 4) == space.interpolate(TEXTS[0], TEXTS[1], 4)
    torch.testing.assert_close(other.encode(TEXTS), space.encode(TEXTS), atol=1e-6, rtol=1e-5)
    state = torch.get_rng_state()
    assert other.sample(5, seed=2, do_sample=True) == other.sample(5, seed=2, do_sample=True)
    assert torch.equal(torch.get_rng_state(), state)
    with pytest.raises(TypeError, match="num_beams"):
        other.sample(2, num_beams=2)


# What is refused


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda m: m.encode(["great", ""]), ValueError, "text 1 is empty"),
        (lambda m: m.encode("great " * 11), ValueError, "the text has 11 words, more than the limit of 10"),
        (lambda m: m.encode([1]), TypeError, "text 0 must be a string"),
        (
            lambda m: m.encode_ids(np.zeros((2, 3))),
            ValueError,
            r"input_ids must be integers of shape \(rows, sequence",
        ),
        (lambda m: m.encode_ids(np.array([1, 2])), ValueError, r"got int64 \(2,\)"),
        (lambda m: m.encode_ids(np.array([[1, 2], [0, 0]])), ValueError, "row 1 of input_ids holds no token"),
        (lambda m: m.encode_ids(np.array([[1, 999]])), ValueError, r"tokens in 0..\d+, got 1..999"),
        (lambda m: m.encode_ids([[1, 2], [1, -1]]), ValueError, "row 1 of input_ids must hold tokens in"),
        (lambda m: m.encode_ids([[1, 2], []]), ValueError, "row 1 of input_ids must be integers"),
        (
            lambda m: m.encode_ids(np.array([[1, 2]]), np.ones((1, 3))),
            ValueError,
            r"attention_mask must have the shape of input_ids, \(1, 2\)",
        ),
        (lambda m: m.decode(np.zeros((2, 7)), 0), ValueError, r"codes must have the shape \(rows, 8\), got \(2, 7\)"),
        (lambda m: m.decode(np.zeros((2, 8), int), 0), ValueError, "floating-point numbers, got int64"),
        (
            lambda m: m.decode(np.full((2, 8), np.nan), 0),
            ValueError,
            "codes holds a value that is not finite, in row 0",
        ),
        (lambda m: m.decode(np.zeros((2, 8))), ValueError, "attribute is needed: this model has 2 decoders"),
        (lambda m: m.decode(np.zeros((2, 8)), "good"), ValueError, "attribute must be one of 'negative'"),
        (lambda m: m.decode(np.zeros((2, 8)), [0, 2]), ValueError, r"attribute values must lie in 0..1, got \[0, 2\]"),
        (lambda m: m.decode(np.zeros((2, 8)), [0, 1, 1]), ValueError, "attribute must be a label or 2 ids"),
        (
            lambda m: m.decode(np.zeros((2, 8)), 0, num_beams=2),
            TypeError,
            "not written with num_beams in ONNX. Accepted",
        ),
        (lambda m: m.decode(np.zeros((2, 8)), 0, temperature=-1.0), ValueError, "temperature must lie in"),
        (lambda m: m.generate_codes(np.zeros((2, 8))), ValueError, r"z must have the shape \(rows, 4\)"),
        (lambda m: m.sample(0, 0), ValueError, "num_samples must be at least 1, got 0"),
        (lambda m: m.logits(np.zeros((2, 8)), np.ones((1, 3), int), 0), ValueError, "1 rows for 2 codes"),
    ],
)
def test_a_wrong_input_is_named(model, call, error, message):
    with pytest.raises(error, match=message):
        call(model)


def test_a_folder_that_is_no_export(folder, transfer_folder, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"lacks encoder.onnx, decoder_step_0.onnx.*python -m hf_arae.onnx"):
        OnnxTextAutoencoder.from_pretrained(transfer_folder)
    with pytest.raises(FileNotFoundError, match=r"lacks config.json"):
        OnnxTextAutoencoder.from_pretrained(tmp_path)
    with pytest.raises(FileNotFoundError, match="neither a folder nor the id of a repository"):
        OnnxTextAutoencoder.from_pretrained(tmp_path / "not" / "there")
    for text, message in (("{", "config.json cannot be read"), ("[]", "config.json holds a list")):
        (tmp_path / "config.json").write_text(text)
        with pytest.raises(ValueError, match=message):
            OnnxTextAutoencoder(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "t5"}')
    with pytest.raises(ValueError, match=r"'t5'.*vocab_size"):
        OnnxTextAutoencoder(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "vae", "code_size": 3}')
    with pytest.raises(ValueError, match="lacks vocab_size"):
        OnnxTextAutoencoder(tmp_path)


def test_files_that_do_not_belong_together(spoiled, tokenizer, tmp_path):
    other = AraeModel(AraeConfig(vocab_size=len(tokenizer), embedding_size=4, hidden_size=4, code_size=5))
    export_onnx(other, tmp_path / "other")
    for name, foreign in (("encoder.onnx", "encoder.onnx"), ("decoder_step_1.onnx", "decoder_step.onnx")):
        own = (spoiled / name).read_bytes()
        shutil.copy(tmp_path / "other" / foreign, spoiled / name)
        with pytest.raises(ValueError, match=rf"{name} does not belong to its config.json"):
            OnnxTextAutoencoder(spoiled)
        (spoiled / name).write_bytes(own[: len(own) // 2])
        with pytest.raises(ValueError, match=rf"onnxruntime .* cannot open .*{name}"):
            OnnxTextAutoencoder(spoiled)
        (spoiled / name).write_bytes(own)
    settings = json.loads((spoiled / "generation_config.json").read_text())
    (spoiled / "generation_config.json").write_text(json.dumps(settings | {"num_beams": 5, "top_p": 0.9}))
    with pytest.raises(ValueError, match=r"asks for num_beams=5, top_p=0.9"):
        OnnxTextAutoencoder(spoiled)


def test_wrong_settings_of_the_runtime(folder):
    with pytest.raises(ValueError, match=r"providers must be some of .*CPUExecutionProvider; got \['Nothing'\]"):
        OnnxTextAutoencoder(folder, providers=["Nothing"])
    with pytest.raises(ValueError, match="num_threads must be at least 1, got 0"):
        OnnxTextAutoencoder(folder, num_threads=0)
    with pytest.raises(ValueError, match="batch_size must be at least 1, got 0"):
        OnnxTextAutoencoder(folder, batch_size=0)


def test_a_folder_without_a_tokenizer_works_on_ids(model, spoiled):
    (spoiled / "tokenizer.json").unlink()
    bare = OnnxTextAutoencoder(spoiled)
    ids = model.to_ids(TEXTS)
    assert np.array_equal(bare.encode_ids(ids), model.encode(TEXTS))
    for call in (lambda: bare.encode("great"), lambda: bare.sample(1, 0), lambda: OnnxStyleTransfer(bare)):
        with pytest.raises(ValueError, match="holds no tokenizer"):
            call()


# Elsewhere


def test_a_repository_is_fetched(folder, tmp_path, monkeypatch, model):
    shutil.copytree(folder, tmp_path / "onnx")
    asked = {}
    monkeypatch.setattr(
        huggingface_hub, "snapshot_download", lambda name, **how: asked.update(how, name=name) or tmp_path
    )
    fetched = OnnxTextAutoencoder.from_pretrained("somebody/model", revision="v1", subfolder="onnx", num_threads=1)
    assert fetched.transfer(TEXTS, 1) == model.transfer(TEXTS, 1)
    assert asked == {"name": "somebody/model", "revision": "v1", "allow_patterns": ["onnx/*.onnx", "onnx/*.json"]}


WITHOUT = """
import json, sys
for name in ("torch", "transformers", "onnx", "datasets"):
    sys.modules[name] = None  # as where it is not installed
from hf_arae.onnx import OnnxStyleTransfer, OnnxTextAutoencoder
folder, *texts = sys.argv[1:]
model = OnnxTextAutoencoder.from_pretrained(folder, num_threads=1)
print(json.dumps([OnnxStyleTransfer(model)(texts), model.sample(3, 0, seed=1)]))
"""


def test_neither_torch_nor_transformers_is_needed(folder, model, rewrite):
    found = subprocess.run(
        [sys.executable, "-c", WITHOUT, str(folder), *TEXTS],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(CARDS.parent)},
    )
    assert found.returncode == 0, found.stderr
    assert json.loads(found.stdout) == [rewrite(TEXTS), model.sample(3, 0, seed=1)]
