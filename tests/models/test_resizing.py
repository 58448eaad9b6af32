"""The vocabulary of a trained model can grow or shrink, everywhere at once, or the reason why not is given."""

import inspect

import pytest
import torch
from family_tests import LABELS, has_field, narrow_model, reads_words

from hf_arae.models.auto import families

IDS = torch.tensor([[1, 7, 9, 2], [1, 19, 2, 0]])
FIXED = ("headline_selector", "infilling")  # its own tests say why


@pytest.fixture(params=[False, True], ids=["own tables", "one table"])
def models(request):
    """Each class of every family that has tables of words, and those with labels."""
    found = []
    for kind in families():
        if kind.name in FIXED or not reads_words(kind):
            continue
        changes = {"share_embeddings": request.param} if has_field(kind, "share_embeddings") else {}
        classes = {cls: auto_class for auto_class, cls in kind.models.items()}
        found += [narrow_model(kind.name, 21, auto_class, **changes) for auto_class in classes.values()]
        if has_field(kind, "num_attributes"):
            found.append(narrow_model(kind.name, 21, **changes, **LABELS, mask_attribute_words=True))
    return found


def inputs_of(model):
    if "SequenceClassification" in type(model).__name__:
        return {"input_ids": torch.cat([IDS[:1], IDS[:1]], 1), "labels": torch.tensor([1])}
    if "QuestionAnswering" in type(model).__name__:
        return {"input_ids": torch.cat([IDS[:1], IDS[:1]], 1)}
    if "TokenClassification" in type(model).__name__:
        return {"input_ids": IDS, "labels": IDS % 2}
    if "labels" not in inspect.signature(model.forward).parameters:
        return {"input_ids": IDS}
    given = {"input_ids": IDS, "labels": IDS}
    return given | ({"attribute": torch.tensor([0, 1])} if getattr(model.config, "num_attributes", 1) > 1 else {})


def test_every_table_grows_and_the_old_words_keep_their_meaning(models, tmp_path):
    for number, model in enumerate(models):
        kind = type(model).__name__
        before = model(**inputs_of(model))
        wanted = next(
            name for name in ("logits", "start_logits", "last_hidden_state", "loss") if before.get(name) is not None
        )
        table = model.get_input_embeddings()
        assert len(table.weight) == 21, kind
        assert model.resize_token_embeddings(None) is table and model.resize_token_embeddings(21) is table
        old = table.weight.detach().clone()
        grown = model.resize_token_embeddings(23)
        assert grown is model.get_input_embeddings() and len(grown.weight) == 23 and grown.num_embeddings == 23
        assert torch.equal(grown.weight[:21], old), kind
        torch.testing.assert_close(grown.weight[21:], old.mean(0).expand(2, -1))
        assert model.config.vocab_size == 23
        after = model(**inputs_of(model))
        if "Classification" in kind or wanted in ("start_logits", "last_hidden_state"):
            torch.testing.assert_close(after[wanted], before[wanted])
        elif wanted == "loss":  # new words have their share of what is predicted
            assert after.loss.isfinite() and after.loss != before.loss, kind
        else:
            assert after.logits.shape[-1] == 23
            torch.testing.assert_close(after.logits[..., :21], before.logits)
            after = model(**inputs_of(model) | {"labels": IDS.masked_fill(IDS == 9, 22)})
            assert after.loss.isfinite(), kind
        if getattr(model.config, "num_attributes", 1) > 1:
            assert model.attribute_log_odds.shape == (23, 2) and not model.attribute_log_odds[21:].any()
        model.save_pretrained(tmp_path / str(number))
        again = type(model).from_pretrained(tmp_path / str(number))
        for name, value in model.state_dict().items():
            assert torch.equal(value, again.state_dict()[name]), (kind, name)
        assert 23 in {value.shape[0] for value in model.state_dict().values() if value.ndim}
        assert not any(21 in value.shape for value in model.state_dict().values()), kind
        model.resize_token_embeddings(21)
        torch.testing.assert_close(model(**inputs_of(model))[wanted], before[wanted])


def test_a_bag_of_words_grows_too():
    model = narrow_model("vae", 21, bag_of_words_sizes=[7])
    model.resize_token_embeddings(23, mean_resizing=False)
    assert model.bag_of_words(torch.zeros(1, 4)).shape == (1, 23)


def test_what_cannot_be_resized_says_why(models):
    for model in models:
        with pytest.raises(ValueError, match="pad_to_multiple_of"):
            model.resize_token_embeddings(23, pad_to_multiple_of=8)
        with pytest.raises(ValueError, match="new_num_tokens must be at least 5"):
            model.resize_token_embeddings(4)


def test_another_table_can_take_its_place(models):
    for model in models:
        table = torch.nn.Embedding(*model.get_input_embeddings().weight.shape)
        model.set_input_embeddings(table)
        assert model.get_input_embeddings() is table
