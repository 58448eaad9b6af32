"""What `generate()` makes a model of each text base read: one token a step, in transformers' current names."""

import logging
import warnings

import pytest
import torch
from transformers.utils import logging as transformers_logging

from hf_arae import RnnLmConfig, RnnLmForCausalLM
from hf_arae.models.arae.configuration_arae import AraeConfig
from hf_arae.models.arae.modeling_arae import AraeModel
from hf_arae.models.ursae.configuration_ursae import UrsaeConfig
from hf_arae.models.ursae.modeling_ursae import UrsaeForConditionalGeneration
from hf_arae.nn.text.recurrent_cache import RecurrentCache

SIZES = {"vocab_size": 20, "embedding_size": 6, "hidden_size": 8, "num_layers": 2}
IDS = torch.tensor([[1, 9, 8, 7, 2], [1, 6, 5, 2, 0], [1, 12, 2, 0, 0]])
PROMPTS = torch.tensor([[1, 5, 6], [1, 8, 9], [1, 11, 12]])
NEW_TOKENS = {"max_new_tokens": 6, "min_new_tokens": 6}
WAYS = {
    "beams": {"num_beams": 4},
    "several beams": {"num_beams": 4, "num_return_sequences": 3, "length_penalty": 0.5},
    "top-k sampling": {"do_sample": True, "top_k": 5},
    "sampling beams": {"do_sample": True, "top_k": 5, "num_beams": 2},
    "greedy": {},
}


def language_model():
    model = RnnLmForCausalLM(RnnLmConfig(**SIZES, max_sequence_length=10))
    return model, {"inputs": PROMPTS, "attention_mask": torch.ones_like(PROMPTS)}


def autoencoder():
    model = AraeModel(AraeConfig(**SIZES, code_size=6, num_attributes=2))
    return model, {"inputs": IDS, "attention_mask": IDS.ne(0), "attribute": torch.tensor([0, 1, 1])}


def summarizer():
    model = UrsaeForConditionalGeneration(UrsaeConfig(**SIZES, reader_size=5, conv_size=10, max_summary_length=6))
    return model, {"inputs": IDS, "attention_mask": IDS.ne(0)}


@pytest.fixture(params=[language_model, autoencoder, summarizer], ids=lambda base: base.__name__)
def base(request):
    """A model whose sentences depend on all of its inputs, and the arguments of its `generate`."""
    torch.manual_seed(0)
    model, inputs = request.param()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.7)
    return model.eval(), inputs


@pytest.fixture
def deprecations(caplog):
    """Deprecations that transformers logs, those too that it has logged in this process already."""
    transformers_logging.get_logger().warning_once.cache_clear()
    transformers_logging.enable_propagation()
    with caplog.at_level(logging.WARNING), warnings.catch_warnings():
        warnings.simplefilter("error", DeprecationWarning)
        warnings.simplefilter("error", FutureWarning)
        yield lambda: [record.getMessage() for record in caplog.records if "deprecat" in record.getMessage()]
    transformers_logging.disable_propagation()


def test_every_step_after_the_first_reads_one_token(base, deprecations):
    model, inputs = base
    read = []

    def note(_, positional, named):
        tokens = named.get("decoder_input_ids", named.get("input_ids"))
        read.append((positional[0] if tokens is None else tokens).shape[1])

    model.register_forward_pre_hook(note, with_kwargs=True)
    begin = PROMPTS.shape[1] if not model.config.is_encoder_decoder else 1
    for name, way in WAYS.items():
        read.clear()
        torch.manual_seed(1)
        written = model.generate(**inputs, **NEW_TOKENS, **way)
        assert read == [begin] + [1] * 5, name
        read.clear()
        torch.manual_seed(1)
        again = model.generate(**inputs, **NEW_TOKENS, **way, use_cache=False)
        assert read == [*range(begin, begin + 6)], name
        assert torch.equal(written, again), name  # the kept states are those of the right beams
    assert deprecations() == []


def test_the_state_is_returned_and_read_on_from_by_its_current_name(base, deprecations):
    model, inputs = base
    result = model.generate(**inputs, **NEW_TOKENS, num_beams=4, return_dict_in_generate=True)
    assert isinstance(result.cache, RecurrentCache)
    ids = torch.tensor([[1, 9, 8, 7], [1, 6, 5, 4], [1, 12, 3, 5]])
    if model.config.is_encoder_decoder:
        inputs = {"input_ids" if name == "inputs" else name: value for name, value in inputs.items()}
        with torch.no_grad():
            whole = model(**inputs, decoder_input_ids=ids)
            first = model(**inputs, decoder_input_ids=ids[:, :3], use_cache=True)
            last = model(**inputs, decoder_input_ids=ids[:, 3:], cache=first.cache, use_cache=True)
    else:
        with torch.no_grad():
            whole = model(ids)
            first = model(ids[:, :3], use_cache=True)
            last = model(ids[:, 3:], cache=first.cache, use_cache=True)
    assert whole.cache is None and last.cache.get_seq_length() == 4
    torch.testing.assert_close(last.logits, whole.logits[:, 3:])
    assert deprecations() == []
