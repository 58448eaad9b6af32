"""An ARAE that was trained without its adversary says that it draws no codes, wherever they would come from it."""

import pytest
import torch
from presets import text_model, text_objective
from transformers import AutoModel

from hf_arae.latent.space import LatentSpace
from hf_arae.models.arae.configuration_arae import AraeConfig
from hf_arae.models.arae.modeling_arae import AraeModel
from hf_arae.models.arae.objective_arae import AraeObjective

TEXTS = ["the food was great .", "great !"]


def trained(family: str, tokenizer, **changes):
    sizes = {"embedding_size": 6, "hidden_size": 8, "code_size": 5, "latent_size": 4}
    model = text_model(f"{family}-sentences", tokenizer, **sizes)
    text_objective(f"{family}-sentences", model, **changes)
    return model.eval()


def test_it_draws_nothing_and_decodes_what_is_encoded(tokenizer, tmp_path):
    trained("ae", tokenizer).save_pretrained(tmp_path)
    model = AutoModel.from_pretrained(tmp_path)
    latent = LatentSpace(model, tokenizer)
    assert not latent.has_generator and latent.native_space == "code"
    for call in (
        lambda: model.sample(2),
        lambda: model.sample_codes(2),
        lambda: model.generate_codes(torch.zeros(2, 4)),
        lambda: latent.sample(2),
        lambda: latent.draw(2),
        lambda: latent.draw(2, "z"),
        lambda: latent.decode(torch.zeros(2, 4), "z"),
    ):
        with pytest.raises(ValueError, match=r"adversary|no generator that was trained"):
            call()
    assert len(latent.interpolate(*TEXTS, steps=3)[0]) == 3 and len(latent.walk(TEXTS, steps=2)) == 2


def test_with_its_adversary_it_draws(tokenizer):
    for changes in ({}, {"adversary": True}):
        assert len(trained("arae", tokenizer, **changes).sample(2)) == 2
    with pytest.raises(ValueError, match="adversary"):
        trained("arae", tokenizer, adversary=False).sample(2)
    model = trained("ae", tokenizer)
    AraeObjective(model)  # goes on with an adversary
    assert len(model.sample(2)) == 2


def test_a_checkpoint_from_before_the_fact_was_kept_draws(tokenizer):
    assert AraeConfig().trained_generator and len(AraeModel(AraeConfig(vocab_size=9)).eval().sample(1)) == 1


def test_its_exported_form_has_no_generator(tokenizer, tmp_path):
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    from hf_arae.onnx import OnnxTextAutoencoder, export_onnx
    from hf_arae.onnx.latent import OnnxLatentModel

    model = trained("ae", tokenizer)
    assert "generator.onnx" not in {file.name for file in export_onnx(model, tmp_path, tokenizer)}
    exported = OnnxTextAutoencoder.from_pretrained(tmp_path, num_threads=1)
    assert not exported.has_generator and exported.reconstruct(TEXTS)
    for call in (lambda: exported.sample(2), lambda: OnnxLatentModel(exported).sample_codes(2)):
        with pytest.raises(ValueError, match="adversary"):
            call()
