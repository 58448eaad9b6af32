"""Models of tasks with graphs inside: trained, saved, loaded, in pipelines; the predictor stays as it is."""

from __future__ import annotations

import pytest
import torch
from datasets import Dataset
from testing_mixins import TextFamilyTests, made_up_sentences
from transformers import (
    AutoModelForQuestionAnswering,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
    AutoTokenizer,
    pipeline,
)

from hf_arae.data.collated_rows import CollatedRows
from hf_arae.data.text.token_arrays import TokenArrays
from hf_arae.data.text.tokenization import train_tokenizer
from hf_arae.models.glomo.configuration_glomo import GlomoConfig
from hf_arae.models.glomo.modeling_glomo import GlomoModel
from hf_arae.models.glomo.modeling_glomo_pretraining import GlomoForPreTraining
from hf_arae.models.glomo.modeling_glomo_tasks import (
    GlomoForQuestionAnswering,
    GlomoForSequenceClassification,
    GlomoForTokenClassification,
)
from hf_arae.models.glomo.objective_glomo_tasks import GlomoTaskObjective
from hf_arae.nn.graphs import GRAPHS

SIZES = {"vocab_size": 30, "hidden_size": 8, "num_graph_layers": 2, "num_heads": 2, "head_size": 3}
SIZES |= {"key_layers": 1, "query_layers": 1, "context_length": 24, "task_hidden_size": 5}
CLASSES = {
    GlomoForSequenceClassification: AutoModelForSequenceClassification,
    GlomoForTokenClassification: AutoModelForTokenClassification,
    GlomoForQuestionAnswering: AutoModelForQuestionAnswering,
}
PAIRS = torch.tensor([[1, 9, 8, 2, 1, 7, 6, 11, 12, 2], [1, 6, 2, 1, 8, 9, 2, 0, 0, 0]])
ANSWERS = {"start_positions": torch.tensor([6, 4]), "end_positions": torch.tensor([7, 4])}


def make(cls, **changes):
    """A model whose predictor has weights so large that its graphs differ, in evaluation mode."""
    torch.manual_seed(0)
    model = cls(GlomoConfig(**(SIZES | changes))).eval()
    for parameter in model.glomo.parameters():
        torch.nn.init.normal_(parameter, std=0.7)
    return model


def labels_for(model) -> dict[str, torch.Tensor]:
    if isinstance(model, GlomoForQuestionAnswering):
        return ANSWERS
    if isinstance(model, GlomoForTokenClassification):
        return {"labels": (PAIRS % 2).masked_fill(PAIRS == 0, -100)}
    return {"labels": torch.tensor([0, 1])}


def values(output) -> torch.Tensor:
    return torch.cat([output[name].flatten() for name in output if name != "loss"])


class _TaskTests(TextFamilyTests):
    cls = GlomoForSequenceClassification
    settings = {"mix_at": "both"}

    def build_model(self):
        return make(self.cls, **self.settings).train()

    def build_objective(self, model):
        return GlomoTaskObjective(model)

    @property
    def never_moved(self):
        return frozenset(name for name, _ in self.build_model().named_parameters() if name.startswith("glomo."))


class TestSequenceClassification(_TaskTests):
    def data(self, rows: int = 64) -> CollatedRows:
        made = made_up_sentences(rows)

        def collate(batch):
            ids = [torch.tensor(row["input_ids"]) for row in batch]
            ids = torch.nn.utils.rnn.pad_sequence(ids, batch_first=True)
            labels = torch.tensor([row["attribute"] for row in batch])
            return {"input_ids": ids, "attention_mask": (ids != 0).long(), "labels": labels}

        return CollatedRows(made, collate)


class TestTokenClassification(_TaskTests):
    cls = GlomoForTokenClassification
    settings = {"mix_at": "states", "mixture_weights": "free"}

    def data(self, rows: int = 64) -> TokenArrays:
        made = made_up_sentences(rows, attributes=1)
        return TokenArrays(made.add_column("labels", [[one % 2 for one in row] for row in made["input_ids"]]), 0)


class TestQuestionAnswering(_TaskTests):
    cls = GlomoForQuestionAnswering
    settings = {"task_attention": True, "task_layers": 2}

    def data(self, rows: int = 64) -> CollatedRows:
        def collate(batch):
            rows = torch.tensor([row["row"] % 2 for row in batch])
            found = {name: value[rows] for name, value in ANSWERS.items()}
            return {"input_ids": PAIRS[rows], "attention_mask": (PAIRS[rows] != 0).long(), **found}

        return CollatedRows(Dataset.from_dict({"row": list(range(rows))}), collate)


