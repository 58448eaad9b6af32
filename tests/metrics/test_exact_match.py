from hf_arae.metrics import ExactMatch


def test_share_of_identical_sentences():
    predictions = ["a b .", "a  b .", "a b", "A b .", ""]
    references = ["a b .", "a b .", "a b .", "a b .", ""]
    assert ExactMatch().compute(predictions=predictions, references=references) == {"exact_match": 60.0}
