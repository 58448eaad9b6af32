"""Exported models where things go wrong: shared by threads, copied, damaged, or asked for what they cannot do."""

import copy
import json
import math
import pickle
import shutil
from importlib.util import find_spec
from itertools import product
from pathlib import Path
from threading import Thread, current_thread, main_thread

import numpy as np
import pytest
import torch

from hf_arae import LatentSpace
from hf_arae.models.arae.configuration_arae import AraeConfig
from hf_arae.models.arae.modeling_arae import AraeModel
from hf_arae.onnx import OnnxLatentModel, OnnxStyleTransfer, OnnxTextAutoencoder, export_onnx
from hf_arae.onnx.text_codec import TextCodec

pytestmark = pytest.mark.skipif(find_spec("onnxruntime") is None, reason="the extra onnx is not installed")

TEXTS = ["the food was great .", "awful food .", "great !"]
SIZES = {"embedding_size": 6, "hidden_size": 6, "code_size": 5, "latent_size": 4}
SIZES |= {"generator_sizes": [4], "critic_sizes": [4], "max_sequence_length": 10}


def set_values(path: Path, **values) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


# Seeds


def test_codes_with_noise_are_those_of_the_model_for_a_seed(tokenizer, tmp_path):
    torch.manual_seed(0)
    model = AraeModel(AraeConfig(vocab_size=len(tokenizer), **SIZES, draw_noise=0.4)).eval()
    export_onnx(model, tmp_path, tokenizer)
    space = LatentSpace(model, tokenizer)
    other = LatentSpace(OnnxLatentModel(OnnxTextAutoencoder(tmp_path)), tokenizer)
    for seed in (0, 7):
        torch.testing.assert_close(other.draw(20, seed=seed), space.draw(20, seed=seed), atol=1e-5, rtol=1e-4)
    z = space.draw(20, "z", 0)
    assert (other.draw(20, seed=0) - other.to_codes(z)).std() > 0.2  # the noise is there


# Threads and processes


class _Overtaken:
    """A tokenizer during whose work in the main thread another one encodes, as it may in a service."""

    def __init__(self, codec: TextCodec, texts: list[str]):
        self.tokenizer, self.codec, self.texts, self.found = codec.tokenizer, codec, texts, []

    def __getattr__(self, name):
        return getattr(self.tokenizer, name)

    def encode_batch(self, *arguments, **options):
        if current_thread() is main_thread():
            other = Thread(target=lambda: self.found.append(self.codec.ids(self.texts)))
            other.start()
            other.join()
        return self.tokenizer.encode_batch(*arguments, **options)


def test_cutting_in_one_thread_does_not_cut_in_another(folder):
    codec, long = TextCodec(folder), ["great " * 50, "awful"]
    whole, cut = codec.ids(long), codec.ids(long, truncation=True)
    assert [len(row) for row in cut] == [12, 3] and cut[0] == [*whole[0][:11], whole[0][-1]]
    codec.tokenizer = overtaken = _Overtaken(codec, long)
    assert codec.ids(long, truncation=True) == cut
    assert overtaken.found == [whole]


def test_copies_open_the_files_again(folder, model, monkeypatch, tmp_path):
    monkeypatch.chdir(folder.parent)
    relative = OnnxTextAutoencoder(folder.name, num_threads=1, batch_size=2)
    rewrite = OnnxStyleTransfer(relative, target="positive")
    latent = OnnxLatentModel(relative)
    monkeypatch.chdir(tmp_path)  # as a worker process may be elsewhere
    for made in (copy.deepcopy, copy.copy, lambda one: pickle.loads(pickle.dumps(one))):
        other = made(relative)
        assert type(other) is OnnxTextAutoencoder and other.batch_size == 2
        assert other.transfer(TEXTS, 1) == model.transfer(TEXTS, 1)
        assert made(rewrite)(TEXTS) == OnnxStyleTransfer(model)(TEXTS, target="positive")
        z = torch.zeros(2, 4)
        assert torch.equal(made(latent).generate_codes(z), latent.generate_codes(z))


# Arguments


def test_an_unknown_argument_gets_a_hint_that_is_accepted(model):
    rewrite = OnnxStyleTransfer(model)
    for wrong, hint in (
        ("batch_size", "OnnxTextAutoencoder(folder, batch_size=3)"),
        ("batchsize", "Accepted: target, source"),
        ("num_beams", "Accepted: target, source"),
        ("traget", "did you mean target?"),
    ):
        with pytest.raises(TypeError) as refused:
            rewrite(TEXTS, **{wrong: 3})
        assert hint in str(refused.value) and "num_workers" not in str(refused.value)
        with pytest.raises(TypeError):
            OnnxStyleTransfer(model, **{wrong: 3})


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("temperature", (math.nan, math.inf, 0, -1.0, "hot")),
        ("max_new_tokens", (0, -3, 2.5, math.nan, 10**9)),
        ("min_new_tokens", (-1, 0.5)),
        ("suppress_tokens", ([10**6], [-1], ["the"])),
        ("do_sample", ("yes",)),
    ],
)
def test_settings_out_of_range_are_named(model, name, values):
    codes = np.zeros((2, 8), np.float32)
    for value in values:
        for sampled in {"do_sample": True}, {}:
            with pytest.raises(ValueError, match=name):
                model.decode(codes, 0, **(sampled | {name: value}))


