"""The package's names, and its models under transformers' Auto classes."""

import re
from pathlib import Path

import pytest
import torch
from family_tests import family_tests, text_autoencoders
from transformers import AutoConfig, AutoModel, AutoModelForCausalLM, AutoModelForSeq2SeqLM, GenerationConfig
from transformers.utils import logging

import hf_arae
from hf_arae.models import auto
from hf_arae.models.arae.configuration_arae import AraeConfig
from hf_arae.models.arae.modeling_arae import AraeModel
from hf_arae.models.auto import FAMILIES, families, family, public_names, register
from hf_arae.models.rnn_lm.configuration_rnn_lm import RnnLmConfig
from hf_arae.models.rnn_lm.modeling_rnn_lm import RnnLmForCausalLM
from hf_arae.training.objective import Objective


def test_auto_classes_load_the_package_s_own_classes(transfer_folder):
    assert type(AutoConfig.from_pretrained(transfer_folder)) is AraeConfig
    assert type(AutoModel.from_pretrained(transfer_folder)) is AraeModel
    assert type(AutoModelForSeq2SeqLM.from_pretrained(transfer_folder)) is AraeModel


def test_a_causal_model_round_trips(tmp_path):
    model = RnnLmForCausalLM(RnnLmConfig(vocab_size=20, embedding_size=4, hidden_size=4)).eval()
    model.save_pretrained(tmp_path)
    again = AutoModelForCausalLM.from_pretrained(tmp_path)
    assert type(again) is RnnLmForCausalLM
    ids = torch.tensor([[1, 7, 8, 2]])
    torch.testing.assert_close(again(ids).logits, model(ids).logits)


@pytest.fixture(params=text_autoencoders())
def autoencoder(request):
    """A model of each family of autoencoders, with weights that make its sentences depend on their codes."""
    torch.manual_seed(0)
    model = family_tests(request.param).build_model().eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.7)
    return model


IDS = torch.tensor([[1, 9, 8, 7, 2], [1, 6, 2, 0, 0], [1, 12, 2, 0, 0]])


@pytest.mark.parametrize("auto_class", [AutoModel, AutoModelForSeq2SeqLM])
def test_an_autoencoder_round_trips(autoencoder, auto_class, tmp_path):
    autoencoder.save_pretrained(tmp_path)
    again = auto_class.from_pretrained(tmp_path)
    assert type(again) is type(autoencoder)
    torch.testing.assert_close(again.encode(IDS), autoencoder.encode(IDS))
    inputs = autoencoder.example_inputs
    labels = {"attribute": inputs["attribute"]} if "attribute" in inputs else {}
    codes = autoencoder.encode(inputs["input_ids"])
    assert torch.equal(again.decode(codes, **labels), autoencoder.decode(codes, **labels))
    torch.testing.assert_close(again(**inputs).logits, autoencoder(**inputs).logits)


def test_without_sentences_and_codes_nothing_is_generated(autoencoder):
    with pytest.raises(ValueError, match="input_ids"):
        autoencoder.generate()


def test_generating_with_an_attribute_is_transferring(transfer_model):
    for target in (0, TARGETS):
        written = transfer_model.generate(IDS, attribute=target)
        assert torch.equal(written, transfer_model.transfer(IDS, target=target))
    with pytest.raises(ValueError, match="attribute is needed"):
        transfer_model.generate(IDS)


def test_registering_twice_changes_nothing():
    register()
    assert type(AutoConfig.for_model("arae")) is AraeConfig
    assert len({one.config.model_type for one in families()}) == len(FAMILIES)


@pytest.mark.parametrize("name", FAMILIES)
def test_a_family_is_found_from_its_name(name):
    found = family(name)
    assert found.config.model_type == name
    assert all(cls.config_class is found.config for cls in found.models.values())
    assert found.objectives
    for cls in (found.config, *found.models.values(), *found.objectives):
        assert getattr(hf_arae, cls.__name__) is cls and cls.__name__ in hf_arae.__all__


def test_what_is_no_family_is_refused():
    with pytest.raises(ValueError, match="arae, "):
        family("araee")
    with pytest.raises(FileNotFoundError, match="configuration_araee"):
        public_names("araee")


