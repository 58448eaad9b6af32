"""Exported graphs compute what their models compute, at any number of rows and tokens."""

import json
import shutil
import sys
from importlib.util import find_spec
from itertools import product

import numpy as np
import pytest
import torch

from hf_arae import AaeConfig, AaeModel, RnnLmConfig, RnnLmForCausalLM, VaeConfig, VaeModel
from hf_arae.data.text.tokenization import train_tokenizer
from hf_arae.hub.export import write_code
from hf_arae.models.arae.configuration_arae import AraeConfig
from hf_arae.models.arae.modeling_arae import AraeModel
from hf_arae.models.arae.modeling_pairs import AraeForSequenceClassification
from hf_arae.models.ursae.configuration_ursae import UrsaeConfig
from hf_arae.models.ursae.modeling_ursae import UrsaeForConditionalGeneration
from hf_arae.onnx import OnnxTextAutoencoder, export_onnx
from hf_arae.onnx.__main__ import main
from hf_arae.onnx.check import check_export

pytestmark = pytest.mark.skipif(find_spec("onnxruntime") is None, reason="the extra onnx is not installed")

LONGEST = 12
SIZES = {
    "vocab_size": 30,
    "embedding_size": 8,
    "hidden_size": 12,
    "code_size": 6,
    "max_sequence_length": LONGEST,
    "initialization": "scaled",
}
ARAE = SIZES | {"latent_size": 5, "generator_sizes": [7], "critic_sizes": [7], "classifier_sizes": [7]}
THREE = {"num_attributes": 3, "id2label": {0: "sad", 1: "calm", 2: "glad"}}
MODELS = {
    "arae": lambda: AraeModel(AraeConfig(**ARAE, generator_batch_norm=True)),
    "arae, deep, shared, shortcut": lambda: AraeModel(
        AraeConfig(
            **ARAE,
            num_layers=2,
            share_embeddings=True,
            amplify_code=True,
            normalize_code=False,
            generator_shortcut=True,
        )
    ),
    "arae, labels, masking": lambda: AraeModel(AraeConfig(**ARAE, **THREE, mask_attribute_words=True)),
    "arae, labels, shared": lambda: AraeModel(AraeConfig(**ARAE, **THREE, share_embeddings=True, amplify_code=True)),
    "vae": lambda: VaeModel(VaeConfig(**SIZES, num_layers=2, bag_of_words_sizes=[4])),
    "vae, batch norm": lambda: VaeModel(VaeConfig(**SIZES, posterior="batch_norm")),
    "vae, balanced": lambda: VaeModel(VaeConfig(**SIZES, posterior="balanced")),
    "vae, delta": lambda: VaeModel(VaeConfig(**SIZES, posterior="delta")),
    "aae, sparse prior": lambda: AaeModel(AaeConfig(**SIZES, prior_sparsity=0.5, discriminator_sizes=[4])),
    "aae, shared": lambda: AaeModel(AaeConfig(**SIZES, share_embeddings=True, discriminator_sizes=[4])),
}


def made(name: str):
    """A model whose every weight and statistic is random."""
    torch.manual_seed(0)
    model = MODELS[name]()
    for tensor_name, tensor in model.state_dict().items():
        if tensor_name.endswith("running_var"):
            tensor.uniform_(0.5, 2.0)
        elif tensor.is_floating_point():
            tensor.normal_(0.0, 0.5)
    if model.config.num_attributes > 1:
        model.attribute_log_odds[0] = 0  # padding says nothing
    return model.eval()


@pytest.fixture(scope="module", params=MODELS)
def both(request, tmp_path_factory):
    """A model, and what was exported of it."""
    model, folder = made(request.param), tmp_path_factory.mktemp("exported") / "some" / "folder"
    export_onnx(model, folder)
    return model, OnnxTextAutoencoder.from_pretrained(folder, num_threads=1, batch_size=3)


