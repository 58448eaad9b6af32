"""What models of labels say of their own outputs: style, content, fluency, and how sure a guess of the label is."""

import math

import pytest
import torch

from hf_arae import AeConfig, AeModel
from hf_arae.models.arae.configuration_arae import AraeConfig
from hf_arae.models.arae.modeling_arae import AraeModel

SIZES = {"vocab_size": 12, "embedding_size": 6, "hidden_size": 7, "code_size": 5}
LABELS = {"num_attributes": 2, "id2label": {0: "sad", 1: "glad"}}


@pytest.fixture(params=[(AraeModel, AraeConfig), (AeModel, AeConfig)], ids=["arae", "ae"])
def model(request):
    kind, config = request.param
    torch.manual_seed(0)
    model = kind(config(**SIZES, **LABELS)).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.6)
    model.projection.bias.data.zero_()
    model.attribute_log_odds[5] = torch.tensor([3.0, -3.0])  # "sad"
    model.attribute_log_odds[6] = torch.tensor([-3.0, 3.0])  # "glad"
    return model


def ids(*rows):
    width = max(map(len, rows)) + 2
    return torch.tensor([[1, *row, 2] + [0] * (width - len(row) - 2) for row in rows])


def test_probabilities_follow_the_words(model):
    batch = ids([5], [6, 6, 9], [9, 8], [5, 6])
    found = model.attribute_probabilities(batch)
    assert found.dtype == torch.float32 and torch.allclose(found.sum(1), torch.ones(4))
    assert found[0, 0] == pytest.approx(1 / (1 + math.exp(-2))) and found[1, 1] > found[0, 0]
    assert found[2].tolist() == found[3].tolist() == [0.5, 0.5]
    told = found.amax(1) > 0.5
    assert torch.equal(found.argmax(1)[told], model.predict_attribute(batch)[told])


def test_scores_lie_between_0_and_1(model):
    torch.manual_seed(1)
    source, output = torch.randint(3, 12, (2, 40, 6))
    source, output = (torch.cat([torch.ones(40, 1).long(), part], 1) for part in (source, output))
    output[:20, -1] = 2
    scores = model.transfer_scores(source, torch.ones_like(source), output, torch.arange(40) % 2)
    assert list(scores) == ["style", "content", "fluency"]
    for name, score in scores.items():
        assert score.shape == (40,) and score.dtype == torch.float32, name
        assert (score >= 0).all() and (score <= 1).all(), name


def test_style_is_that_of_the_output(model):
    source, output = ids([5, 9], [5, 9]), ids([6, 9], [5, 9])
    for target in (1, torch.tensor([1, 1])):
        style = model.transfer_scores(source, None, output, target)["style"]
        assert style[0] > 0.8 > 0.2 > style[1]
    assert model.transfer_scores(source, None, output, 0)["style"].tolist() == pytest.approx((1 - style).tolist())


def test_content_is_the_share_of_other_words(model):
    content = model.transfer_scores(
        ids([9, 5], [9, 8], [9, 8], [9, 9, 8], [9], [9]),
        None,
        ids([9, 6], [8, 9], [9, 10], [9, 8, 10], [10], [9, 9, 9]),
        1,
    )["content"].tolist()
    assert content[0] > 0.9 and content[1] == 1  # words that tell the style hardly count
    assert content[2:] == pytest.approx([0.5, 2 / 3, 0, 0.5])
    with torch.no_grad():
        model.projection.bias[9] = 5.0  # a frequent word says less of what the sentence is about
    rare, frequent = model.transfer_scores(ids([9, 8], [9, 8]), None, ids([8, 7], [9, 7]), 1)["content"].tolist()
    assert rare > frequent


def test_fluency_is_the_mean_probability_of_the_words_rebuilt(model):
    output = ids([9, 8, 7], [6])
    fluency = model.transfer_scores(output, None, output, torch.tensor([0, 1]))["fluency"]
    for row, length in enumerate((4, 2)):  # of the end, too
        one = output[row : row + 1, : length + 1]
        total = model.log_probability(model.encode(one), one, torch.tensor([row]))
        assert fluency[row] == pytest.approx((total / length).exp().item(), rel=1e-4)


def test_padding_changes_nothing(model):
    source, output = ids([9, 5, 8]), ids([9, 6])
    alone = model.transfer_scores(source, torch.ones_like(source), output, 1)
    more = torch.nn.functional.pad(source, (0, 3), value=9)
    mask = torch.tensor([[1] * 5 + [0] * 3])
    padded = model.transfer_scores(more, mask, torch.nn.functional.pad(output, (0, 4)), 1)
    for name in alone:
        assert padded[name].item() == pytest.approx(alone[name].item(), rel=1e-4), name


def test_without_log_odds_or_labels(model):
    output = ids([9, 8])
    with pytest.raises(ValueError, match="attribute"):
        model.transfer_scores(output, None, output, 2)
    model.attribute_log_odds.zero_()
    scores = model.transfer_scores(output, None, output, 1)
    assert scores["style"].isnan().all() and scores["content"].item() == 1 and 0 < scores["fluency"].item() < 1
    with pytest.raises(ValueError, match="log_odds"):
        model.attribute_probabilities(output)
    plain = AeModel(AeConfig(**SIZES))
    for call in (
        lambda: plain.attribute_probabilities(output),
        lambda: plain.transfer_scores(output, None, output, 0),
    ):
        with pytest.raises(ValueError, match="without attributes"):
            call()
