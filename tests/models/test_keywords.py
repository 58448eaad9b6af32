"""A misspelled argument is an error that names it; what transformers' own parts hand over is taken."""

import logging

import pytest
import torch
from datasets import Dataset
from huggingface_hub.errors import StrictDataclassClassValidationError
from torch.nn import functional as F
from transformers import (
    AutoConfig,
    AutoModel,
    AutoTokenizer,
    Seq2SeqTrainer,
    Seq2SeqTrainingArguments,
    Trainer,
    TrainingArguments,
)
from transformers.utils import logging as transformers_logging

from hf_arae.models.arae.configuration_arae import AraeConfig
from hf_arae.models.arae.modeling_arae import AraeModel
from hf_arae.models.arae.modeling_pairs import AraeForSequenceClassification
from hf_arae.models.rnn_lm.configuration_rnn_lm import RnnLmConfig
from hf_arae.models.rnn_lm.modeling_rnn_lm import RnnLmForCausalLM
from hf_arae.models.ursae.configuration_ursae import UrsaeConfig
from hf_arae.models.ursae.modeling_ursae import UrsaeForConditionalGeneration

SIZES = {"vocab_size": 20, "embedding_size": 6, "hidden_size": 8}
IDS = torch.tensor([[1, 7, 9, 2], [1, 19, 5, 2]])
# What peft, the Trainer and pipelines pass on.
HANDED_OVER = {
    "inputs_embeds": None,
    "decoder_inputs_embeds": None,
    "decoder_attention_mask": None,
    "output_attentions": False,
    "output_hidden_states": None,
    "num_items_in_batch": 4,
    "return_dict": True,
}


def models():
    yield AraeModel(AraeConfig(**SIZES, code_size=5)), {"input_ids": IDS, "labels": IDS}
    yield RnnLmForCausalLM(RnnLmConfig(**SIZES)), {"input_ids": IDS, "labels": IDS}
    yield UrsaeForConditionalGeneration(UrsaeConfig(**SIZES, reader_size=5)), {"input_ids": IDS, "labels": IDS}
    pairs = {"input_ids": torch.cat([IDS, IDS], 1), "labels": torch.tensor([0, 1])}
    yield AraeForSequenceClassification(AraeConfig(**SIZES, code_size=5)), pairs


def test_forward_names_what_it_does_not_know():
    for model, inputs in models():
        loss = model.eval()(**inputs).loss
        torch.testing.assert_close(model(**inputs, **HANDED_OVER).loss, loss)
        with pytest.raises(TypeError, match="'lables': did you mean labels"):
            model(**inputs, lables=IDS)
        with pytest.raises(TypeError, match="'something'"):
            model(**inputs, something=None)
        with pytest.raises(TypeError, match="inputs_embeds"):
            model(**inputs, inputs_embeds=torch.zeros(2, 4, 6))


def test_a_wrong_attribute_is_named(transfer_model):
    inputs = {"input_ids": IDS, "decoder_input_ids": IDS[:, :3]}
    with pytest.raises(TypeError, match="'atribute': did you mean attribute"):
        transfer_model(**inputs, atribute=torch.tensor([1, 1]))
    with pytest.raises(ValueError, match="attribute is needed"):
        transfer_model(**inputs)
    for wrong, error in (([0, 2], ValueError), ([0.0, 1.0], TypeError), ([True, False], TypeError), ([0], ValueError)):
        with pytest.raises(error, match="attribute"):
            transfer_model(**inputs, attribute=torch.tensor(wrong))
        with pytest.raises(error, match="attribute"):
            transfer_model.transfer(IDS, target=torch.tensor(wrong))


def test_a_config_names_what_it_does_not_know(transfer_folder):
    with pytest.raises(ValueError, match=r"cod_size.*Did you mean code_size"):
        AutoConfig.from_pretrained(transfer_folder, cod_size=5)
    with pytest.raises(ValueError, match="nothing_known"):
        AutoConfig.from_pretrained(transfer_folder, nothing_known=5)
    with pytest.raises((TypeError, ValueError), match="cod_size"):
        AutoModel.from_pretrained(transfer_folder, cod_size=5)
    given = {"dtype": "auto", "device_map": "cpu", "trust_remote_code": False, "attn_implementation": "eager"}
    assert AutoConfig.from_pretrained(transfer_folder, salience_threshold=2.0, **given).salience_threshold == 2.0
    assert AutoModel.from_pretrained(transfer_folder, salience_threshold=2.0).config.salience_threshold == 2.0