@pytest.mark.parametrize("graph", GRAPHS)
@pytest.mark.parametrize("cls", CLASSES)
def test_each_kind_of_graphs_is_a_row_of_one_table(cls, graph, tmp_path):
    model = make(cls, graph=graph, task_attention=True).train()
    assert not model.glomo.training
    model(PAIRS, **labels_for(model)).loss.backward()
    assert all(one.grad is None and not one.requires_grad for one in model.glomo.parameters())
    assert all(one.grad.any() for name, one in model.task.named_parameters())
    assert bool(model.task.network.mixers) == (graph != "none")
    model.eval().save_pretrained(tmp_path)
    loaded = CLASSES[cls].from_pretrained(tmp_path)
    assert type(loaded) is cls and not any(one.requires_grad for one in loaded.glomo.parameters())
    torch.testing.assert_close(values(loaded(PAIRS)), values(model(PAIRS)))


@pytest.mark.parametrize("cls", CLASSES)
def test_what_the_graphs_are_counts(cls):
    found = [values(make(cls, graph=graph)(PAIRS)) for graph in ("learned", "uniform", "random")]
    assert not torch.equal(found[0], found[1]) and not torch.equal(found[1], found[2])


@pytest.mark.parametrize("cls", CLASSES)
@torch.no_grad()
def test_padding_changes_nothing(cls):
    model = make(cls, mix_at="both", task_attention=True)
    for row, length in enumerate((10, 7)):
        alone, wide = model(PAIRS[row : row + 1, :length]), model(torch.nn.functional.pad(PAIRS, (0, 4)))
        for name in alone:
            cut = wide[name][row : row + 1]
            cut = cut if cls is GlomoForSequenceClassification else cut[:, :length]
            torch.testing.assert_close(cut, alone[name])
    left = torch.tensor([[0, 0, 1, 9, 2], [1, 6, 7, 8, 2]])
    if cls is GlomoForSequenceClassification:
        torch.testing.assert_close(model(left).logits[0], model(left[:1, 2:]).logits[0])
    else:
        with pytest.raises(ValueError, match="right"):
            model(left)


@pytest.mark.parametrize("cls", CLASSES)
def test_a_pre_trained_predictor_loads_under_a_new_task(cls, tmp_path):
    torch.manual_seed(1)
    trained = GlomoForPreTraining(GlomoConfig(**SIZES)).eval()
    trained.save_pretrained(tmp_path)
    model = cls.from_pretrained(tmp_path, mix_at="both", mixture_weights="free")
    wanted = GlomoModel.from_pretrained(tmp_path)
    for one, other in zip(model.glomo.parameters(), wanted.parameters(), strict=True):
        assert torch.equal(one, other) and not one.requires_grad
    assert all(mixer.scales.eq(1).all() and not mixer.logits.any() for mixer in model.task.network.mixers.values())


def test_pipelines_classify_texts_and_tokens(tmp_path):
    texts = ["the food was great .", "the staff was awful !", "i love it"]
    tokenizer = train_tokenizer(texts, max_length=10)
    sizes = {"vocab_size": len(tokenizer), "context_length": 12}
    for cls, task in (
        (GlomoForSequenceClassification, "text-classification"),
        (GlomoForTokenClassification, "token-classification"),
    ):
        folder = tmp_path / task
        model = make(cls, **sizes, id2label={0: "bad", 1: "good"})
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        run = pipeline(task, str(folder))
        found = run(texts, batch_size=2)
        logits = model(**tokenizer(texts[:1], return_tensors="pt")).logits.softmax(-1)
        if task == "text-classification":
            assert found[0]["label"] == ("bad", "good")[logits.argmax()]
            pair = run({"text": texts[0], "text_pair": texts[1][:10]}, truncation=True)
            assert pair["label"] in ("bad", "good")
            with pytest.raises(ValueError, match="truncation"):
                run(" ".join(texts))
        else:
            assert [one["word"] for one in found[0]] == [*["<bos>"][:0], "the", "food", "was", "great", "."]
            assert found[0][1]["entity"] == ("bad", "good")[logits[0, 2].argmax()]
            assert texts[0][found[0][1]["start"] : found[0][1]["end"]] == "food"
    again = AutoTokenizer.from_pretrained(tmp_path / "text-classification")
    assert len(again) == len(tokenizer)


