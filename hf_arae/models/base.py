"""What every family's config and model share: refusal of misspelled keys, and checkpoints that are whole."""

from __future__ import annotations

import difflib
import inspect
import os
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar

import torch
from safetensors import SafetensorError
from transformers import PreTrainedConfig, PreTrainedModel
from transformers.utils import SAFE_WEIGHTS_INDEX_NAME, SAFE_WEIGHTS_NAME, logging

from hf_arae.storage.downloads import check_downloaded_weights
from hf_arae.storage.loading import check_files_beside, check_finite, check_not_pickled, check_whole
from hf_arae.storage.wholeness import DIGESTS_FILE, ResultState, check_result, check_unreplaced, result_state

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
    "adapter_kwargs",
    "adapter_name",
    "allow_all_kernels",
    "cache_dir",
    "code_revision",
    "device_map",
    "device_mesh",
    "disable_mmap",
    "distributed_config",
    "dtype",
    "force_download",
    "generation_config",
    "gguf_file",
    "ignore_mismatched_sizes",
    "kernel_config",
    "key_mapping",
    "local_files_only",
    "low_cpu_mem_usage",
    "max_memory",
    "offload_buffers",
    "offload_folder",
    "offload_state_dict",
    "output_loading_info",
    "proxies",
    "resume_download",
    "revision",
    "state_dict",
    "subfolder",
    "token",
    "tp_plan",
    "tp_size",
    "tqdm_class",
    "trust_remote_code",
    "use_auth_token",
    "use_kernels",
    "use_safetensors",
    "user_agent",
    "variant",
    "weights_only",
}
# AutoTokenizer reads the config with the options of the tokenizer, beside its tokens.
_TOKENIZER_KEYS = {
    "added_tokens_decoder",
    "additional_special_tokens",
    "clean_up_tokenization_spaces",
    "extra_special_tokens",
    "max_length",
    "model_input_names",
    "model_max_length",
    "padding_side",
    "pad_to_multiple_of",
    "split_special_tokens",
    "tokenizer_file",
    "tokenizer_type",
    "truncation_side",
    "use_fast",
}
# What transformers' own trainer, pipelines and adapters may hand to any model's `forward`, which changes nothing here.
_IDLE_INPUTS = {
    "cache_position",
    "decoder_attention_mask",
    "logits_to_keep",
    "num_items_in_batch",
    "output_attentions",
    "output_hidden_states",
    "position_ids",
    "token_type_ids",
}
# Likewise, as long as they are None.
_EMPTY_INPUTS = {"decoder_inputs_embeds", "head_mask", "inputs_embeds", "past_key_values", "task_ids"}


class FamilyConfig(PreTrainedConfig):
    """Config that rejects unknown keys, which transformers would silently store, and completes `label2id`."""

    # Fields that nobody chooses: the data, the processor or the training give them, so that no script has a flag.
    not_chosen: ClassVar[tuple[str, ...]] = ("is_encoder_decoder", "tie_word_embeddings")

    def __post_init__(self, **kwargs):
        self._refuse(set(kwargs) - _TRANSFORMERS_KEYS)
        super().__post_init__(**kwargs)
        if self.id2label is not None:
            self.label2id = {name: index for index, name in self.id2label.items()}

    @classmethod
    def from_dict(cls, config_dict: dict[str, Any], **kwargs):
        """As in transformers, but an argument of `from_pretrained` that nobody takes, or out of range, is refused.

        Raises:
            ValueError: names it. (A model's `from_pretrained` hands such arguments to the model, which refuses them.)
            StrictDataclassClassValidationError: (huggingface_hub's) names what is out of range.
        """
        wants_unused = kwargs.pop("return_unused_kwargs", False)
        config, unused = super().from_dict(config_dict, return_unused_kwargs=True, **kwargs)
        config.validate()  # transformers sets what is given over what the file says, and looks at it no more
        if wants_unused:
            return config, unused
        known = _TRANSFORMERS_KEYS | _LOADING_KEYS | _TOKENIZER_KEYS
        cls._refuse({key for key in unused if key not in known and not key.endswith("_token")})
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


class PushedWithCode:
    """What goes to the Hub with the code that it needs where this package is not installed.

    Saving alone writes no code: it is written when something is pushed, or staged (`python -m hf_arae.hub stage`).
    """

    def _upload_modified_files(self, working_dir: str | os.PathLike, *arguments, **options):
        # What `push_to_hub` of models and pipelines, and `save_pretrained(push_to_hub=True)`, come to. Where this file
        # is itself such code, transformers has copied all of it already.
        if __name__.partition(".")[0] == "hf_arae":
            import_module("hf_arae.hub.export").write_code(working_dir)
        return super()._upload_modified_files(working_dir, *arguments, **options)