@pytest.mark.parametrize("wrong", [{"salience_threshold": float("nan")}, {"dropout": 7}, {"code_size": -5}])
def test_what_is_given_beside_a_folder_is_held_to_its_range(wrong, transfer_folder):
    for auto in (AutoConfig, AutoModel):
        with pytest.raises(StrictDataclassClassValidationError, match="must lie in"):
            auto.from_pretrained(transfer_folder, **wrong)


def test_options_of_a_tokenizer_are_no_misspelled_fields(transfer_folder, caplog):
    transformers_logging.enable_propagation()
    options = {"padding_side": "left", "model_max_length": 7, "unk_token": "<unk>", "use_fast": True}
    for given in ({}, options):
        AutoTokenizer.from_pretrained(transfer_folder, **given)
    transformers_logging.disable_propagation()
    assert not caplog.records


def test_the_storage_format_is_no_training_format(transfer_model, tmp_path):
    model = AraeModel(AraeConfig(**SIZES, code_size=5)).half()
    model.save_pretrained(tmp_path)
    config = AutoConfig.from_pretrained(tmp_path)
    assert config.dtype == torch.float16
    for made in (AutoModel.from_config(config), AutoModel.from_config(config, dtype="auto"), AraeModel(config)):
        assert {value.dtype for value in made.parameters()} == {torch.float32}
    assert AutoModel.from_config(config, dtype=torch.bfloat16).dtype == torch.bfloat16


def test_the_trainer_of_transformers_shifts_labels_that_it_smooths(tmp_path, caplog):
    torch.manual_seed(0)
    model = RnnLmForCausalLM(RnnLmConfig(**SIZES))
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=1.0)
    rows = Dataset.from_dict({"input_ids": IDS.tolist(), "labels": IDS.tolist()})
    arguments = TrainingArguments(
        str(tmp_path), label_smoothing_factor=0.1, report_to="none", use_cpu=True, disable_tqdm=True
    )
    with caplog.at_level(logging.ERROR):
        trainer = Trainer(model, arguments, train_dataset=rows)
    loss = trainer.compute_loss(model, {"input_ids": IDS, "labels": IDS.clone()})
    logits = model(IDS).logits[:, :-1].flatten(0, 1)
    torch.testing.assert_close(loss, F.cross_entropy(logits, IDS[:, 1:].flatten(), label_smoothing=0.1))
    assert trainer.model_accepts_loss_kwargs is False  # the loss is a mean, which it divides by accumulated batches


def test_the_trainer_of_transformers_writes_texts_to_evaluate(tmp_path):
    rows = Dataset.from_dict({"input_ids": IDS.tolist(), "labels": IDS.tolist(), "attribute": [1, 0]})
    arguments = Seq2SeqTrainingArguments(
        str(tmp_path), predict_with_generate=True, report_to="none", use_cpu=True, disable_tqdm=True
    )
    for model, keeps in (
        (AraeModel(AraeConfig(**SIZES, code_size=5)), ["input_ids", "labels"]),
        (AraeModel(AraeConfig(**SIZES, code_size=5, num_attributes=2)), ["input_ids", "labels", "attribute"]),
        (UrsaeForConditionalGeneration(UrsaeConfig(**SIZES, reader_size=5)), ["input_ids", "labels"]),
    ):
        trainer = Seq2SeqTrainer(model, arguments)
        predicted = trainer.predict(rows.select_columns(keeps), max_new_tokens=3)
        assert torch.equal(torch.tensor(predicted.predictions)[:, 0], torch.tensor([1, 1]))
        assert predicted.metrics["test_loss"] > 0
    with pytest.raises(ValueError, match="lables"):
        model.generate(input_ids=IDS, lables=IDS)


def test_a_guidance_that_changes_nothing_is_taken():
    for model, _ in list(models())[:3]:
        wanted = model.eval().generate(IDS[:, :2])
        assert torch.equal(model.generate(IDS[:, :2], guidance_scale=1.0), wanted)
        with pytest.raises(ValueError, match="guidance_scale"):
            model.generate(IDS[:, :2], guidance_scale=1.5)


def test_a_label_s_name_is_no_id(transfer_model):
    """Pipelines take names; a model takes ids, and says where they are."""
    for verb in (
        transfer_model.sample,
        lambda count, attribute: transfer_model.generate(IDS[:count], attribute=attribute),
    ):
        for attribute in ("positive", ["positive"]):
            with pytest.raises(TypeError, match="label2id"):
                verb(1, attribute=attribute)
