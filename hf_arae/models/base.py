"""What every family's config and model share: refusal of misspelled keys, and checkpoints that carry their code."""

from __future__ import annotations

import difflib
import inspect
import os

from transformers import PreTrainedConfig, PreTrainedModel

# Keys that transformers itself writes into a config.json or hands to a config, beside the declared fields.
_TRANSFORMERS_KEYS = {
    "_attn_implementation",
    "_commit_hash",
    "_experts_implementation",
    "_name_or_path",
    "architectures",
    "attn_implementation",
    "auto_map",
    "custom_pipelines",
    "experts_implementation",
    "model_type",
    "name_or_path",
    "num_labels",
    "output_attentions",
    "per_layer_config",
    "quantization_config",
    "torch_dtype",
    "transformers_version",
    "use_cache",
}


class FamilyConfig(PreTrainedConfig):
    """Config that rejects unknown keys, which transformers would silently store, and completes `label2id`."""

    def __post_init__(self, **kwargs):
        unknown = sorted(set(kwargs) - _TRANSFORMERS_KEYS)
        if unknown:
            accepted = sorted(name for name in inspect.signature(type(self)).parameters if name != "kwargs")
            hints = [match for key in unknown for match in difflib.get_close_matches(key, accepted, n=1)]
            suggestion = f" Did you mean {', '.join(hints)}?" if hints else ""
            raise ValueError(
                f"{type(self).__name__} does not know {', '.join(unknown)}.{suggestion} Accepted: {', '.join(accepted)}"
            )
        super().__post_init__(**kwargs)
        if self.id2label is not None:
            self.label2id = {name: index for index, name in self.id2label.items()}


class FamilyModel(PreTrainedModel):
    """Model whose checkpoints also load with `trust_remote_code=True` where this package is not installed."""

    supports_gradient_checkpointing = False
    _supports_sdpa = False

    def save_pretrained(self, save_directory: str | os.PathLike, **kwargs) -> None:
        """Saves weights and config as transformers does, and the source files that the model needs beside them."""
        try:
            from hf_arae.hub import export_code
        except ImportError:  # a model loaded by remote code: transformers copies the files that it came from
            export_code = None
        if export_code is not None and kwargs.get("is_main_process", True):
            export_code(self, save_directory)
        super().save_pretrained(save_directory, **kwargs)
