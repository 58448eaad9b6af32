"""transformers' own pipeline "feature-extraction" gives the codes of sentences."""

import pytest
import torch
from family_tests import narrow_model, text_autoencoders
from transformers import AutoModel, pipeline

from hf_arae import LatentSpace
from hf_arae.data.text.tokenization import train_tokenizer

TEXTS = ["The food was great!", "awful .", "i am coming back , friendly staff ."]


@pytest.fixture(scope="module", params=["transfer", *text_autoencoders()])
def folder(request, transfer_folder, tokenizer, tmp_path_factory):
    if request.param == "transfer":
        return transfer_folder
    folder = tmp_path_factory.mktemp("checkpoints") / request.param
    narrow_model(request.param, len(tokenizer)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.mark.parametrize("batch_size", [1, 2])
def test_features_are_codes(folder, tokenizer, batch_size):
    extract = pipeline("feature-extraction", model=str(folder))
    codes = LatentSpace(AutoModel.from_pretrained(folder), tokenizer).encode(TEXTS)
    features = extract(TEXTS, batch_size=batch_size, return_tensors=True)
    assert [tuple(feature.shape) for feature in features] == [(1, 1, codes.shape[1])] * 3
    torch.testing.assert_close(torch.cat(features).squeeze(1), codes)
    assert extract(TEXTS[0]) == [[pytest.approx(codes[0].tolist(), abs=1e-6)]]


def test_long_sentences_are_cut_on_demand(folder, tokenizer):
    extract = pipeline("feature-extraction", model=str(folder), truncation=True)
    long = "great " * 12
    torch.testing.assert_close(extract(long, return_tensors=True), extract("great " * 10, return_tensors=True))


def test_a_foreign_tokenizer_is_refused(folder, tokenizer):
    other = train_tokenizer(["two dogs run .", "two dogs sleep ."])
    assert len(other) != len(tokenizer)
    with pytest.raises(ValueError, match="tokenizer"):
        pipeline("feature-extraction", model=str(folder), tokenizer=other)