@pytest.fixture
def made_up(tmp_path, monkeypatch):
    """Writes a file of a family that is none yet."""
    monkeypatch.setattr(auto, "__file__", str(tmp_path / "auto.py"))
    monkeypatch.setattr(auto, "FAMILIES", ("mine", "yours"))

    def write(name: str, kind: str, text: str) -> None:
        (tmp_path / name).mkdir(exist_ok=True)
        (tmp_path / name / f"{kind}_{name}.py").write_text(text)

    return write


def test_what_a_new_family_lacks_is_said_at_once(made_up):
    for listed in ("", "__all__ = ('Mine',)\n", "__all__ = [Mine.__name__]\n"):
        made_up("mine", "configuration", listed)
        with pytest.raises(ValueError, match="configuration_mine"):
            public_names("mine", "configuration")
    for name in ("mine", "yours"):
        for kind in ("configuration", "modeling", "objective"):
            made_up(name, kind, f"__all__ = ['{kind}_of_{name}']\n")
    assert len(auto.modules_of_names()) == 6
    made_up("yours", "modeling", "__all__ = ['modeling_of_mine']\n")
    with pytest.raises(ValueError, match="modeling_of_mine"):
        auto.modules_of_names()


def test_classes_of_a_new_family_are_checked(monkeypatch):
    one = auto.Family("mine")
    for wrong in ("AutoModel", ("AutoModelForNothing",), ()):
        classes = [type("Mine", (), {"auto_classes": wrong})]
        monkeypatch.setattr(one, "_defined", lambda kind, classes=classes: iter(classes))
        with pytest.raises(ValueError, match="auto_classes"):
            _ = one.models
    with pytest.raises(ValueError, match="Objective"):
        _ = one.objectives
    objective = type("MineObjective", (Objective,), {"__module__": "hf_arae.training.objective"})
    monkeypatch.setattr(one, "_defined", lambda kind: iter([objective]))
    with pytest.raises(ValueError, match="MineObjectiveArguments"):
        _ = one.objective_arguments


@pytest.mark.parametrize("name", hf_arae.__all__)
def test_every_public_name_is_there(name):
    assert getattr(hf_arae, name) is not None
    assert name in dir(hf_arae)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="AraeModle"):
        hf_arae.AraeModle  # noqa: B018


def test_version_is_the_distribution_s():
    declared = re.search(r'^version = "(.+)"$', Path("pyproject.toml").read_text(), re.MULTILINE)
    assert hf_arae.__version__ == declared[1]


# What every loaded model does with generate()


@pytest.fixture(scope="module")
def batch(tokenizer):
    return tokenizer(
        ["the food was awful !", "great !", "i am never coming back ."], padding=True, return_tensors="pt"
    )


TARGETS = torch.tensor([1, 0, 1])


def log_probability(model, code, attribute, sequences):
    """Of each row up to its `<eos>`; as in generation, the tokens that are ruled out keep their share."""
    logits = model.project(model.decoder_states(code, sequences[:, :-1], attribute)[0])
    chosen = logits.log_softmax(-1).gather(2, sequences[:, 1:, None]).squeeze(2)
    return chosen.masked_fill(sequences[:, 1:] == model.config.pad_token_id, 0.0).sum(1)


@torch.no_grad()
def test_beam_search_finds_sentences_at_least_as_probable_as_greedy_ones(transfer_model, batch):
    ids, mask = batch["input_ids"], batch["attention_mask"]
    code = transfer_model.encode(ids, mask)
    arguments = {"length_penalty": 0.0, "early_stopping": "never"}
    greedy = transfer_model.transfer(ids, mask, TARGETS)
    beams = transfer_model.transfer(ids, mask, TARGETS, num_beams=4, **arguments)
    everything = transfer_model.transfer(ids, mask, TARGETS, num_beams=4, num_return_sequences=4, **arguments)
    best = log_probability(transfer_model, code, TARGETS, beams)
    assert (best >= log_probability(transfer_model, code, TARGETS, greedy) - 1e-5).all()
    assert len(everything) == 12
    ranked = log_probability(
        transfer_model, code.repeat_interleave(4, 0), TARGETS.repeat_interleave(4), everything
    ).view(3, 4)
    assert (ranked.diff(dim=1) <= 1e-5).all()
    torch.testing.assert_close(ranked[:, 0], best)


