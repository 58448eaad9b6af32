"""What text families that write share, whatever their networks are."""

from __future__ import annotations

import copy

from torch import Tensor
from transformers import GenerationConfig, GenerationMixin
from transformers.utils import ModelOutput

from hf_arae.models.text.text_reader import TextReader
from hf_arae.models.text.writing_settings import check_writing, room_for_new_tokens
from hf_arae.nn.text.padding import check_padded_right, padded_after_end

GENERATE_ARGUMENTS = tuple(name for name in vars(GenerationConfig()) if not name.startswith("_"))


class TextModel(TextReader, GenerationMixin):
    """Base of models that write text.

    Beside what a reader's config has, theirs has `max_sequence_length`, as long as nothing else is said about the
    longest text.
    """

    def _set_generation_defaults(self) -> None:
        """Texts end after the longest of the training data; special tokens are never written."""
        defaults = self.generation_config
        defaults.max_new_tokens, defaults.max_length = self._longest_text() + 1, None
        defaults.suppress_tokens = self._never_written()

    def _longest_text(self) -> int:
        """Most words of a text that is written, where nothing else is said."""
        return self.config.max_sequence_length

    def _never_written(self) -> list[int]:
        special = {getattr(self.config, f"{name}_token_id") for name in ("pad", "bos", "unk", "mask")}
        return sorted(token for token in special if token is not None)

    def _after_loading(self) -> None:
        """What a checkpoint's `generation_config.json` does not say follows from its config, if need be all."""
        loaded = self.generation_config
        if loaded.max_new_tokens is None and loaded.max_length is None:
            loaded.max_new_tokens = self._longest_text() + 1
        if loaded.suppress_tokens is None:
            loaded.suppress_tokens = self._never_written()
        for name in ("pad_token_id", "bos_token_id", "eos_token_id", "decoder_start_token_id"):
            if getattr(loaded, name, None) is None:
                setattr(loaded, name, getattr(self.config, name, None))

    def _check_prefixes(self, **given: Tensor | None) -> None:
        """Raises ValueError for token ids, by name, that are padded (with -100 as well) on the left."""
        for name, ids in given.items():
            if ids is not None:
                begun = ((ids != self.config.pad_token_id) & (ids != -100)).cumsum(1) > 0
                check_padded_right(name, begun)

    def generate(
        self, inputs: Tensor | None = None, generation_config: GenerationConfig | None = None, **arguments
    ) -> Tensor | ModelOutput:
        """As in transformers, but sampling draws from the whole vocabulary unless `top_k` is given.

        The default of transformers keeps the 50 likeliest tokens. It cannot be changed in `generation_config`, whose
        `save_pretrained` refuses a sampling setting where sampling itself is not the default.

        A `max_length` goes before the checkpoint's own `max_new_tokens`.

        Raises:
            TypeError, ValueError: a setting is out of range or not supported, see `check_writing`.
        """
        settings = self.generation_config if generation_config is None else generation_config
        check_writing(vars(settings) | arguments)
        prompt = arguments.get("decoder_input_ids") if self.config.is_encoder_decoder else inputs
        begun = 1 if prompt is None else prompt.shape[1]
        if arguments.get("max_new_tokens") is None:
            if arguments.get("max_length") is not None:
                arguments["max_new_tokens"] = room_for_new_tokens(arguments.pop("max_length"), begun)
            elif generation_config is not None and settings.max_new_tokens is None and settings.max_length is not None:
                generation_config = copy.deepcopy(generation_config)
                generation_config.max_new_tokens = room_for_new_tokens(settings.max_length, begun)
                generation_config.max_length = None
        if arguments.get("do_sample", settings.do_sample) and arguments.get("top_k", settings.top_k) is None:
            if generation_config is None:
                arguments["top_k"] = 0
            else:
                generation_config = copy.deepcopy(generation_config)
                generation_config.top_k = 0
        return super().generate(inputs, generation_config, **arguments)

    def _padded_after_end(self, written: Tensor | ModelOutput) -> Tensor | ModelOutput:
        """What `generate()` has returned, with padding after the end of each text.

        Beam search in transformers takes the padding token 0 for none and fills ended rows with `<eos>`.
        """
        if not isinstance(written, Tensor) or self.config.eos_token_id is None:
            return written
        return padded_after_end(written, self.config.eos_token_id, self.config.pad_token_id)


__all__ = ["GENERATE_ARGUMENTS", "TextModel"]
