import pytest
from datasets import Dataset

from hf_arae.metrics import ContentPreservation


def overlap(metric, prediction, source):
    return metric.compute(predictions=[prediction], references=[source])["word_overlap"]


def test_by_hand():
    # Content words: {food, great} and {food, soup, bad}.
    assert overlap(ContentPreservation(), "the food was great !", "Food and soup were bad .") == pytest.approx(25)


def test_mean_over_pairs():
    scores = ContentPreservation().compute(predictions=["soup", "bar"], references=["soup", "room"])
    assert scores == {"word_overlap": 50.0}


def test_sentences_without_content_words():
    assert overlap(ContentPreservation(), "it was .", "they are !") == 100
    assert overlap(ContentPreservation(), "", "they are !") == 100
    assert overlap(ContentPreservation(), "", "soup") == 0


@pytest.mark.parametrize("labels", [[1, 0], ["warm", "cold"]])
def test_words_of_style_are_found_and_removed(labels):
    texts = ["great soup .", "awful soup ."] * 10 + ["great rare room", "awful room"]
    train = Dataset.from_dict({"text": texts, "label": labels * 11})
    metric = ContentPreservation().fit(train)
    assert metric.style_words == {"great", "awful"}
    assert overlap(metric, "the soup was great", "the soup was awful") == 100


def test_words_of_style_among_three_labels():
    texts = [f"{word} soup" for word in ("warm", "cold", "plain")] * 10
    metric = ContentPreservation().fit(Dataset.from_dict({"text": texts, "label": [0, 1, 2] * 10}))
    assert metric.style_words == {"warm", "cold", "plain"}


def test_wrong_training_split_is_refused():
    with pytest.raises(ValueError, match="at least two labels"):
        ContentPreservation().fit(Dataset.from_dict({"text": ["a", "b"], "label": [1, 1]}))
    with pytest.raises(TypeError, match=r"datasets\.Dataset"):
        ContentPreservation().fit([{"text": "a", "label": 1}])