@pytest.mark.parametrize("arguments", [{}, {"num_beams": 4}], ids=["greedy", "beams"])
def test_a_batch_of_mixed_targets_equals_its_sentences_alone(transfer_model, batch, arguments):
    together = transfer_model.transfer(batch["input_ids"], batch["attention_mask"], TARGETS, **arguments)
    for row, target in enumerate(TARGETS):
        length = batch["attention_mask"][row].sum()
        alone = transfer_model.transfer(batch["input_ids"][row : row + 1, :length], None, target, **arguments)[0]
        rest = together[row][len(alone) :]
        assert torch.equal(alone, together[row][: len(alone)]) and not rest.any()


def test_sampling_draws_from_the_whole_vocabulary_unless_told_otherwise(monkeypatch):
    torch.manual_seed(0)
    model = AraeModel(AraeConfig(vocab_size=200, embedding_size=4, hidden_size=4, code_size=4)).eval()
    code = torch.zeros(1, 4).expand(600, 4)
    one = {"do_sample": True, "max_new_tokens": 1}

    def drawn(**arguments):
        return len(model.decode(code, **arguments)[:, 1].unique())

    # An untrained model is close to uniform over 196 tokens: 600 draws see far more than 50 of them.
    assert drawn(**one) > 150
    assert drawn(generation_config=GenerationConfig(**one)) > 150
    assert drawn(top_k=7, **one) == 7
    assert drawn(generation_config=GenerationConfig(top_k=7, **one)) == 7
    assert drawn(max_new_tokens=1) == 1


def test_a_new_model_is_saved_without_a_warning(tmp_path, caplog):
    logging.enable_propagation()
    try:
        model = AraeModel(AraeConfig(vocab_size=20, embedding_size=4, hidden_size=4, code_size=4))
        model.save_pretrained(tmp_path)
        AraeModel.from_pretrained(tmp_path).save_pretrained(tmp_path)
    finally:
        logging.disable_propagation()
    assert not [record for record in caplog.records if record.levelname == "WARNING"]


# The words that tell an attribute


def test_attribute_is_told_by_the_words(transfer_model, tokenizer):
    texts = ["the food was awful !", "friendly staff , great food .", "never coming back ."]
    ids = tokenizer(texts, padding=True, return_tensors="pt")["input_ids"]
    assert transfer_model.predict_attribute(ids).tolist() == [0, 1, 0]
    longer = torch.nn.functional.pad(ids, (0, 5), value=tokenizer.pad_token_id)
    assert torch.equal(transfer_model.predict_attribute(longer), transfer_model.predict_attribute(ids))


def test_attribute_cannot_be_told_without_log_odds(transfer_model):
    untaught = AraeModel(transfer_model.config)
    with pytest.raises(ValueError, match="never filled"):
        untaught.predict_attribute(torch.tensor([[1, 7, 2]]))
    plain = AraeModel(AraeConfig(vocab_size=20, embedding_size=4, hidden_size=4, code_size=4))
    with pytest.raises(ValueError, match="num_attributes=1"):
        plain.predict_attribute(torch.tensor([[1, 7, 2]]))


def test_telling_words_are_hidden_from_the_encoder(transfer_model, tokenizer):
    config = AraeConfig(**{**transfer_model.config.to_diff_dict(), "mask_attribute_words": True})
    model = AraeModel(config).eval()
    model.attribute_log_odds.copy_(transfer_model.attribute_log_odds)
    ids = tokenizer(["the food was awful !", "the food was great !"], return_tensors="pt")["input_ids"]
    hidden = model.hide_attribute_words(ids)
    awful, great = tokenizer.convert_tokens_to_ids(["awful", "great"])
    telling = (ids == awful) | (ids == great)
    assert torch.equal(hidden, ids.masked_fill(telling, tokenizer.mask_token_id))
    codes = model.encode(ids)
    torch.testing.assert_close(codes[0], codes[1])


def test_log_odds_are_saved_and_loaded(transfer_model, transfer_folder):
    torch.testing.assert_close(
        AutoModel.from_pretrained(transfer_folder).attribute_log_odds, transfer_model.attribute_log_odds
    )
