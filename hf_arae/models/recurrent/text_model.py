"""What the recurrent text families share: how they are initialised, and how they write."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from transformers import GenerationConfig
from transformers import initialization as init

from hf_arae.models.text.text_model import TextModel
from hf_arae.models.text.writing_settings import check_writing, room_for_new_tokens
from hf_arae.nn.text.decoding import RecurrentWriter, WriterCell
from hf_arae.nn.text.recurrent_cache import RecurrentCache
from hf_arae.nn.text.vocabulary import VocabularyProjection

_DEFAULT_SETTINGS = vars(GenerationConfig())
# What a `generation_config` may say without a need for `generate()` itself.
_PLAIN_SETTINGS = {
    "bos_token_id",
    "decoder_start_token_id",
    "do_sample",
    "eos_token_id",
    "max_new_tokens",
    "pad_token_id",
    "suppress_tokens",
    "temperature",
    "transformers_version",
}


class RecurrentTextModel(TextModel):
    """Base of models that write text with an LSTM; their decoding state is a `RecurrentCache`."""

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

    def prepare_inputs_for_generation(self, input_ids, cache=None, encoder_outputs=None, use_cache=None, **kwargs):
        """What `forward` of an encoder and a decoder takes at the next word; a language model says its own."""
        if use_cache and cache is None:
            cache = RecurrentCache()
        begun = cache is not None and cache.get_seq_length() > 0
        return {
            "decoder_input_ids": input_ids[:, -1:] if begun else input_ids,
            "cache": cache,
            "encoder_outputs": encoder_outputs,
            "use_cache": use_cache,
        }

    def _write(
        self,
        cells: list[WriterCell],
        table: Tensor | None,
        rows: int,
        arguments: dict,
        context: Tensor | None = None,
        attribute: Tensor | None = None,
    ) -> Tensor | None:
        """Writes by [`RecurrentWriter`], or returns `None` where the arguments need `generate()`.

        Args:
            cells: the decoders.
            table: the embedding table that the output projection shares, if it does.
            rows: number of sentences.
            arguments: `precision`, and arguments of `generate`, which take precedence over `generation_config`.
            context, attribute: see `RecurrentWriter.write`.

        Raises:
            ValueError: a precision other than float32 is asked for together with what needs `generate()`.
        """
        precision = arguments.pop("precision", "float32")
        chosen = {k: v for k, v in vars(self.generation_config).items() if v != _DEFAULT_SETTINGS.get(k)}
        given = {k: v for k, v in arguments.items() if v is not None}
        if "max_length" in given and "max_new_tokens" not in given:
            given["max_new_tokens"] = room_for_new_tokens(given.pop("max_length"))
        settings = chosen | given
        check_writing(settings)
        off = {key for key, value in settings.items() if value is None or value is False}
        needed = {key for key in settings if not key.startswith("_")} - _PLAIN_SETTINGS - off
        if settings.get("num_beams", 1) == 1:
            needed.discard("num_beams")
        if not settings.get("do_sample") or settings.get("top_k") == 0:
            needed.discard("top_k")
        if needed or settings.get("max_new_tokens") is None:
            if precision != "float32":
                raise ValueError(
                    f"precision={precision!r} is for greedy decoding and plain sampling; not together with "
                    f"{', '.join(sorted(needed)) or 'max_new_tokens=None'}"
                )
            return None
        temperature = settings.get("temperature", 1.0) if settings.get("do_sample") else None
        projection = self.projection
        writer = RecurrentWriter(
            cells,
            projection.bottleneck if table is not None else None,
            projection.weight if table is None else table,
            projection.bias,
            self.config.eos_token_id,
            self.config.pad_token_id,
            settings.get("suppress_tokens", ()),
            precision,
        )
        begin = torch.full((rows,), self.config.bos_token_id, device=self.device)
        return writer.write(begin, settings["max_new_tokens"], context, attribute, temperature)

    def _supports_default_dynamic_cache(self) -> bool:
        return False  # the decoding state is a RecurrentCache, made in prepare_inputs_for_generation
