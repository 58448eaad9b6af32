"""Texts with what nobody sees, halves of characters, accents and endless words, wherever texts are read."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from headline_selectors import untrained_selector
from transformers import AutoModel, AutoTokenizer, pipeline
from transformers.utils import logging

from hf_arae import LatentSpace
from hf_arae.data.text.tokenization import train_tokenizer
from hf_arae.models.ursae.configuration_ursae import UrsaeConfig
from hf_arae.models.ursae.modeling_ursae import UrsaeForConditionalGeneration

EXAMPLE = Path(__file__).parents[2] / "examples" / "transfer_interactively.py"
PLAIN = "the food was great ."
SAME = (
    "\ufeffthe food was great .",
    "the fo\u00adod was great .",
    "the food\u200b was great .",
    "the food was great\x00 .",
)
DAMAGED = "\ud83d the food was great ."
LONG = "x" * 10_000


@pytest.fixture(scope="module")
def readers(transfer_folder, tmp_path_factory):
    """What reads sentences, by name: functions from a list of texts to comparable results."""
    model, tokenizer = AutoModel.from_pretrained(transfer_folder), AutoTokenizer.from_pretrained(transfer_folder)
    rewrite = pipeline("text-style-transfer", model=str(transfer_folder), target=1)
    latent = LatentSpace(model, tokenizer, attribute=1)
    found = {"pipeline": rewrite, "latent space": lambda texts: latent.encode(texts).tolist()}
    if find_spec("onnxruntime") is not None:
        from hf_arae.onnx import OnnxStyleTransfer, OnnxTextAutoencoder, export_onnx

        folder = tmp_path_factory.mktemp("exported")
        export_onnx(model, folder, tokenizer)
        exported = OnnxTextAutoencoder.from_pretrained(folder, num_threads=1)
        found |= {
            "onnx": OnnxStyleTransfer(exported, target=1),
            "onnx codes": lambda texts: exported.encode(texts).tolist(),
        }
    return found


def test_what_is_not_seen_is_not_read(readers):
    for name, read in readers.items():
        expected = read([PLAIN])[0]
        for text in SAME:
            assert read([text])[0] == pytest.approx(expected) if "cod" in name else expected, (name, text)
        for blank in ("\u200b", "\ufeff \u00ad", " "):
            with pytest.raises(ValueError, match="1 is empty"):
                read([PLAIN, blank])


def test_halves_of_characters_are_read_as_the_sign_for_damage(readers):
    for name, read in readers.items():
        expected = read(["\ufffd the food was great ."])[0]
        assert read([DAMAGED])[0] == expected, name


def test_a_text_has_at_least_a_word(transfer_folder, readers, tmp_path):
    """Also where the model would end it at once: here its decoders' bias wants nothing but that."""
    model, tokenizer = AutoModel.from_pretrained(transfer_folder), AutoTokenizer.from_pretrained(transfer_folder)
    with torch.no_grad():
        model.projection.bias[model.config.eos_token_id] += 1e4
    texts = [PLAIN, "great", "the food was n't good ."]
    assert tokenizer.batch_decode(model.decode(torch.zeros(1, 8), attribute=0), skip_special_tokens=True) == [""]
    rewrite = pipeline("text-style-transfer", model=model, tokenizer=tokenizer, target=1)
    greedy = [row["text"] for row in rewrite(texts, batch_size=2)]
    assert all(greedy)
    for arguments in ({"do_sample": True}, {"num_beams": 2}, {"precision": "bfloat16"}):
        assert all(row["text"] for row in rewrite(texts, **arguments)), arguments
    rows = rewrite("great", num_beams=2, num_return_sequences=2)
    assert len(rows) == 2 and all(row["text"] for row in rows)
    if "onnx" in readers:
        from hf_arae.onnx import OnnxStyleTransfer, OnnxTextAutoencoder, export_onnx

        export_onnx(model, tmp_path, tokenizer)
        exported = OnnxStyleTransfer(OnnxTextAutoencoder.from_pretrained(tmp_path, num_threads=1), target=1)
        assert [row["text"] for row in exported(texts)] == greedy


def test_warnings_show_the_beginning_of_a_long_word(transfer_folder, readers, caplog):
    logging.enable_propagation()
    try:
        for name in readers.keys() & {"pipeline", "onnx"}:
            readers[name]([LONG])
    finally:
        logging.disable_propagation()
    warnings = [record.getMessage() for record in caplog.records if "vocabulary" in record.getMessage()]
    assert warnings and all("xxx" in line and len(line) < 300 for line in warnings)


# ------------------------------------------------------------------------------------------------------- summaries

NEWS = ["the cafe in zurich closed on monday after a fire .", "a bank said on monday rates would rise ."]


@pytest.fixture(scope="module", params=["select", "write"])
def summarize(request):
    tokenizer = train_tokenizer(NEWS, max_length=20, style="news")
    if request.param == "select":
        model = untrained_selector(len(tokenizer), max_source_length=20)
        model.selector.selectable[:] = True
    else:
        torch.manual_seed(0)
        sizes = {"embedding_size": 8, "hidden_size": 8, "reader_size": 6, "conv_size": 6, "copy_gate": True}
        sizes |= {"max_source_length": 20, "max_summary_length": 6}
        model = UrsaeForConditionalGeneration(UrsaeConfig(vocab_size=len(tokenizer), **sizes)).eval()
    return pipeline("text-summarization", model=model, tokenizer=tokenizer, source_words_only=True)


def test_summaries_keep_the_accents_of_their_text(summarize):
    for accented in (
        "The Caf\u00e9 in Z\u00fcrich",
        "The Cafe\u0301 in Zu\u0308rich",
        "The Ca\u00adf\u00e9 in Z\u00fcrich",
    ):
        text = f"{accented} closed on Monday after a fire."
        words = set(summarize(text, target_length=6, detokenize=False)["summary_text"].split())
        own = {*f"the caf\u00e9 in z\u00fcrich {NEWS[0].partition('zurich ')[2]}".split()}
        assert words <= own, words
    # As few words as there are: the text itself.
    assert summarize("Caf\u00e9 \u00c9t\u00e9 24", target_length=5)["summary_text"] == "caf\u00e9 \u00e9t\u00e9 ##"


def test_summaries_keep_the_marks_of_other_scripts(summarize):
    hindi = "\u0939\u093f\u0928\u094d\u0926\u0940 \u092e\u0947\u0902 \u0938\u092e\u093e\u091a\u093e\u0930"
    for text in (
        hindi,
        "\u304b\u304e \u304c \u30d1\u30f3\u30c0",
        "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645 \u0622\u0628",
    ):
        assert summarize(text, target_length=5)["summary_text"] == text


def test_summaries_of_odd_texts(summarize, caplog):
    assert summarize("\ud83d bank", target_length=5)["summary_text"] == "\ufffd bank"
    for blank in ("\u200b", "\u00ad."[:1]):
        with pytest.raises(ValueError, match="no word"):
            summarize(blank)
    logging.enable_propagation()
    try:
        summarize(LONG)
    finally:
        logging.disable_propagation()
    assert all(len(record.getMessage()) < 300 for record in caplog.records)


# --------------------------------------------------------------------------------------------------- the command line


def test_bytes_that_are_no_text_end_no_session(transfer_folder):
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "PYTHONIOENCODING": "utf-8"}
    command = [sys.executable, str(EXAMPLE), "--model", str(transfer_folder), "--num_beams", "1"]
    done = subprocess.run(
        command, input=b"the food was caf\xe9 .\ngreat !\n", capture_output=True, env=environment, timeout=1200
    )
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    assert len(done.stdout.splitlines()) == 2
