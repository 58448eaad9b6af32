"""Whichever way sentences are padded, they are read as one by one, or the padding is refused."""

import pytest
import torch
from family_tests import family_tests, text_autoencoders
from headline_selectors import untrained_selector
from transformers import AutoTokenizer, pipeline

from hf_arae.data.text.tokenization import train_tokenizer
from hf_arae.latent.space import LatentSpace
from hf_arae.models.arae.configuration_arae import AraeConfig
from hf_arae.models.arae.modeling_pairs import AraeForSequenceClassification
from hf_arae.models.rnn_lm.configuration_rnn_lm import RnnLmConfig
from hf_arae.models.rnn_lm.modeling_rnn_lm import RnnLmForCausalLM
from hf_arae.models.ursae.configuration_ursae import UrsaeConfig
from hf_arae.models.ursae.modeling_ursae import UrsaeForConditionalGeneration
from hf_arae.models.vae.configuration_vae import VaeConfig
from hf_arae.models.vae.modeling_vae import VaeModel

SIZES = {"vocab_size": 20, "embedding_size": 6, "hidden_size": 8}
SENTENCES = [[1, 7, 2], [1, 9, 12, 8, 2], [1, 6, 6, 19, 5, 11, 2]]


def made(build):
    torch.manual_seed(0)
    model = build().eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return model


def padded(side: str, rows=SENTENCES) -> tuple[torch.Tensor, torch.Tensor]:
    """Ids and mask, with padding on the left, or before the last token, where a mask alone tells (a word is there)."""
    width = max(map(len, rows))
    ids, mask = [], []
    for row in rows:
        fill = width - len(row)
        if side == "left":
            ids.append([0] * fill + row)
            mask.append([0] * fill + [1] * len(row))
        elif side == "right":
            ids.append(row + [0] * fill)
            mask.append([1] * len(row) + [0] * fill)
        else:
            ids.append(row[:-1] + [13] * fill + row[-1:])
            mask.append([1] * (len(row) - 1) + [0] * fill + [1])
    return torch.tensor(ids), torch.tensor(mask)


@pytest.mark.parametrize("name", text_autoencoders())
@torch.no_grad()
def test_codes_and_sentences_are_those_of_one_by_one(name):
    model = made(family_tests(name).build_model)
    label = {"attribute": 1} if model.config.num_attributes > 1 else {}
    alone = torch.cat([model.encode(torch.tensor([row])) for row in SENTENCES])
    written = [model.generate(torch.tensor([row]), max_new_tokens=5, **label) for row in SENTENCES]
    for side in ("left", "within", "right"):
        ids, mask = padded(side)
        for given in (mask, mask.bool(), mask.float(), 2 * mask, *([] if side == "within" else [None])):
            torch.testing.assert_close(model.encode(ids, given), alone)
        batch = model.generate(ids, attention_mask=mask, max_new_tokens=5, **label)
        for row, text in zip(batch, written, strict=True):
            assert row[: text.shape[1]].tolist() == text[0].tolist()
    ids, mask = padded("left")
    with pytest.raises(ValueError, match="labels must be padded on the right"):
        model(input_ids=ids, attention_mask=mask, labels=ids)
    with pytest.raises(ValueError, match="labels must be padded on the right"):
        model(input_ids=ids, attention_mask=mask, labels=ids.masked_fill(ids == 0, -100))
    with pytest.raises(ValueError, match="decoder_input_ids must be padded on the right"):
        model(input_ids=ids, attention_mask=mask, decoder_input_ids=ids)
    with pytest.raises(ValueError, match="attention_mask"):
        model.encode(ids, mask[:, :-1])
    with pytest.raises(ValueError, match="input_ids"):
        model.encode(ids[0], mask[0])
    with pytest.raises(ValueError, match="row 1"):
        model.encode(ids, mask * torch.tensor([[1], [0], [1]]))


@torch.no_grad()
def test_bounds_of_a_vae():
    model = made(lambda: VaeModel(VaeConfig(**SIZES, code_size=5)))
    for bound in (model.elbo, model.log_likelihood):
        right, left = (bound(*padded(side), samples=2, seed=0) for side in ("right", "left"))
        torch.testing.assert_close(left, right)


@torch.no_grad()
def test_pairs():
    model = made(lambda: AraeForSequenceClassification(AraeConfig(**SIZES, code_size=5, num_labels=3)))
    pairs = [first + second for first in SENTENCES for second in SENTENCES]
    wanted = model(*padded("right", pairs)).logits
    for side in ("left", "within"):
        torch.testing.assert_close(model(*padded(side, pairs)).logits, wanted)


@torch.no_grad()
def test_a_language_model_refuses_padding_before_words():
    model = made(lambda: RnnLmForCausalLM(RnnLmConfig(**SIZES)))
    model(*padded("right"))
    for side in ("left", "within"):
        ids, mask = padded(side)
        with pytest.raises(ValueError, match="input_ids must be padded on the right"):
            model(ids, mask)
    with pytest.raises(ValueError, match="input_ids must be padded on the right"):
        model(padded("left")[0])


@torch.no_grad()
def test_summarizers_read_as_one_by_one():
    sizes = {"reader_size": 6, "conv_size": 6, "max_source_length": 12, "max_summary_length": 4, "copy_gate": True}
    writer = made(lambda: UrsaeForConditionalGeneration(UrsaeConfig(**SIZES, **sizes, reader_kernel=3)))
    selector = untrained_selector(SIZES["vocab_size"])
    for model, given in ((selector, {}), (writer, {"source_order": True, "target_length": 2})):
        wanted = model.summarize(*padded("right"), **given)
        for side in ("left", "within"):
            assert torch.equal(model.summarize(*padded(side), **given), wanted), (side, given)
    with pytest.raises(ValueError, match="padded on the right"):
        selector.select_words(*padded("left"))
    with pytest.raises(ValueError, match="labels must be padded on the right"):
        writer(*padded("right"), labels=padded("left")[0])


def test_pipelines_and_latent_space_with_a_tokenizer_that_pads_on_the_left(transfer_model, transfer_folder, tokenizer):
    left = AutoTokenizer.from_pretrained(transfer_folder, padding_side="left")
    texts = ["great !", "the food was n't good .", "i am coming back , friendly staff ."]
    rewrite = pipeline("text-style-transfer", model=transfer_model, tokenizer=left)
    assert rewrite(texts, batch_size=3) == [rewrite(text) for text in texts]
    codes = LatentSpace(transfer_model, left, 1).encode(texts)
    torch.testing.assert_close(codes, LatentSpace(transfer_model, tokenizer, 1).encode(texts))
    news = train_tokenizer(texts, max_length=12, style="news")
    config = UrsaeConfig(**SIZES | {"vocab_size": len(news)}, reader_size=6, max_source_length=12)
    news.padding_side = "left"
    for model in (made(lambda: UrsaeForConditionalGeneration(config)), untrained_selector(len(news))):
        summarize = pipeline("text-summarization", model=model, tokenizer=news, target_length=2)
        assert summarize(texts, batch_size=3) == [summarize(text) for text in texts]
