"""What every family's config and model share: refusal of misspelled keys, and checkpoints that carry their code."""

from __future__ import annotations

import difflib
import inspect
import os
from typing import Any

import torch
from transformers import PreTrainedConfig, PreTrainedModel
from transformers.utils import logging

from hf_arae.models.downloads import check_downloaded_weights

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
# What `from_pretrained` of a config takes or passes on beside the config's own fields.
_LOADING_KEYS = {
    "_commit_hash",
    "code_revision",
    "dtype",
    "torch_dtype",
    "trust_remote_code",
    "user_agent",
    "use_auth_token",
}


class FamilyConfig(PreTrainedConfig):
    """Config that rejects unknown keys, which transformers would silently store, and completes `label2id`."""

    def __post_init__(self, **kwargs):
        self._refuse(set(kwargs) - _TRANSFORMERS_KEYS)
        super().__post_init__(**kwargs)
        if self.id2label is not None:
            self.label2id = {name: index for index, name in self.id2label.items()}

    @classmethod
    def from_dict(cls, config_dict: dict[str, Any], **kwargs):
        """As in transformers, but an argument of `from_pretrained` that nobody takes is refused.

        Raises:
            ValueError: names it. (A model's `from_pretrained` hands such arguments to the model, which refuses them.)
        """
        wants_unused = kwargs.pop("return_unused_kwargs", False)
        config, unused = super().from_dict(config_dict, return_unused_kwargs=True, **kwargs)
        if wants_unused:
            return config, unused
        cls._refuse(set(unused) - _LOADING_KEYS)
        return config

    @classmethod
    def _refuse(cls, unknown: set[str]) -> None:
        if not unknown:
            return
        accepted = sorted(name for name in inspect.signature(cls).parameters if name != "kwargs")
        hints = [match for key in sorted(unknown) for match in difflib.get_close_matches(key, accepted, n=1)]
        suggestion = f" Did you mean {', '.join(hints)}?" if hints else ""
        raise ValueError(
            f"{cls.__name__} does not know {', '.join(sorted(unknown))}.{suggestion} Accepted: {', '.join(accepted)}"
        )


class FamilyModel(PreTrainedModel):
    """Model whose checkpoints also load with `trust_remote_code=True` where this package is not installed."""

    supports_gradient_checkpointing = False
    _supports_sdpa = False

    @classmethod
    def from_pretrained(cls, *arguments, **options):
        """As in transformers, but in float32 unless `dtype` names another one.

        Published weights are stored in half precision to halve the download. That is a storage format, which
        `dtype="auto"` (what pipelines ask for) is not to be taken from: recurrent layers in float16 are slow on CPUs.
        """
        dtype = options.pop("dtype", None) or options.pop("torch_dtype", None)  # the older name
        options["dtype"] = torch.float32 if dtype in (None, "auto") else dtype
        name = arguments[0] if arguments else options.get("pretrained_model_name_or_path")
        try:
            return super().from_pretrained(*arguments, **options)
        finally:  # damage to the header raises above, in other words; damage to the numbers does not
            check_downloaded_weights(name, options)

    def save_pretrained(self, save_directory: str | os.PathLike, **kwargs) -> None:
        """Saves weights and config as transformers does, and the source files that the model needs beside them."""
        try:
            from hf_arae.hub.export import export_code
        except ModuleNotFoundError:  # a model loaded by remote code: transformers copies the files that it came from
            export_code = None
        if export_code is not None and kwargs.get("is_main_process", True):
            export_code(self, save_directory)
        # One small file: a progress bar over its shards would only break into the training's.
        shown = logging.is_progress_bar_enabled()
        logging.disable_progress_bar()
        try:
            super().save_pretrained(save_directory, **kwargs)
        finally:
            if shown:
                logging.enable_progress_bar()

    def _get_files_timestamps(self, working_dir: str | os.PathLike) -> dict[str, float]:
        # save_pretrained(push_to_hub=True) uploads what is newer than this; the source files are written before it.
        files = super()._get_files_timestamps(working_dir)
        return {name: time for name, time in files.items() if not name.endswith(".py")}
