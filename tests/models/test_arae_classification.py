"""ARAE with a classifier of pairs: how pairs are split, how it is trained, and how it loads."""

from __future__ import annotations

import pytest
import torch
from datasets import Dataset
from testing_mixins import TextFamilyTests
from torch.nn import functional as F
from transformers import AutoModel, AutoModelForSequenceClassification, pipeline

import hf_arae  # noqa: F401 (registers the Auto classes)
from hf_arae import AraeConfig, AraeForSequenceClassification, AraeModel
from hf_arae.data.corpora.scenes import LABELS, build_scenes
from hf_arae.data.pair_batches import SentencesWithPairs
from hf_arae.data.text.tokenization import train_tokenizer
from hf_arae.models.arae.objective_pairs import AraePairObjective, AraePairObjectiveArguments

SIZES = {"vocab_size": 30, "embedding_size": 8, "hidden_size": 12, "code_size": 10, "latent_size": 6}
PAIRS = torch.tensor([[1, 9, 8, 2, 1, 7, 2, 0], [1, 6, 2, 1, 5, 7, 9, 2], [1, 2, 1, 2, 0, 0, 0, 0]])


def pair_config(**changes) -> AraeConfig:
    return AraeConfig(**(SIZES | {"num_labels": 3, "classifier_sizes": [7]} | changes))


class PairFamilyTests(TextFamilyTests):
    """Batches of the family tests, with labelled pairs beside the sentences."""

    method = "arae"

    def build_model(self):
        return AraeForSequenceClassification(pair_config())

    def build_objective(self, model):
        return AraePairObjective(model, AraePairObjectiveArguments(method=self.method, critic_steps=2))

    def batch(self):
        labels = torch.tensor([0, 1, 2])
        return super().batch() | {"pair_input_ids": PAIRS, "pair_labels": labels}

    def data(self, rows=64):
        words = " ".join(chr(ord("a") + at) for at in range(25))
        pairs = Dataset.from_dict({"premise": ["a b", "c"], "hypothesis": ["d", "e f"], "label": [0, 2]})
        return SentencesWithPairs(super().data(rows), pairs, train_tokenizer([words]), 4)


class TestSupervised(PairFamilyTests):
    method = "supervised"

    def test_an_iteration_moves_every_parameter_and_a_phase_only_its_player(self, tmp_path):
        trainer = self.trainer(tmp_path)
        assert [phase.name for phase in trainer.phases] == ["reader"]
        before = {name: value.clone() for name, value in trainer.model.named_parameters()}
        trainer.run_phase(trainer.phases[0], self.batch())
        moved = {name for name, value in trainer.model.named_parameters() if not torch.equal(value, before[name])}
        expected = {name for name in before if name.startswith(("arae.embeddings.0", "arae.encoder", "pair_class"))}
        assert moved == expected


class TestAe(PairFamilyTests):
    method = "ae"
    never_moved = frozenset(
        name
        for name, _ in AraeForSequenceClassification(pair_config()).named_parameters()
        if name.startswith(("arae.critic", "arae.generator"))
    )


class TestArae(PairFamilyTests):
    never_moved = frozenset({"arae.critic.layers.4.bias"})  # a constant added to a difference


@pytest.fixture(scope="module")
def model() -> AraeForSequenceClassification:
    torch.manual_seed(0)
    return AraeForSequenceClassification(pair_config(amplify_code=True, initialization="scaled")).eval()


def test_pairs_are_split_where_the_second_sentence_begins(model):
    first, second = model.split_pairs(PAIRS)
    assert first.tolist() == [[1, 9, 8, 2], [1, 6, 2, 0], [1, 2, 0, 0]]
    assert second.tolist() == [[1, 7, 2, 0, 0], [1, 5, 7, 9, 2], [1, 2, 0, 0, 0]]
    wide = F.pad(PAIRS, (0, 3))
    assert all(torch.equal(one, other) for one, other in zip(model.split_pairs(wide), (first, second), strict=True))


def test_features_are_those_of_the_two_codes(model):
    u = model.arae.encode(torch.tensor([[1, 9, 8, 2]])) * 10**0.5
    v = model.arae.encode(torch.tensor([[1, 7, 2]])) * 10**0.5
    expected = torch.cat([u, v, (u - v).abs(), u * v], 1)
    torch.testing.assert_close(model.pair_features(PAIRS)[:1], expected)


def test_the_loss_is_the_cross_entropy_and_padding_changes_nothing(model):
    labels = torch.tensor([2, 0, 1])
    output = model(PAIRS, labels=labels)
    assert output.logits.shape == (3, 3)
    torch.testing.assert_close(output.loss, F.cross_entropy(output.logits, labels))
    torch.testing.assert_close(model(F.pad(PAIRS, (0, 5))).logits, output.logits)
    torch.testing.assert_close(model(PAIRS[2:, :4]).logits, output.logits[2:])
    assert torch.equal(model(PAIRS, labels=labels, return_dict=False)[1], output.logits)


def test_one_sentence_is_refused(model):
    with pytest.raises(ValueError, match=r"row 1 holds 1 sentence\(s\), not two"):
        model(torch.tensor([[1, 5, 2, 1, 6, 2], [1, 5, 6, 7, 8, 2]]))
    with pytest.raises(ValueError, match="row 0 holds 3"):
        model(torch.tensor([[1, 2, 1, 2, 1, 2]]))


def test_attributes_and_pair_labels_exclude_each_other():
    config = AraeConfig(**SIZES, num_attributes=2, id2label={0: "a", 1: "b"})
    with pytest.raises(ValueError, match="num_attributes=1, got 2"):
        AraeForSequenceClassification(config)


def test_an_unknown_method_is_refused():
    with pytest.raises(ValueError, match="supervised, ae, arae"):
        AraePairObjectiveArguments(method="both")


def test_auto_classes_load_it_an_autoencoder_begins_it_and_it_gives_the_autoencoder_back(tmp_path, model):
    model.save_pretrained(tmp_path / "pairs")
    again = AutoModelForSequenceClassification.from_pretrained(tmp_path / "pairs")
    assert type(again) is AraeForSequenceClassification
    torch.testing.assert_close(again(PAIRS).logits, model(PAIRS).logits)
    inner = AutoModel.from_pretrained(tmp_path / "pairs")
    assert type(inner) is AraeModel
    torch.testing.assert_close(inner.encode(PAIRS[:, :4]), model.arae.encode(PAIRS[:, :4]))

    inner.save_pretrained(tmp_path / "autoencoder")
    begun = AraeForSequenceClassification.from_pretrained(tmp_path / "autoencoder", num_labels=3)
    for name, value in begun.arae.state_dict().items():
        assert torch.equal(value, model.arae.state_dict()[name]), name
    assert begun(PAIRS).logits.shape == (3, 3)


def test_the_pipeline_labels_pairs(tmp_path):
    pairs = build_scenes({"train": 60})["train"]
    tokenizer = train_tokenizer([*pairs["premise"], *pairs["hypothesis"]], max_length=50)
    torch.manual_seed(0)
    config = pair_config(vocab_size=len(tokenizer), id2label=dict(enumerate(LABELS)))
    AraeForSequenceClassification(config).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    classify = pipeline("text-classification", model=str(tmp_path))
    rows = [{"text": row["premise"], "text_pair": row["hypothesis"]} for row in pairs.select(range(3))]
    found = classify(rows, top_k=None)
    assert [{label["label"] for label in row} for row in found] == [set(LABELS)] * 3
    with pytest.raises(ValueError, match="text and text_pair"):
        classify(pairs["premise"][0])