def test_suppressing_every_token_is_refused(model):
    with pytest.raises(ValueError, match="suppress_tokens"):
        model.decode(np.zeros((1, 8)), 0, suppress_tokens=range(model.config.vocab_size))


# Damage


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("num_attributes", 10**9),
        ("num_attributes", "2"),
        ("num_attributes", 0),
        ("vocab_size", 10**9),
        ("code_size", 10**9),
        ("latent_size", -1),
        ("latent_size", 10**6),
        ("draw_noise", math.nan),
        ("bos_token_id", 10**6),
        ("pad_token_id", None),
        ("id2label", {"0": "negative"}),
        ("id2label", {"0": "negative", "one": "positive"}),
        ("id2label", ["negative", "positive"]),
    ],
)
def test_a_damaged_config_is_named_at_once(spoiled, name, value):
    set_values(spoiled / "config.json", **{name: value})
    with pytest.raises(ValueError, match=r"config.json"):
        OnnxTextAutoencoder(spoiled)


def test_a_config_of_more_decoders_than_there_are_is_told_in_a_line(spoiled):
    set_values(spoiled / "config.json", num_attributes=900, id2label={str(one): f"l{one}" for one in range(900)})
    with pytest.raises(FileNotFoundError, match=r"decoder_step_2.onnx.* more") as refused:
        OnnxTextAutoencoder(spoiled)
    assert len(str(refused.value)) < 600


@pytest.mark.parametrize("name", ["tokenizer.json", "tokenizer_config.json", "generation_config.json", "config.json"])
def test_damaged_json_files_are_named(spoiled, name):
    file = spoiled / name
    whole = file.read_bytes()
    for damage in (b"", whole[: len(whole) // 2], b"[]", b"{}", b"\xff\xfe", b"[" * 100_000):
        if (name, damage) == ("tokenizer_config.json", b"{}"):
            continue  # a tokenizer without a limit
        file.write_bytes(damage)
        with pytest.raises(ValueError, match=name):
            OnnxTextAutoencoder(spoiled)


def test_files_beside_the_graphs_belong_to_them(spoiled, folder, tokenizer):
    for name, value in (("eos_token_id", 3), ("bos_token_id", 0), ("suppress_tokens", [999_999]), ("temperature", -1)):
        shutil.copy(folder / "generation_config.json", spoiled)
        set_values(spoiled / "generation_config.json", **{name: value})
        with pytest.raises(ValueError, match=rf"generation_config.json.*{name}"):
            OnnxTextAutoencoder(spoiled)
    shutil.copy(folder / "generation_config.json", spoiled)
    set_values(spoiled / "tokenizer_config.json", model_max_length="long")
    with pytest.raises(ValueError, match=r"tokenizer_config.json.*model_max_length"):
        OnnxTextAutoencoder(spoiled)
    shutil.copy(folder / "tokenizer_config.json", spoiled)
    content = json.loads((spoiled / "tokenizer.json").read_text())
    content["model"]["vocab"]["another"] = len(content["model"]["vocab"])
    (spoiled / "tokenizer.json").write_text(json.dumps(content))
    with pytest.raises(ValueError, match=r"tokenizer.json has .* words and the model"):
        OnnxTextAutoencoder(spoiled)


def test_weights_that_are_not_finite_are_noticed(tokenizer, tmp_path):
    torch.manual_seed(0)
    whole = AraeModel(AraeConfig(vocab_size=len(tokenizer), **SIZES)).eval()
    parts = {"encoder.onnx": "encoder", "decoder_step.onnx": "projection", "generator.onnx": "generator"}
    for (file, part), wrong in product(parts.items(), (math.nan, math.inf)):
        model = copy.deepcopy(whole)
        with torch.no_grad():
            next(parameter for parameter in getattr(model, part).parameters() if parameter.dim() > 1)[-1, 0] = wrong
        export_onnx(model, tmp_path, tokenizer)
        with pytest.raises(ValueError, match=rf"{file} are not all finite"):
            OnnxTextAutoencoder(tmp_path)


def test_numbers_that_overflow_are_noticed(tokenizer, tmp_path):
    torch.manual_seed(0)
    model = AraeModel(AraeConfig(vocab_size=len(tokenizer), **SIZES)).eval()
    with torch.no_grad():
        model.projection.bias.fill_(torch.finfo(torch.float32).max)
        model.projection.weight.fill_(torch.finfo(torch.float32).max)
    export_onnx(model, tmp_path, tokenizer)
    exported = OnnxTextAutoencoder(tmp_path)
    for writing in {}, {"do_sample": True}:
        with pytest.raises(ValueError, match=r"decoder_step.onnx.*not finite"):
            exported.decode(np.ones((2, 5), np.float32), **writing)
