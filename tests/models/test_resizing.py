"""The vocabulary of a trained model can grow or shrink, everywhere at once, or the reason why not is given."""

import pytest
import torch

from hf_arae.models.aae.configuration_aae import AaeConfig
from hf_arae.models.aae.modeling_aae import AaeModel
from hf_arae.models.arae.configuration_arae import AraeConfig
from hf_arae.models.arae.modeling_arae import AraeModel
from hf_arae.models.arae.modeling_pairs import AraeForSequenceClassification
from hf_arae.models.rnn_lm.configuration_rnn_lm import RnnLmConfig
from hf_arae.models.rnn_lm.modeling_rnn_lm import RnnLmForCausalLM
from hf_arae.models.ursae.configuration_ursae import UrsaeConfig
from hf_arae.models.ursae.modeling_ursae import UrsaeForConditionalGeneration
from hf_arae.models.vae.configuration_vae import VaeConfig
from hf_arae.models.vae.modeling_vae import VaeModel

SIZES = {"vocab_size": 21, "embedding_size": 6, "hidden_size": 8}
TWO = {"num_attributes": 2, "id2label": {0: "bad", 1: "good"}, "mask_attribute_words": True}
IDS = torch.tensor([[1, 7, 9, 2], [1, 19, 2, 0]])


@pytest.fixture(params=[False, True], ids=["own tables", "one table"])
def models(request):
    shared = {"share_embeddings": request.param}
    return [
        AraeModel(AraeConfig(**SIZES, **shared, code_size=5, **TWO)),
        AraeForSequenceClassification(AraeConfig(**SIZES, **shared, code_size=5)),
        VaeModel(VaeConfig(**SIZES, **shared, code_size=5, bag_of_words_sizes=[7])),
        AaeModel(AaeConfig(**SIZES, **shared, code_size=5)),
        RnnLmForCausalLM(RnnLmConfig(**SIZES, **shared)),
        UrsaeForConditionalGeneration(UrsaeConfig(**SIZES, **shared, reader_size=5, conv_size=6)),
    ]


def inputs_of(model):
    if isinstance(model, AraeForSequenceClassification):
        return {"input_ids": torch.cat([IDS[:1], IDS[:1]], 1), "labels": torch.tensor([1])}
    given = {"input_ids": IDS, "labels": IDS}
    return given | ({"attribute": torch.tensor([0, 1])} if getattr(model.config, "num_attributes", 1) > 1 else {})


def test_every_table_grows_and_the_old_words_keep_their_meaning(models, tmp_path):
    for model in models:
        kind = type(model).__name__
        model.eval()
        before = model(**inputs_of(model))
        table = model.get_input_embeddings()
        assert table.weight.shape == (21, 6), kind
        assert model.resize_token_embeddings(None) is table and model.resize_token_embeddings(21) is table
        old = table.weight.detach().clone()
        grown = model.resize_token_embeddings(23)
        assert grown is model.get_input_embeddings() and grown.weight.shape == (23, 6) and grown.num_embeddings == 23
        assert torch.equal(grown.weight[:21], old), kind
        torch.testing.assert_close(grown.weight[21:], old.mean(0).expand(2, -1))
        assert model.config.vocab_size == 23
        after = model(**inputs_of(model))
        if "Classification" in kind:
            torch.testing.assert_close(after.logits, before.logits)
        else:
            assert after.logits.shape[-1] == 23
            torch.testing.assert_close(after.logits[..., :21], before.logits)
            after = model(**inputs_of(model) | {"labels": IDS.masked_fill(IDS == 9, 22)})
            assert after.loss.isfinite(), kind
        if getattr(model.config, "num_attributes", 1) > 1:
            assert model.attribute_log_odds.shape == (23, 2) and not model.attribute_log_odds[21:].any()
        model.save_pretrained(tmp_path / kind)
        again = type(model).from_pretrained(tmp_path / kind)
        for name, value in model.state_dict().items():
            assert torch.equal(value, again.state_dict()[name]), (kind, name)
        assert 23 in {value.shape[0] for value in model.state_dict().values() if value.ndim}
        assert not any(21 in value.shape for value in model.state_dict().values()), kind
        model.resize_token_embeddings(21)
        torch.testing.assert_close(model(**inputs_of(model)).logits, before.logits)


def test_a_bag_of_words_grows_too(models):
    model = models[2]
    model.resize_token_embeddings(23, mean_resizing=False)
    assert model.bag_of_words(torch.zeros(1, 5)).shape == (1, 23)


def test_what_cannot_be_resized_says_why(models):
    for model in models:
        with pytest.raises(ValueError, match="pad_to_multiple_of"):
            model.resize_token_embeddings(23, pad_to_multiple_of=8)
        with pytest.raises(ValueError, match="new_num_tokens must be at least 5"):
            model.resize_token_embeddings(4)


def test_another_table_can_take_its_place(models):
    for model in models:
        table = torch.nn.Embedding(21, 6)
        model.set_input_embeddings(table)
        assert model.get_input_embeddings() is table
