"""What several test files share: no network, and a small transfer model with its tokenizer."""

import os

os.environ["HF_HUB_OFFLINE"] = "1"  # before huggingface_hub is imported; nothing here needs the Hub
os.environ.setdefault("OMP_NUM_THREADS", "1")  # of the programs that tests start: the cores run tests side by side

import pytest
import torch
from local_hub.fixtures import local_hub  # noqa: F401 (a fixture)
from transformers.utils import logging

from hf_arae.data.text.salience import attribute_log_odds
from hf_arae.data.text.tokenization import train_tokenizer
from hf_arae.models.arae.configuration_arae import AraeConfig
from hf_arae.models.arae.modeling_arae import AraeModel

SENTENCES = {
    "negative": ["the food was n't good .", "the service was awful !", "i am never coming back .", "awful food ."],
    "positive": ["the food was great .", "the service was lovely !", "i am coming back , friendly staff .", "great !"],
}

torch.set_num_threads(1)  # tiny models are slower with more, by far on a busy machine


def pytest_configure(config):
    config.option.loadscopereorder = False  # pytest-xdist would put the files with the most tests first


def pytest_collection_modifyitems(items):
    """Puts the folders with the longest files first, so that the processes of the suite end together."""
    items.sort(key=lambda item: item.path.parent.name not in ("examples", "hub", "training"))


@pytest.fixture
def warnings(caplog):
    """What transformers' loggers say, as `caplog` records it; by themselves they do not hand it on."""
    logging.enable_propagation()
    yield caplog
    logging.disable_propagation()


@pytest.fixture(scope="session")
def tokenizer():
    return train_tokenizer([text for texts in SENTENCES.values() for text in texts], max_length=10)


@pytest.fixture(scope="session")
def transfer_model(tokenizer):
    """An untrained model of two labels, with the log-odds of its words filled in. Not to be changed."""
    torch.manual_seed(0)
    config = AraeConfig(
        vocab_size=len(tokenizer),
        embedding_size=12,
        hidden_size=16,
        code_size=8,
        latent_size=4,
        generator_sizes=[8],
        critic_sizes=[8],
        classifier_sizes=[8],
        num_attributes=2,
        id2label=dict(enumerate(SENTENCES)),
        max_sequence_length=10,
    )
    model = AraeModel(config)
    # Weights of this size make an untrained model's sentences depend on code and label.
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.7)
    texts = [(text, label) for label, texts in enumerate(SENTENCES.values()) for text in texts]
    ids = [tokenizer(text)["input_ids"] for text, _ in texts]
    model.attribute_log_odds.copy_(attribute_log_odds(ids, [label for _, label in texts], len(tokenizer), 2))
    return model.eval()


@pytest.fixture(scope="session")
def transfer_folder(transfer_model, tokenizer, tmp_path_factory):
    """The model and its tokenizer as a checkpoint. Not to be changed."""
    folder = tmp_path_factory.mktemp("checkpoints") / "tiny-transfer"
    transfer_model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
