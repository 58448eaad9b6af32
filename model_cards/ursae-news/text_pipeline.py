# SPDX-License-Identifier: Apache-2.0
# Exported from hf_arae/pipelines/text_pipeline.py of hf_arae 0.1.0.
# Edits belong there: the next save_pretrained overwrites this file.
"""What the pipelines from texts to texts share: what they load, and how results over many texts are shown."""

from __future__ import annotations

from transformers import Pipeline

from .hf_arae_display import progress, shown


class TextPipeline(Pipeline):
    """Base of pipelines that read texts with a tokenizer and return a result for each.

    Results over a collection are a list that is shown as a table.
    """

    _load_tokenizer = True
    _load_processor = False
    _load_image_processor = False
    _load_video_processor = False
    _load_feature_extractor = False

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


__all__ = ["TextPipeline"]
