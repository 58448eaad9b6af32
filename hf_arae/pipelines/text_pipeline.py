"""What the pipelines from texts to texts share: what they load and refuse, and how results over many are shown."""

from __future__ import annotations

import torch
from transformers import Pipeline
from transformers.utils import ModelOutput

from hf_arae.data.text.inputs import check_inputs, check_on_error, skipping
from hf_arae.models.base import PushedWithCode
from hf_arae.models.text.tokenizer_check import check_tokenizer
from hf_arae.models.text.writing_settings import check_writing
from hf_arae.storage.wholeness import check_read_together
from hf_arae.utils.display import progress, shown

# What `generate()` gives beside the words, for which a result has no place.
_RAW_OUTPUTS = (
    "return_dict_in_generate",
    "output_scores",
    "output_logits",
    "output_attentions",
    "output_hidden_states",
)


class TextPipeline(PushedWithCode, Pipeline):
    """Base of pipelines that read texts with a tokenizer and return a result for each.

    Results over a collection are a list that is shown as a table.

    Raises:
        ValueError: the tokenizer is not the model's.
    """

    _load_tokenizer = True
    _load_processor = False
    _load_image_processor = False
    _load_video_processor = False
    _load_feature_extractor = False

    def __init__(self, model, *positional, **arguments):
        super().__init__(model, *positional, **arguments)
        check_read_together(self.model, self.tokenizer)
        check_tokenizer(self.tokenizer, self.model.config)

    def __call__(self, inputs, num_workers: int | None = None, batch_size: int | None = None, **arguments):
        """Runs over what `check_inputs` has made of a call's inputs."""
        if isinstance(inputs, list) and not inputs:  # the base class asks for the first item
            return shown([])
        results = super().__call__(inputs, num_workers=num_workers, batch_size=batch_size, **arguments)
        return shown(results) if isinstance(inputs, list) else results

    def get_iterator(self, inputs, *positional, **named):
        """As in transformers; over a list with a bar, if that takes long."""
        results = super().get_iterator(inputs, *positional, **named)
        return progress(results, total=len(inputs), description=self.task) if isinstance(inputs, list) else results

    def _checked_inputs(self, inputs, check, on_error: str):
        """What a call is to run over; texts that `check` refuses end it, or are skipped."""
        check_on_error(on_error)
        return check_inputs(inputs, skipping(check) if on_error == "skip" else check)

    def _check_generate_arguments(self, arguments: dict) -> None:
        for name in _RAW_OUTPUTS:
            if arguments.get(name):
                raise TypeError(
                    f"{type(self).__name__} does not take {name!r}: its results are texts. The model's generate() does"
                )
        check_writing(arguments)

    def _placeholder(self) -> torch.Tensor:
        """A text of one unknown word, which is read in place of one that is skipped, `(1, 3)`."""
        tokenizer = self.tokenizer
        return torch.tensor([[tokenizer.bos_token_id, tokenizer.unk_token_id, tokenizer.eos_token_id]])


def sequences_of(written: torch.Tensor | ModelOutput) -> torch.Tensor:
    """The words alone, where a checkpoint's generation config asks for more."""
    return written if isinstance(written, torch.Tensor) else written.sequences


__all__ = ["TextPipeline", "sequences_of"]