class FamilyModel(PushedWithCode, PreTrainedModel):
    """Model that loads whole or not at all, and whose files replace those that stood in its folder."""

    auto_classes: tuple[str, ...] = ()  # names of transformers' Auto classes that build it from its config
    supports_gradient_checkpointing = False
    _supports_sdpa = False
    accepts_loss_kwargs = False  # the loss is a batch's mean: transformers' Trainer averages over batches itself
    _own_head: str | None = None  # a part that the base model's checkpoints do not have
    _other_heads: tuple[str, ...] = ()  # parts of other models that are built around this one
    read_result: tuple[Path, ResultState | None] | None = None  # folder that it was loaded from, and what stood there

    @classmethod
    def from_pretrained(cls, *arguments, **options):
        """As in transformers, but in float32 unless `dtype` names another one, and whole or not at all.

        Published weights are stored in half precision to halve the download. That is a storage format, which
        `dtype="auto"` (what pipelines ask for) is not to be taken from: recurrent layers in float16 are slow on CPUs.

        Raises:
            OSError: a file is damaged, missing or of another result; the folder is given another one while it is read;
                the weights are a pickle (`use_safetensors=False` reads one).
            ValueError: a number is not finite; the tensors are not those of the config. The head of a new task may
                be missing, and `ignore_mismatched_sizes=True` lets anything be missing.
        """
        options["dtype"] = _without_storage_format(options)
        name = arguments[0] if arguments else options.get("pretrained_model_name_or_path")
        asked = options.pop("output_loading_info", False)
        if options.get("use_safetensors") is None and options.get("state_dict") is None:
            check_not_pickled(name, options)
            options["use_safetensors"] = True
        folder = None if name is None else Path(name, options.get("subfolder") or "")
        is_folder = folder is not None and folder.is_dir()
        state = result_state(folder) if is_folder else None
        if is_folder:
            check_result(folder)
            check_files_beside(name, options)
        try:
            model, info = super().from_pretrained(*arguments, output_loading_info=True, **options)
        except SafetensorError as error:  # names no file
            raise OSError(f"{name}: the file of the weights is damaged: {error}") from error
        finally:  # damage to the header raises above, in other words; damage to the numbers does not
            check_downloaded_weights(name, options)
        if not options.get("ignore_mismatched_sizes"):
            check_whole(name, info, model, cls._own_head, cls._other_heads)
        check_finite(name, model)
        if not is_folder:  # they were downloaded just now
            check_files_beside(name, options)
        model._after_loading()
        if is_folder:
            check_unreplaced(folder, state)
            model.read_result = (folder, state)
        return (model, info) if asked else model

    @classmethod
    def _from_config(cls, config: PreTrainedConfig, **options):
        options["dtype"] = _without_storage_format(options)
        return super()._from_config(config, **options)

    def _after_loading(self) -> None:
        """Called at the end of `from_pretrained`."""

    def begin_training(self) -> None:
        """Called before a training's first iteration, for what is known of the weights as they were."""

    def check_processor(self, processor: Any | None) -> None:
        """Makes sure that a processor (a tokenizer, or what makes tensors of images) is this model's.

        Args:
            processor: `None`: there is none.

        Raises:
            ValueError: it is not, or the model is of no use without one.
        """

    def _refuse_unknown(self, given: dict[str, Any]) -> None:
        """Raises TypeError for keywords of `forward` that neither this model nor transformers itself knows."""
        for name, value in given.items():
            if name in _IDLE_INPUTS or (name in _EMPTY_INPUTS and value is None):
                continue
            known = [key for key in inspect.signature(type(self).forward).parameters if key not in ("self", "kwargs")]
            close = difflib.get_close_matches(name, known, n=1)
            hint = f": did you mean {close[0]}?" if close else f". Accepted: {', '.join(known)}"
            raise TypeError(f"{type(self).__name__} does not take the argument {name!r}{hint}")

    def save_pretrained(self, save_directory: str | os.PathLike, **kwargs) -> None:
        """Saves weights and config as transformers does.

        Weights that stood in the folder before go, in one file or in several: a loader takes the one file first.
        """
        if not self.is_remote_code():  # source files of a repository that it came from are not in the new folder
            for name in ("auto_map", "custom_pipelines"):
                vars(self.config).pop(name, None)
        # One small file: a progress bar over its shards would only break into the training's.
        shown = logging.is_progress_bar_enabled()
        logging.disable_progress_bar()
        earlier = _set_weights_aside(Path(save_directory), kwargs)
        try:
            super().save_pretrained(save_directory, **kwargs)
        except BaseException:
            for path, aside in earlier.items():
                aside.replace(path)
            raise
        finally:
            if shown:
                logging.enable_progress_bar()
        for aside in earlier.values():
            aside.unlink()


def _without_storage_format(options: dict[str, Any]) -> torch.dtype | str:
    dtype = options.pop("dtype", None) or options.pop("torch_dtype", None)  # the older name
    return torch.float32 if dtype in (None, "auto") else dtype


def _set_weights_aside(folder: Path, options: dict) -> dict[Path, Path]:
    """Renames what a save may leave beside its own files; returns new names by old ones.

    transformers itself removes the parts of weights in several files, and neither their index nor a single file. The
    digests of a training's result are no longer those of the folder, and go at once.
    """
    if not options.get("is_main_process", True):
        return {}
    (folder / DIGESTS_FILE).unlink(missing_ok=True)
    variant = options.get("variant")
    names = [SAFE_WEIGHTS_NAME, SAFE_WEIGHTS_INDEX_NAME]
    if variant is not None:
        names = [f"{stem}.{variant}.{end}" for stem, _, end in (name.rpartition(".") for name in names)]
    paths = [folder / name for name in names if (folder / name).is_file()]
    return {path: path.replace(path.with_name(f".{path.name}.earlier")) for path in paths}
