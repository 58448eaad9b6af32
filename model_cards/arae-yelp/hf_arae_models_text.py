# SPDX-License-Identifier: Apache-2.0
# Exported from hf_arae/models/text.py of hf_arae 0.1.0.
# Edits belong there: the next save_pretrained overwrites this file.
"""What the recurrent text families share: how they are initialised, and how `generate()` treats them."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from transformers import GenerationConfig, GenerationMixin
from transformers import initialization as init
from transformers.utils import ModelOutput

from .hf_arae_models_base import FamilyModel
from .hf_arae_nn_vocabulary import VocabularyProjection


class RecurrentTextModel(FamilyModel, GenerationMixin):
    """Base of models that write text with an LSTM; their decoding state is a `RecurrentCache`.

    The config has `pad_token_id`, `bos_token_id`, `unk_token_id`, `mask_token_id` and `max_sequence_length`.
    """

    base_model_prefix = ""
    main_input_name = "input_ids"
    _no_split_modules = []

    def _set_generation_defaults(self) -> None:
        """Sentences end at the longest length of the training data, and special tokens are never written."""
        config, defaults = self.config, self.generation_config
        defaults.max_new_tokens = config.max_sequence_length + 1
        defaults.max_length = None
        special = {config.pad_token_id, config.bos_token_id, config.unk_token_id, config.mask_token_id}
        defaults.suppress_tokens = sorted(token for token in special if token is not None)

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        """The published initialisation: tables, LSTMs and the output uniform(-0.1, 0.1), the output's bias zero."""
        if isinstance(module, nn.Embedding):
            init.uniform_(module.weight, -0.1, 0.1)
            if module.padding_idx is not None:
                init.zeros_(module.weight[module.padding_idx])
        elif isinstance(module, nn.LSTM):
            for parameter in module.parameters():
                init.uniform_(parameter, -0.1, 0.1)
        elif isinstance(module, VocabularyProjection):
            module.reset_parameters()

    def generate(
        self, inputs: Tensor | None = None, generation_config: GenerationConfig | None = None, **arguments
    ) -> Tensor | ModelOutput:
        """As in transformers, but sampling draws from the whole vocabulary unless `top_k` is given.

        The default of transformers keeps the 50 likeliest tokens. It cannot be changed in `generation_config`, whose
        `save_pretrained` refuses a sampling setting where sampling itself is not the default.
        """
        settings = self.generation_config if generation_config is None else generation_config
        if arguments.get("do_sample", settings.do_sample) and arguments.get("top_k", settings.top_k) is None:
            if generation_config is None:
                arguments["top_k"] = 0
            else:
                generation_config = copy.deepcopy(generation_config)
                generation_config.top_k = 0
        return super().generate(inputs, generation_config, **arguments)

    def _supports_default_dynamic_cache(self) -> bool:
        return False  # the decoding state is a RecurrentCache, made in prepare_inputs_for_generation
