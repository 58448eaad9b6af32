"""A tiny checkpoint of every family, with tokenizer and card, as a training would leave it; and what it does."""

from __future__ import annotations

from pathlib import Path

import torch
from family_tests import LABELS, has_field, narrow_model
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from hf_arae.hub.cards import write_run_card
from hf_arae.models.auto import families
from hf_arae.models.images.image_processing import AraeImageProcessor

SENTENCE = "the food was great ."

# What a process finds in a repository: a digest of all weights, and numbers and words that the model gives. Run here
# and in others.
LOOK = """
import hashlib, json, sys
import numpy, torch, transformers
from transformers import AutoImageProcessor, AutoTokenizer

def look(model, tokenizer):
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.contiguous().numpy().tobytes())
    pairs = any(task in type(model).__name__ for task in ("SequenceClassification", "QuestionAnswering"))
    second = ["the food was great ."] if pairs else None
    if model.main_input_name == "pixel_values":
        return [digest.hexdigest(), look_at_images(model, tokenizer)]
    batch = tokenizer(["SENTENCE"], second, return_tensors="pt")
    with torch.no_grad():
        if hasattr(model, "summarize"):
            words = model.summarize(batch["input_ids"], target_length=3)
            numbers = model(**batch, **({} if hasattr(model, "select_words") else {"labels": words})).logits
        elif hasattr(model, "candidates"):
            numbers = model(**batch, **model_attribute(model), labels=batch["input_ids"]).logits
            words = model.transfer(**batch, target=1, num_candidates=12)
        elif hasattr(model, "decode"):
            numbers = model.encode(**batch)
            words = model.decode(numbers, **model_attribute(model))
        elif hasattr(model, "answer_spans"):
            numbers, words = model.states(**batch)[0], torch.stack(model.answer_spans(**batch))
        elif hasattr(model, "layer_graphs"):
            numbers, words = model(**batch)[0], model.graphs(**batch).argmax(-2)
        else:
            numbers = model(**batch).logits
            words = numbers.argmax(-1)
    return [digest.hexdigest(), [numbers.tolist(), words.tolist()]]

def look_at_images(model, processor):
    pictures = [numpy.arange(243, dtype=numpy.uint8).reshape(9, 9, 3)[::turned] for turned in (1, -1)]
    images = processor(pictures, return_tensors="pt")["pixel_values"]
    with torch.no_grad():
        numbers = model(images).logits if "Classification" in type(model).__name__ else model.features(images)
        if hasattr(model, "layer_graphs"):
            return [numbers.tolist(), model.graphs(images).argmax(-2).tolist()]
        rebuilds = getattr(model, "rebuilds_images", True)
        return [numbers.tolist(), model.reconstruct(images).round().tolist() if rebuilds else []]

def model_attribute(model):
    several = getattr(model.config, "num_attributes", 1) > 1
    return {"attribute": torch.tensor([1])} if several else {}
""".replace("SENTENCE", SENTENCE)
LOAD = """
found = {}
for line in sys.argv[1:]:
    name, auto = line.split("=")
    model = getattr(transformers, auto).from_pretrained(name, **OPTIONS)
    words = model.main_input_name == "input_ids"
    auto = AutoTokenizer if words else AutoImageProcessor
    found[name] = look(model, auto.from_pretrained(name, **({} if words else OPTIONS)))
print("FOUND", json.dumps(found))
"""


def tiny_models(vocab_size: int) -> dict[str, tuple[str, PreTrainedModel]]:
    """By the name of its repository: the Auto class that loads it, and the model; each class of every family."""
    models = {}
    for kind in families():
        for auto_class, model_class in kind.models.items():
            if model_class not in [type(model) for _, model in models.values()]:
                usual = model_class is kind.models.get("AutoModel", model_class)
                name = kind.name if usual else f"{kind.name}-{auto_class.removeprefix('AutoModelFor').lower()}"
                models[name] = (auto_class, narrow_model(kind.name, vocab_size, auto_class))
        if has_field(kind, "num_attributes"):
            models[f"{kind.name}-transfer"] = ("AutoModel", narrow_model(kind.name, vocab_size, **LABELS))
    models["vae-batch-norm"] = ("AutoModel", narrow_model("vae", vocab_size, posterior="batch_norm"))
    return models


def look(model: PreTrainedModel, processor: PreTrainedTokenizerBase | AraeImageProcessor) -> tuple[str, list]:
    """What `LOOK` finds of a model in this process; a tokenizer stands for a model of images' usual processor."""
    here: dict = {}
    exec(LOOK, here)
    images = model.main_input_name != "input_ids" and isinstance(processor, PreTrainedTokenizerBase)
    return here["look"](model, image_processor(model) if images else processor)


def assert_same_look(
    found: list, model: PreTrainedModel, processor: PreTrainedTokenizerBase | AraeImageProcessor, name: str
) -> None:
    """What another process found is what this one finds."""
    digest, outputs = look(model, processor)
    there, (numbers, words) = found
    assert there == digest, f"{name}: weights"
    assert words == outputs[1], f"{name}: words"
    # Weights that lie elsewhere in memory are summed in another order. An output is a sum of some tens of terms after
    # some tens of steps, each rounded to 6e-8: 1e-5 of the largest, where other weights change all of it.
    numbers, expected = torch.tensor(numbers), torch.tensor(outputs[0])
    bound = 1e-5 * expected.abs().max().item()
    torch.testing.assert_close(numbers, expected, rtol=0, atol=bound, msg=f"{name}: outputs")


def image_processor(model: PreTrainedModel) -> AraeImageProcessor:
    """What makes a model's inputs of pictures."""
    return AraeImageProcessor.for_config(model.config)


def save_model(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
    """Writes a model with what makes its inputs."""
    model.save_pretrained(folder)
    (tokenizer if model.main_input_name == "input_ids" else image_processor(model)).save_pretrained(folder)


def save_family(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, folder: Path) -> Path:
    """Writes the folder of a run that has ended; what makes its inputs goes with it."""
    save_model(model, tokenizer, folder)
    write_run_card(folder, f"alice/{folder.name}")
    return folder