@torch.no_grad()
def test_answers_lie_in_the_passage():
    model = make(GlomoForQuestionAnswering, task_attention=True)
    starts, ends = model.answer_spans(PAIRS, longest_answer=2)
    passage = model.passage(PAIRS, PAIRS != 0)
    assert passage.tolist()[1] == [False] * 4 + [True] * 2 + [False] * 4
    for row, (start, end) in enumerate(zip(starts.tolist(), ends.tolist(), strict=True)):
        assert passage[row, start] and passage[row, end] and 0 <= end - start < 2
    output = model(PAIRS)
    logits = (output.start_logits.log_softmax(1), output.end_logits.log_softmax(1))
    spans = [(a, b) for a in range(5, 9) for b in range(a, min(a + 2, 9))]
    best = max(spans, key=lambda span: float(logits[0][0, span[0]] + logits[1][0, span[1]]))
    assert (int(starts[0]), int(ends[0])) == best
    for start, end in ((1, 6), (6, 9), (7, 6), (6, 40), (-1, 6)):
        with pytest.raises(ValueError, match="passage"):
            model(PAIRS[:1], start_positions=torch.tensor([start]), end_positions=torch.tensor([end]))
    with pytest.raises(ValueError, match="go together"):
        model(PAIRS, start_positions=ANSWERS["start_positions"])
    for wrong in ([[1, 9, 8, 2]], [[1, 9, 2, 1, 2]]):
        with pytest.raises(ValueError, match="passage"):
            model(torch.tensor(wrong))


def test_a_table_of_words_grows_with_the_predictor_s():
    model = make(GlomoForSequenceClassification)
    model.resize_token_embeddings(33)
    assert model.glomo.embeddings.weight.shape[0] == 33 and not model.glomo.embeddings.weight.requires_grad
    assert model(torch.tensor([[1, 32, 2]])).logits.isfinite().all()


def test_labels_are_whole_numbers_of_any_kind_one_a_text():
    model = make(GlomoForSequenceClassification, graph="none")
    ids, right = PAIRS[:2], torch.tensor([0, 1])
    loss = model(ids, labels=right).loss
    for same in (right.int(), right.to(torch.uint8)):
        assert torch.equal(model(ids, labels=same).loss, loss)
    some = model(ids, labels=torch.tensor([0, -100])).loss
    torch.testing.assert_close(some, model(ids[:1], labels=right[:1]).loss)
    for wrong in (
        right.float(),
        right.bool(),
        right[:1],
        right[:, None],
        right + 5,
        torch.rand(2, 2),
        torch.tensor([0, -1]),
    ):
        with pytest.raises(ValueError, match="labels"):
            model(ids, labels=wrong)


@pytest.mark.parametrize("cls", [GlomoForSequenceClassification, GlomoForTokenClassification])
def test_a_classifier_that_could_learn_nothing_is_refused(cls):
    for wrong in ({"num_labels": 1}, {"problem_type": "regression"}, {"problem_type": "multi_label_classification"}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            make(cls, graph="none", **wrong)


@pytest.mark.parametrize("cls", CLASSES)
def test_a_text_without_a_token_and_a_batch_without_a_text_are_refused(cls):
    model = make(cls, graph="none")
    for ids in (torch.zeros(2, 4, dtype=torch.long), torch.zeros(2, 0, dtype=torch.long)):
        with pytest.raises(ValueError, match="no token"):
            model(ids)
    with pytest.raises(ValueError, match="no text"):
        model(torch.zeros(0, 4, dtype=torch.long))


def test_wrong_input_is_refused():
    model = make(GlomoForSequenceClassification, graph="none")
    with pytest.raises(ValueError, match="context_length"):
        model(torch.ones(1, 25, dtype=torch.long))
    with pytest.raises(ValueError, match="no token"):
        model(torch.zeros(1, 4, dtype=torch.long))
    with pytest.raises(TypeError, match="inputs"):
        model(PAIRS, inputs=1)
    for wrong in ({"mix_at": "any"}, {"task_dropout": 1.0}, {"gate_size": 0}, {"mixture_weights": "any"}):
        with pytest.raises(Exception, match=next(iter(wrong))):
            GlomoConfig(**SIZES, **wrong)
