"""Text autoencoders written as ONNX graphs."""

from __future__ import annotations

import copy
import os
from pathlib import Path

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from hf_arae.models.recurrent.autoencoder import TextAutoencoder
from hf_arae.models.text.tokenizer_check import check_tokenizer
from hf_arae.onnx.layout import ENCODER, GENERATOR, decoder_files, source_of_codes
from hf_arae.onnx.quantization import quantize
from hf_arae.onnx.tracing import OPSET, check_folder, check_opset, save_config, trace
from hf_arae.onnx.writing import Writing
from hf_arae.utils.extras import import_extra


class _Encoder(nn.Module):
    def __init__(self, model: PreTrainedModel, tells_attributes: bool):
        super().__init__()
        self.model, self.tells_attributes = model, tells_attributes

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        codes = self.model.encode(input_ids, attention_mask)
        return (codes, self.model.attribute_scores(input_ids)) if self.tells_attributes else codes


class _DecoderStep(nn.Module):
    def __init__(self, model: PreTrainedModel, value: int):
        super().__init__()
        self.model, self.value = model, value

    def forward(self, token: Tensor, code: Tensor, hidden: Tensor, memory: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        embedded = self.model.decoder_embeddings(self.value)(token.unsqueeze(1))
        states, (hidden, memory) = self.model.decoders[self.value](embedded, code, (hidden, memory))
        return self.model.project(states[:, 0]), hidden, memory


class _Generator(nn.Module):
    def __init__(self, model: PreTrainedModel):
        super().__init__()
        self.model = model

    def forward(self, z: Tensor) -> Tensor:
        return self.model.generate_codes(z)


def export_onnx(
    model: PreTrainedModel,
    folder: str | os.PathLike,
    tokenizer: PreTrainedTokenizerBase | None = None,
    int8: bool = False,
    opset: int = OPSET,
) -> list[Path]:
    """Writes a text autoencoder as a folder that `OnnxTextAutoencoder` opens; its files: [`~hf_arae.onnx.layout`].

    Numbers of rows and tokens stay free in every graph. Several decoders become a file each: all rows of a call then
    share constant weights, which can be quantized and are laid out once, a service that writes with one label loads
    one, and nothing is computed for rows of another label. The price is a copy of the output projection in each file.

    The graphs are traced (`dynamo=False`): `dynamo=True` needs another package, onnxscript, and keeps LSTMs' weights
    in a form that onnxruntime does not quantize.

    Args:
        model: a text autoencoder of any family. It is written in float32 and evaluation mode, and stays as it is.
        folder: made if it does not exist. Graphs of an earlier export in it are replaced.
        tokenizer: saved beside the graphs; without it, the folder works on token ids alone.
        int8: write the weights of encoder and decoders in 8 bits: files of a third of the size, faster, and not
            quite the same codes and words. The inputs of a product get 8 bits as it runs, with a scale for all rows:
            a text then depends a little on those that it is written with. The generator stays.
        opset: ONNX's version of operators; 13 to 20.

    Returns:
        The graphs' files.

    Raises:
        ImportError: onnx, or for `int8` onnxruntime, is not installed.
        ValueError: another model; its `generation_config` asks for more than greedy decoding or plain sampling; the
            folder holds a checkpoint, whose config would be overwritten; `opset` is out of range; the tokenizer is
            not the model's.
    """
    import_extra("onnx", "onnx")
    if not isinstance(model, TextAutoencoder):
        raise ValueError(
            f"a {type(model).__name__} has no ONNX form: what it does is more than an encoder and a decoder, a search "
            "say. Accepted: text autoencoders, such as AraeModel"
        )
    check_opset(opset)
    if tokenizer is not None:
        check_tokenizer(tokenizer, model.config)
    Writing.from_generation_config(model.generation_config.to_diff_dict())
    folder = check_folder(folder)
    if int8:
        import_extra("onnxruntime", "onnx")
    folder.mkdir(parents=True, exist_ok=True)
    for old in (*folder.glob("decoder_step*.onnx"), folder / ENCODER, folder / GENERATOR):
        old.unlink(missing_ok=True)

    model = copy.deepcopy(model).to("cpu", torch.float32).eval()
    files = _export_graphs(model, folder, opset)
    if int8:
        for file in files:
            if file.name != GENERATOR:  # small, and what it gives is new sentences' codes
                quantize(file)
    save_config(model, folder)
    model.generation_config.save_pretrained(folder)
    if tokenizer is not None:
        tokenizer.save_pretrained(folder)
    return files


@torch.no_grad()
def _export_graphs(model: PreTrainedModel, folder: Path, opset: int) -> list[Path]:
    config, inputs = model.config, model.example_inputs
    ids, mask = inputs["input_ids"], inputs["attention_mask"]
    tells = config.num_attributes > 1 and bool(model.attribute_log_odds.any())
    sentences = {"input_ids": ("batch", "sequence"), "attention_mask": ("batch", "sequence")}
    outputs = {"codes": ("batch",), **({"attribute_scores": ("batch",)} if tells else {})}
    trace(_Encoder(model, tells), (ids, mask), folder / ENCODER, sentences, outputs, opset)
    files = [folder / ENCODER]

    state = torch.zeros(config.num_layers, len(ids), config.hidden_size)
    step = (ids[:, 0], model.encode(ids, mask), state, state)
    states = {"hidden": ("", "batch"), "memory": ("", "batch")}
    outputs = {"logits": ("batch",), **{f"new_{name}": axes for name, axes in states.items()}}
    for value, name in enumerate(decoder_files(config.num_attributes)):
        axes = {"token": ("batch",), "code": ("batch",), **states}
        trace(_DecoderStep(model, value), step, folder / name, axes, outputs, opset)
        files.append(folder / name)

    if source_of_codes(config) == "generator":
        z = torch.zeros(len(ids), config.latent_size)
        trace(_Generator(model), (z,), folder / GENERATOR, {"z": ("batch",)}, {"codes": ("batch",)}, opset)
        files.append(folder / GENERATOR)
    return files


__all__ = ["export_onnx"]
