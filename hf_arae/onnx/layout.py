"""An exported folder: its files, and the names of the graphs' inputs and outputs.

| file | inputs | outputs |
| --- | --- | --- |
| `encoder.onnx` | `input_ids`, `attention_mask`: `(batch, sequence)` int64 | `codes` `(batch, code_size)`; \
`attribute_scores` `(batch, num_attributes)` where the model tells attributes by words |
| `decoder_step.onnx` | `token` `(batch,)` int64; `code` `(batch, code_size)`; `hidden`, `memory` \
`(num_layers, batch, hidden_size)`, zeros at first | `logits` `(batch, vocab_size)`; `new_hidden`, `new_memory` |
| `generator.onnx` | `z` `(batch, latent_size)` | `codes` `(batch, code_size)` |

Numbers are float32 unless said otherwise. A model with several decoders has a `decoder_step_<value>.onnx` for each
attribute value, and only an `AraeModel` has a generator. Beside them stand `config.json`, `generation_config.json`
(longest text, tokens that are never written) and, if it was given, the tokenizer.
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

# Families by their `model_type`, and the class that is exported.
ACCEPTED = {"arae": "AraeModel", "vae": "VaeModel", "aae": "AaeModel"}

ENCODER = "encoder.onnx"
GENERATOR = "generator.onnx"
CONFIG = "config.json"
GENERATION_CONFIG = "generation_config.json"
TOKENIZER = "tokenizer.json"
TOKENIZER_CONFIG = "tokenizer_config.json"


def decoder_files(num_attributes: int) -> list[str]:
    """Names of the decoders' files, in the order of attribute values."""
    if num_attributes == 1:
        return ["decoder_step.onnx"]
    return [f"decoder_step_{value}.onnx" for value in range(num_attributes)]


def check_family(model_type: str | None, where: str) -> None:
    """Raises ValueError for what is no text autoencoder."""
    if model_type not in ACCEPTED:
        accepted = ", ".join(f"{name} ({kind})" for kind, name in ACCEPTED.items())
        raise ValueError(f"{where} is of the family {model_type!r}, which has no ONNX form. Accepted: {accepted}")


def import_extra(module: str) -> ModuleType:
    """Imports a package of the extra `onnx`.

    Raises:
        ImportError: it is not installed.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise ImportError(f'{module} is not installed: pip install "hf_arae[onnx]"') from error