def sentences(rows: int, sequence: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Random sentences; the first is as long as `sequence`, the others of any length from 1."""
    lengths = torch.randint(1, sequence + 1, (rows, 1))
    lengths[0] = sequence
    mask = (torch.arange(sequence) < lengths).long()
    return torch.randint(1, SIZES["vocab_size"], (rows, sequence)) * mask, mask


def close(found, wanted):
    torch.testing.assert_close(torch.from_numpy(found), wanted, atol=2e-6, rtol=1e-5)


# The graphs


@torch.no_grad()
def test_codes_and_logits_are_the_model_s_at_any_shape(both):
    model, exported = both
    for rows, sequence in product([1, 2, 3, 8], [1, 2, 7, LONGEST + 2]):
        ids, mask = sentences(rows, sequence)
        codes = model.encode(ids, mask)
        close(exported.encode_ids(ids.numpy(), mask.numpy()), codes)
        attribute = torch.arange(rows) % model.config.num_attributes
        states, _ = model.decoder_states(codes, ids, attribute)
        close(exported.logits(codes.numpy(), ids.numpy(), attribute.numpy()), model.project(states))


@torch.no_grad()
def test_padding_may_be_on_either_side_or_within(both):
    model, exported = both
    ids, mask = sentences(4, 5)
    wanted = model.encode(ids, mask)
    steps = (5 - mask.sum(1)).tolist()
    left, left_mask = (
        torch.stack([row.roll(step) for row, step in zip(part, steps, strict=True)]) for part in (ids, mask)
    )
    close(exported.encode_ids(left.numpy(), left_mask.numpy()), wanted)
    close(exported.encode_ids(left.numpy()), wanted)
    within = torch.stack([ids[:, 0], torch.full((4,), 7), *ids.T[1:]], 1)
    within_mask = torch.stack([mask[:, 0], torch.zeros(4), *mask.T[1:]], 1)
    close(exported.encode_ids(within.numpy(), within_mask.numpy()), wanted)


@torch.no_grad()
def test_the_encoder_does_not_see_padding(both):
    model, exported = both
    ids, mask = sentences(4, 5)
    wide, wide_mask = (torch.nn.functional.pad(part, (0, 6)) for part in (ids, mask))
    graph = exported._encoder
    found = graph.run(("codes",), {"input_ids": wide.numpy(), "attention_mask": wide_mask.numpy()})[0]
    close(found, model.encode(ids, mask))
    noisy = torch.where(wide_mask.bool(), wide, 7)
    found = graph.run(("codes",), {"input_ids": noisy.numpy(), "attention_mask": wide_mask.numpy()})[0]
    close(found, model.encode(ids, mask))


@torch.no_grad()
def test_greedy_texts_are_the_model_s(both):
    model, exported = both
    codes = torch.randn(10, SIZES["code_size"])
    attribute = torch.arange(10) % model.config.num_attributes
    for settings in ({}, {"max_new_tokens": 1}, {"max_new_tokens": 30}):
        written = model.decode(codes, attribute, **settings)
        assert np.array_equal(exported.decode_ids(codes.numpy(), attribute.numpy(), **settings), written.numpy())
    assert len(np.unique(written, axis=0)) > 3


@torch.no_grad()
def test_codes_of_new_sentences_have_the_model_s_source(both):
    model, exported = both
    if model.config.model_type == "arae":
        z = torch.randn(7, model.config.latent_size)
        close(exported.generate_codes(z.numpy()), model.generate_codes(z))
    else:
        with pytest.raises(ValueError, match="has no generator"):
            exported.generate_codes(np.zeros((1, 5), np.float32))
    codes, others = (
        exported.sample_codes(4000, seed=1),
        model.sample_codes(4000, torch.Generator().manual_seed(0)).numpy(),
    )
    assert codes.dtype == np.float32
    shares = [[(np.abs(part) < bound).mean() for bound in (0.05, 0.5, 1.0)] for part in (codes, others)]
    assert shares[0] == pytest.approx(shares[1], abs=0.03)


def test_attribute_scores_are_there_where_words_tell(both):
    model, exported = both
    ids, _ = sentences(5, 6)
    assert exported.tells_attributes == (model.config.num_attributes > 1)
    if exported.tells_attributes:
        rows = [row[row != 0].tolist() for row in ids]
        assert exported.predict_attribute_ids(rows).tolist() == model.predict_attribute(ids).tolist()
    else:
        with pytest.raises(ValueError, match="cannot tell attributes apart"):
            exported.predict_attribute_ids(ids.numpy())


def test_unfilled_log_odds_are_left_out(tmp_path):
    model = made("arae, labels, shared")
    model.attribute_log_odds.zero_()
    export_onnx(model, tmp_path)
    assert not OnnxTextAutoencoder(tmp_path).tells_attributes


@pytest.mark.parametrize("opset", [13, 20])
@torch.no_grad()
def test_other_operator_versions(tmp_path, opset):
    onnx = pytest.importorskip("onnx")
    model = made("arae, labels, masking")
    (encoder, *_) = export_onnx(model, tmp_path, opset=opset)
    assert onnx.load(encoder).opset_import[0].version == opset
    ids, mask = sentences(3, 6)
    close(OnnxTextAutoencoder(tmp_path).encode_ids(ids.numpy(), mask.numpy()), model.encode(ids, mask))


# The folder


def test_the_files(tmp_path):
    onnx = pytest.importorskip("onnx")
    model = made("arae, labels, shared")
    files = export_onnx(model, tmp_path)
    steps = [f"decoder_step_{value}.onnx" for value in range(3)]
    assert [file.name for file in files] == ["encoder.onnx", *steps, "generator.onnx"]
    for file in files:
        onnx.checker.check_model(str(file))
    assert {file.name for file in tmp_path.iterdir()} == {
        *(file.name for file in files),
        "config.json",
        "generation_config.json",
    }
    # A model of one decoder over it: nothing of the first is left.
    export_onnx(made("vae"), tmp_path)
    assert {file.name for file in tmp_path.glob("*.onnx")} == {"encoder.onnx", "decoder_step.onnx"}


def test_a_saved_model_keeps_its_code_references_and_the_export_has_none(transfer_folder, tmp_path):
    staged = shutil.copytree(transfer_folder, tmp_path / "staged")
    write_code(staged)
    model = AraeModel.from_pretrained(staged)
    export_onnx(model, tmp_path / "onnx")
    config = json.loads((tmp_path / "onnx" / "config.json").read_text())
    assert model.config.auto_map and "auto_map" not in config and "custom_pipelines" not in config


def test_the_model_stays_as_it_is(tmp_path):
    model = made("vae, batch norm").to(torch.bfloat16).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    export_onnx(model, tmp_path)
    assert model.training and model.dtype == torch.bfloat16
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    ids, mask = sentences(2, 5)
    with torch.no_grad():
        close(
            OnnxTextAutoencoder(tmp_path).encode_ids(ids.numpy(), mask.numpy()), model.float().eval().encode(ids, mask)
        )


def test_a_foreign_tokenizer_is_refused(transfer_model, tmp_path):
    with pytest.raises(ValueError, match="tokenizer"):
        export_onnx(transfer_model, tmp_path / "exported", train_tokenizer(["two dogs run ."]))
    assert not (tmp_path / "exported").exists()


def test_a_checkpoint_is_not_written_over(transfer_model, transfer_folder):
    before = sorted(path.stat().st_mtime_ns for path in transfer_folder.iterdir())
    with pytest.raises(ValueError, match=r"holds a checkpoint.*try .*tiny-transfer/onnx"):
        export_onnx(transfer_model, transfer_folder)
    assert sorted(path.stat().st_mtime_ns for path in transfer_folder.iterdir()) == before


@pytest.mark.parametrize(
    "model",
    [
        lambda: RnnLmForCausalLM(RnnLmConfig(vocab_size=20, embedding_size=4, hidden_size=4)),
        lambda: UrsaeForConditionalGeneration(UrsaeConfig(vocab_size=20, embedding_size=4, hidden_size=4)),
        lambda: AraeForSequenceClassification(AraeConfig(**ARAE)),
    ],
    ids=["language model", "summarizer", "pair classifier"],
)
def test_other_families_are_refused(model, tmp_path):
    model = model()
    with pytest.raises(ValueError, match=f"{type(model).__name__} has no ONNX form"):
        export_onnx(model, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_what_cannot_be_exported_is_named_before_anything_is_written(tmp_path):
    model = made("vae")
    with pytest.raises(ValueError, match=r"opset must lie in 13..20, got 7"):
        export_onnx(model, tmp_path / "out", opset=7)
    model.generation_config.num_beams = 4
    with pytest.raises(ValueError, match=r"asks for num_beams=4"):
        export_onnx(model, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("missing", ["onnx", "onnxruntime"])
def test_a_missing_extra_is_named(tmp_path, monkeypatch, missing):
    model, folder = made("vae"), tmp_path / "there"
    export_onnx(model, folder)
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ImportError, match=rf"{missing} is not installed: .*hf_arae\[onnx\]"):
        export_onnx(model, tmp_path / "out", int8=True)
    if missing == "onnxruntime":
        with pytest.raises(ImportError, match=r"hf_arae\[onnx\]"):
            OnnxTextAutoencoder(folder)


# 8 bits


@torch.no_grad()
@pytest.mark.parametrize("name", ["arae, labels, shared", "arae, labels, masking", "vae"])
def test_int8_is_smaller_and_near(tmp_path, name):
    torch.manual_seed(0)
    model = made(name)
    wide = {"vocab_size": 500, "embedding_size": 48, "hidden_size": 48, "code_size": 32}
    model = type(model)(type(model.config)(**{**config_values(model), **wide})).eval()
    files = {int8: export_onnx(model, tmp_path / str(int8), int8=int8) for int8 in (False, True)}
    for full, small in zip(files[False], files[True], strict=True):
        if full.name == "generator.onnx":
            assert full.read_bytes() == small.read_bytes()
        else:
            assert small.stat().st_size < 0.5 * full.stat().st_size, full.name
    exported = {int8: OnnxTextAutoencoder(tmp_path / str(int8)) for int8 in files}
    ids = torch.randint(5, 500, (16, 9)).numpy()
    codes, near = (exported[int8].encode_ids(ids) for int8 in (False, True))
    assert 0 < np.abs(codes - near).max() < 0.2 * np.abs(codes).max()
    attribute = np.arange(16) % model.config.num_attributes
    logits, near = (exported[int8].logits(codes, ids, attribute) for int8 in (False, True))
    assert 0 < np.abs(logits - near).max() < 0.2 * np.abs(logits).max()
    assert exported[True].decode_ids(codes, attribute).shape[0] == 16


def config_values(model) -> dict:
    return {key: value for key, value in model.config.to_diff_dict().items() if key not in ("label2id", "auto_map")}


def test_int8_masks_the_same_words(tmp_path):
    """Log-odds just above and below the threshold stay on their side."""
    model = made("arae, labels, masking")
    threshold = model.config.salience_threshold
    model.attribute_log_odds.copy_(torch.linspace(threshold - 1e-3, threshold + 1e-3, 30).unsqueeze(1).expand(-1, 3))
    model.attribute_log_odds[5] = 40.0
    export_onnx(model, tmp_path, int8=True)
    exported = OnnxTextAutoencoder(tmp_path)
    codes = exported.encode_ids([[1, word, 2] for word in range(5, 30)])
    masked = model.hide_attribute_words(torch.arange(5, 30)) == model.config.mask_token_id
    same = np.isclose(codes, codes[0], atol=5e-3).all(1)  # the first word is masked
    assert same.tolist() == masked.tolist() and 5 < same.sum() < 25


# The check and the command


def test_the_check_finds_what_differs(transfer_model, tokenizer, tmp_path, monkeypatch):
    export_onnx(transfer_model, tmp_path, tokenizer)
    texts = ["the food was great .", "awful service !"]
    found = check_export(transfer_model, tokenizer, tmp_path, texts)
    assert found.code_difference < 1e-6 and found.logit_difference < 1e-5
    assert (found.equal_texts, found.sentences) == (1.0, 2)
    other = made("arae, labels, shared")
    other = AraeModel(AraeConfig(**config_values(transfer_model))).eval()
    found = check_export(other, tokenizer, tmp_path, texts)
    assert found.code_difference > 0.01 and found.logit_difference > 0.01 and found.equal_texts < 1


def test_the_command(transfer_folder, tmp_path, monkeypatch, capsys):
    command = ["onnx", "--model", str(transfer_folder), "--output_dir", str(tmp_path / "out"), "--sentences", "9"]
    monkeypatch.setattr(sys, "argv", command)
    main()
    found = capsys.readouterr().out
    for name in ("encoder.onnx", "decoder_step_0.onnx", "decoder_step_1.onnx", "generator.onnx", "tokenizer.json"):
        assert f"MB  {tmp_path / 'out' / name}" in found
    assert "largest difference to torch: codes" in found
    assert "rewritten to the same words: 100.0% of 9 built-in sentences" in found
    assert OnnxTextAutoencoder(tmp_path / "out").transfer("great food", target="negative")


def test_the_command_refuses_other_families(monkeypatch, tmp_path):
    model = RnnLmForCausalLM(RnnLmConfig(vocab_size=20, embedding_size=4, hidden_size=4))
    model.save_pretrained(tmp_path / "lm")
    monkeypatch.setattr(sys, "argv", ["onnx", "--model", str(tmp_path / "lm"), "--output_dir", str(tmp_path / "out")])
    with pytest.raises(SystemExit, match="rnn_lm"):
        main()
    assert not (tmp_path / "out").exists()
