"""A checkpoint loads whole or not at all, and what is wrong with it is named; settings follow from its config."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import (
    AutoModel,
    AutoModelForCausalLM,
    AutoModelForSeq2SeqLM,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    ByT5Tokenizer,
    pipeline,
)

from hf_arae.models.arae.configuration_arae import AraeConfig
from hf_arae.models.arae.modeling_arae import AraeModel
from hf_arae.models.arae.modeling_pairs import AraeForSequenceClassification
from hf_arae.models.rnn_lm.configuration_rnn_lm import RnnLmConfig
from hf_arae.models.rnn_lm.modeling_rnn_lm import RnnLmForCausalLM
from hf_arae.models.ursae.configuration_ursae import UrsaeConfig
from hf_arae.models.ursae.modeling_ursae import UrsaeForConditionalGeneration

SIZES = {"vocab_size": 20, "embedding_size": 6, "hidden_size": 8}
KINDS = [
    (AutoModel, lambda: AraeModel(AraeConfig(**SIZES, code_size=5))),
    (AutoModelForCausalLM, lambda: RnnLmForCausalLM(RnnLmConfig(**SIZES))),
    (AutoModelForSeq2SeqLM, lambda: UrsaeForConditionalGeneration(UrsaeConfig(**SIZES, max_summary_length=6))),
]
TEXT = "the food was n't good ."


@pytest.fixture
def folder(transfer_folder, tmp_path):
    return shutil.copytree(transfer_folder, tmp_path / "copy")


def change(folder, function):
    tensors = load_file(folder / "model.safetensors")
    function(tensors)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def set_config(folder, **values):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | values))


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")])
def test_weights_that_are_not_finite(folder, number):
    for name in ("projection.bias", "critic.layers.0.weight", "attribute_log_odds"):
        copy = shutil.copytree(folder, folder.with_name("other"), dirs_exist_ok=True)
        change(copy, lambda tensors, name=name: tensors[name].view(-1).__setitem__(2, number))
        with pytest.raises(ValueError, match=f"not all finite.*{name}"):
            AutoModel.from_pretrained(copy)
        with pytest.raises(ValueError, match=name):
            pipeline("text-style-transfer", model=str(copy))


def test_tensors_that_are_missing_or_left_over(folder):
    change(folder, lambda tensors: tensors.__setitem__("projection.bios", tensors.pop("projection.bias")))
    with pytest.raises(ValueError, match=r"no projection\.bias;.* no place for projection\.bios"):
        AutoModel.from_pretrained(folder)
    with pytest.raises(ValueError, match=r"projection\.bias"):
        pipeline("text-style-transfer", model=str(folder))
    assert AutoModel.from_pretrained(folder, ignore_mismatched_sizes=True).projection.bias.isfinite().all()


@pytest.mark.parametrize(("auto", "build"), KINDS)
def test_layers_of_another_number(auto, build, tmp_path):
    build().save_pretrained(tmp_path)
    layers = auto.from_pretrained(tmp_path).config.num_layers
    set_config(tmp_path, num_layers=layers + 1)
    with pytest.raises(ValueError, match=f"weight_hh_l{layers}"):
        auto.from_pretrained(tmp_path)
    loaded, info = auto.from_pretrained(tmp_path, ignore_mismatched_sizes=True, output_loading_info=True)
    assert loaded.config.num_layers == layers + 1 and info["missing_keys"]
    auto.from_pretrained(tmp_path, num_layers=layers)


def test_fewer_layers_than_there_are_weights(tmp_path):
    AraeModel(AraeConfig(**SIZES, code_size=5, num_layers=2)).save_pretrained(tmp_path)
    set_config(tmp_path, num_layers=1)
    with pytest.raises(ValueError, match=r"no place for .*_l1"):
        AutoModel.from_pretrained(tmp_path)


def test_the_head_of_a_new_task_may_be_missing(tmp_path):
    base = AraeModel(AraeConfig(**SIZES, code_size=5))
    base.save_pretrained(tmp_path / "base")
    pairs = AutoModelForSequenceClassification.from_pretrained(tmp_path / "base", num_labels=3)
    assert isinstance(pairs, AraeForSequenceClassification)
    assert torch.equal(pairs.arae.critic.output_layer.weight, base.critic.output_layer.weight)
    pairs.save_pretrained(tmp_path / "pairs")
    again = AutoModel.from_pretrained(tmp_path / "pairs")
    assert torch.equal(again.critic.output_layer.weight, base.critic.output_layer.weight)
    change(tmp_path / "pairs", lambda tensors: tensors.pop("pair_classifier.layers.0.weight"))
    with pytest.raises(ValueError, match="pair_classifier"):  # half a head is damage
        AutoModelForSequenceClassification.from_pretrained(tmp_path / "pairs")


@pytest.mark.parametrize(("auto", "build"), KINDS)
def test_generation_settings_follow_from_the_config(auto, build, tmp_path):
    model = build()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.9)
    model.save_pretrained(tmp_path)
    ids = torch.tensor([[1, 7, 9, 12]])
    file = tmp_path / "generation_config.json"
    wanted, settings = auto.from_pretrained(tmp_path).generate(ids), model.generation_config
    for content in (None, "{}"):
        file.unlink() if content is None else file.write_text(content)
        loaded = auto.from_pretrained(tmp_path)
        assert torch.equal(loaded.generate(ids), wanted)
        for name in ("max_new_tokens", "suppress_tokens", "eos_token_id", "pad_token_id"):
            assert getattr(loaded.generation_config, name) == getattr(settings, name), name
    file.write_text(json.dumps({"max_new_tokens": 3, "num_beams": 2}))  # what is said there counts
    assert auto.from_pretrained(tmp_path).generation_config.max_new_tokens == 3


def test_files_beside_the_weights_are_named(folder, transfer_folder):
    for name in ("generation_config.json", "tokenizer.json", "tokenizer_config.json"):
        for content in ("", "[]", (transfer_folder / name).read_text()[:60]):
            (folder / name).write_text(content)
            with pytest.raises((OSError, ValueError), match=name.replace(".", r"\.")):
                pipeline("text-style-transfer", model=str(folder))
        shutil.copy(transfer_folder / name, folder / name)
    (folder / "tokenizer.json").write_text('{"version": "1.0"}')
    with pytest.raises(OSError, match=r"tokenizer\.json is damaged"):
        AutoModel.from_pretrained(folder)
    shutil.copy(transfer_folder / "tokenizer.json", folder / "tokenizer.json")
    assert pipeline("text-style-transfer", model=str(folder))(TEXT)["text"]
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).unlink()
        with pytest.raises((OSError, ValueError), match=f"no {name}".replace(".", r"\.")):
            pipeline("text-style-transfer", model=str(folder))
        shutil.copy(transfer_folder / name, folder / name)
    (folder / "tokenizer_config.json").write_text("{}")
    with pytest.raises(ValueError, match=r"tokenizer_config\.json"):
        pipeline("text-style-transfer", model=str(folder))


def test_a_tokenizer_without_a_vocabulary_is_whole_without_one(tmp_path):
    tokenizer = ByT5Tokenizer()
    model = AraeModel(AraeConfig(**SIZES | {"vocab_size": len(tokenizer)}, code_size=5))
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    assert AutoModel.from_pretrained(tmp_path).config.vocab_size == len(AutoTokenizer.from_pretrained(tmp_path))


def test_a_pickle_is_read_on_demand_alone(folder):
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    with pytest.raises(OSError, match=r"pytorch_model\.bin, a pickle") as caught:
        AutoModel.from_pretrained(folder)
    assert len(str(caught.value).splitlines()) == 1
    assert AutoModel.from_pretrained(folder, use_safetensors=False).config.num_attributes == 2


def test_states_handed_over_need_no_files(transfer_model):
    loaded = AraeModel.from_pretrained(None, config=transfer_model.config, state_dict=transfer_model.state_dict())
    assert torch.equal(loaded.projection.bias, transfer_model.projection.bias)
