"""A run on a stream goes on bit for bit, wherever it stopped; and what it refuses."""

from __future__ import annotations

import json

import pytest
import torch
from testing_mixins import Halted, assert_same_run, halt_after, made_up_sentences, weight_size

from hf_arae import RnnLmConfig, RnnLmForCausalLM
from hf_arae.data.loading import DataArguments
from hf_arae.data.stream_batches import StreamedSentences
from hf_arae.data.streaming import load_text_stream
from hf_arae.data.text.token_arrays import TokenArrays
from hf_arae.data.text.tokenization import train_tokenizer
from hf_arae.models.rnn_lm.objective_rnn_lm import RnnLmObjective
from hf_arae.training import PhaseTrainer, TrainingArguments

LABELS = ("bad", "good")


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """83 rows, 30 of them good; and a tokenizer of their words."""
    file = tmp_path_factory.mktemp("data") / "train.jsonl"
    texts = [" ".join(f"w{(row * step) % 25}" for step in range(1, 2 + row % 7)) for row in range(83)]
    rows = [{"text": text, "label": LABELS[row >= 53]} for row, text in enumerate(texts)]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(file), train_tokenizer(texts, max_length=10)


def make_trainer(folder, source, streamed=True, labelled=True, buffer=32, **changes) -> PhaseTrainer:
    file, tokenizer = source
    torch.manual_seed(0)
    # Dropout draws from torch's generator, whose state is kept as well.
    config = RnnLmConfig(vocab_size=len(tokenizer), embedding_size=8, hidden_size=8, dropout=0.5)
    model = RnnLmForCausalLM(config)
    settings = {"output_dir": str(folder), "max_steps": 15, "per_device_train_batch_size": 8, "logging_steps": 4}
    settings |= {"eval_steps": 5, "save_steps": 0, "report_to": "none", "use_cpu": True, "disable_tqdm": True}
    rows = TokenArrays(made_up_sentences(attributes=1), 0)
    if streamed:
        arguments = DataArguments(train_file=file, validation_file=file)
        stream, _ = load_text_stream(arguments, 10, label_required=labelled)
        rows = StreamedSentences(stream, tokenizer, buffer)
    arguments = TrainingArguments(**(settings | changes))
    return PhaseTrainer(model, RnnLmObjective(model), arguments, rows, evaluator=weight_size)


# Four batches a buffer. With labels an epoch has 13 batches, without 10; both end in a buffer that is not full.
@pytest.mark.parametrize("labelled", [True, False])
def test_a_resumed_run_equals_an_uninterrupted_one_bit_for_bit(tmp_path, source, labelled):
    straight = make_trainer(tmp_path / "straight", source, labelled=labelled)
    straight.train()
    assert straight.batches.epoch == 1
    for stop in (2, 4, 10, 13, 14):
        folder = tmp_path / f"stopped-{stop}"
        first = make_trainer(folder, source, labelled=labelled, save_steps=stop)
        halt_after(first, stop)
        with pytest.raises(Halted):
            first.train()
        make_trainer(folder, source, labelled=labelled, resume_from_checkpoint="last").train()
        assert_same_run(tmp_path / "straight", folder, 15)


def test_a_stream_needs_a_number_of_updates(tmp_path, source):
    with pytest.raises(ValueError, match="a stream's length is not known: give max_steps"):
        make_trainer(tmp_path, source, max_steps=-1)


def test_another_buffer_is_a_change_and_data_in_memory_are_never_accepted(tmp_path, source):
    make_trainer(tmp_path, source, max_steps=3).train()
    settings = {"max_steps": 3, "resume_from_checkpoint": "last"}
    with pytest.raises(ValueError, match=r"  data.shuffle_buffer: was 32, now is 24\nGive them as they were"):
        make_trainer(tmp_path, source, buffer=24, **settings).train()
    settings["resume_with_changes"] = True
    with pytest.raises(ValueError, match=r"cannot be resumed with another .*data.streamed"):
        make_trainer(tmp_path, source, streamed=False, **settings).train()
    assert make_trainer(tmp_path, source, buffer=24, **(settings | {"max_steps": 5})).train().steps == 5
