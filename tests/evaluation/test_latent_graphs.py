"""What is measured and drawn of latent graphs."""

from __future__ import annotations

import pytest
import torch

from hf_arae import GlomoConfig, GlomoForPreTraining
from hf_arae.data.corpora.agreement import BONDS, build_agreement
from hf_arae.data.text.tokenization import train_tokenizer
from hf_arae.evaluation.graph_pictures import draw_graph
from hf_arae.evaluation.latent_graphs import GraphEvaluator, strongest, strongest_edges

ENDS = ("closers", "openers", "verbs", "subjects")
RIGHT = {f"{end}_right{graph}" for end in ENDS for graph in ("", "_in_mean")}


@pytest.fixture(scope="module")
def language():
    rows = build_agreement({"test": 40})["test"]
    return rows["text"][:], {kind: rows[kind][:] for kind in BONDS}


@pytest.fixture(scope="module")
def tokenizer(language):
    return train_tokenizer(language[0], max_length=80)


def make_model(tokenizer, **settings):
    torch.manual_seed(0)
    sizes = {"hidden_size": 8, "num_heads": 2, "head_size": 4, "num_graph_layers": 2}
    return GlomoForPreTraining(GlomoConfig.from_tokenizer(tokenizer, **sizes | settings)).train()


class Bonded(torch.nn.Module):
    """A model whose graphs are right: each end of a bond draws from the other."""

    def __init__(self, model, tokenizer, texts, bonds):
        super().__init__()
        self.model, self.config, self.device = model, model.config, model.device
        self.predictions, self.unit_losses, self.allowed_edges = (
            model.predictions,
            model.unit_losses,
            model.allowed_edges,
        )
        self.bonds = {}
        for row, text in enumerate(texts):
            found = [bond for kind in BONDS for bond in bonds[kind][row]]
            self.bonds[str(tokenizer(text)["input_ids"])] = found

    def layer_graphs(self, input_ids, attention_mask=None):
        graphs = torch.zeros(len(input_ids), 2, 1, input_ids.shape[1], input_ids.shape[1])
        for row, ids in enumerate(input_ids):
            for first, opened, closing, last in self.bonds[str(ids[ids != 0].tolist())]:
                graphs[row, 0, 0, opened + 1, last + 1] = graphs[row, 1, 0, closing + 1, first + 1] = 0.5
        yield graphs


def test_a_model_is_measured_as_its_own_losses_and_graphs_say(language, tokenizer):
    texts, bonds = language
    model = make_model(tokenizer)
    found = GraphEvaluator(tokenizer, texts, bonds, num_printed=1)(model)
    assert model.training
    model.eval()
    inputs = tokenizer(texts, padding=True, return_tensors="pt")
    losses = model.unit_losses(**inputs)
    assert found.metrics["next_words_nll"] == pytest.approx(losses.nanmean().item(), rel=1e-5)
    assert found.metrics["next_word_nll"] == pytest.approx(losses[..., 0].nanmean().item(), rel=1e-5)
    sparsity = model.sparsity(**inputs)
    assert found.metrics["edges"] == pytest.approx(sparsity["edges"], rel=1e-4)
    assert found.metrics["empty_columns"] == pytest.approx(100 * sparsity["empty_columns"], abs=1e-3)
    assert found.metrics.keys() >= RIGHT and found.samples[0] == texts[0] and len(found.samples) == 9


def test_right_edges_are_counted(language, tokenizer):
    texts, bonds = language
    model = make_model(tokenizer)
    found = GraphEvaluator(tokenizer, texts, bonds, num_printed=0)(Bonded(model, tokenizer, texts, bonds))
    assert {name: found.metrics[name] for name in RIGHT} == dict.fromkeys(RIGHT, pytest.approx(100))
    wrong = GraphEvaluator(tokenizer, texts, bonds, num_printed=0)(make_model(tokenizer, graph="uniform"))
    assert all(0 < wrong.metrics[name] < 25 for name in RIGHT), "one of many that are equal"
    none = GraphEvaluator(tokenizer, texts, bonds, num_printed=0)(make_model(tokenizer, graph="none"))
    assert {none.metrics[name] for name in RIGHT} == {0} and none.metrics["empty_columns"] == 100


def test_the_strongest_entry_shares_its_point():
    columns = torch.tensor([[0.1, 0.6, 0.3], [0.4, 0.4, 0.2], [0.0, 0.0, 0.0]])
    assert strongest(columns, torch.tensor([1, 0, 0])).tolist() == [1.0, 0.5, 0.0]
    assert strongest(columns, torch.tensor([2, 2, 1])).tolist() == [0.0, 0.0, 0.0]


def test_strongest_edges_are_those_of_the_graphs(language, tokenizer):
    model = make_model(tokenizer).eval()
    edges = strongest_edges(model, tokenizer, language[0][0], count=5)
    inputs = tokenizer([language[0][0]], return_tensors="pt")
    rivals = model.allowed_edges(**inputs)[0].sum(-2)[:, None, None, None] > 1
    graphs = model.graphs(**inputs)[0].masked_fill(~rivals, 0)
    assert [edge["weight"] for edge in edges] == pytest.approx(graphs.flatten().topk(5).values.tolist(), abs=1e-4)
    words = ["<bos>", *language[0][0].split(), "<eos>"]
    for edge in edges:
        direction = ("forward", "backward").index(edge["direction"])
        entry = graphs[direction, edge["layer"] - 1, edge["head"] - 1, edge["source_place"], edge["place"]]
        assert edge["weight"] == pytest.approx(entry.item(), abs=1e-4)
        assert (edge["word"], edge["source"]) == (words[edge["place"]], words[edge["source_place"]])
    assert strongest_edges(make_model(tokenizer, graph="none"), tokenizer, "bal") == []


def test_a_sentence_s_loss_has_another_name(language, tokenizer):
    metrics = GraphEvaluator(tokenizer, language[0], num_printed=0)(make_model(tokenizer, predicts="sentence")).metrics
    assert metrics.keys() == {"sentence_nll", "edges", "empty_columns"}


def test_bonds_must_fit_into_a_window(language):
    short = train_tokenizer(language[0], max_length=10)
    with pytest.raises(ValueError, match="window"):
        GraphEvaluator(short, *language)
    assert len(GraphEvaluator(short, language[0]).windows) > len(language[0])


def test_graphs_are_drawn(tmp_path):
    pytest.importorskip("matplotlib")
    from PIL import Image

    graphs, tokens = torch.rand(2, 3, 5, 5), ["<bos>", "a", "$b", "c_{d}", "e"]
    for name, part in {"all": graphs, "layer": graphs[0], "head": graphs[0, 0]}.items():
        draw_graph(part, tokens, tmp_path / f"{name}.png")
    sizes = [Image.open(tmp_path / f"{name}.png").size for name in ("all", "layer", "head")]
    assert sizes[0][0] == sizes[1][0] > sizes[2][0] and sizes[0][1] > sizes[1][1] == sizes[2][1]
    for wrong, names in ((graphs, tokens[1:]), (graphs[:0], tokens), (torch.rand(81, 81), ["a"] * 81)):
        with pytest.raises(ValueError):
            draw_graph(wrong, names, tmp_path / "wrong.png")
