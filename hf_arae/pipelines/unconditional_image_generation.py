"""New images of a model that was trained on images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hf_arae.pipelines.image_pipeline import ImagePipeline
from hf_arae.utils.validation import check_number

if TYPE_CHECKING:
    from PIL import Image


class UnconditionalImageGenerationPipeline(ImagePipeline):
    """Draws new images (task `"unconditional-image-generation"`).

    ```python
    import hf_arae
    from transformers import pipeline

    draw = pipeline("unconditional-image-generation", model=folder_or_repository)
    images = draw(num_images=4, seed=0)  # a list of PIL images
    ```

    Raises:
        ValueError: the model has no images of its own to draw, or the image processor is not the model's.
    """

    needed, lacking = "draws_images", "has no images of its own to draw"

    def __call__(self, num_images: int = 1, seed: int | None = None, batch_size: int = 16) -> list[Image.Image]:
        """Draws images.

        Args:
            num_images: how many, >= 1.
            seed: image i of a seed is the same for every number of images, and but for rounding for every batch size;
                `None`: torch's own generator draws.
            batch_size: how many are made at once.

        Raises:
            ValueError: the number of images, the batch size or the seed is not a whole number, or too small.
        """
        return self.run_single(num_images, *self._sanitize_parameters(seed=seed, batch_size=batch_size))

    def _sanitize_parameters(self, seed: int | None = None, batch_size: int = 16) -> tuple[dict, dict, dict]:
        return {}, {"seed": seed, "batch_size": batch_size}, {}

    def preprocess(self, num_images: int) -> dict[str, int]:
        return {"num_images": num_images}

    def _forward(self, inputs: dict[str, int], seed: int | None, batch_size: int) -> dict[str, Any]:
        wanted = inputs["num_images"]
        check_number("num_images", wanted, "[1, inf)", whole=True)
        check_number("batch_size", batch_size, "[1, inf)", whole=True)
        # The last batch is filled up: in a smaller one sums could be rounded otherwise.
        drawn = self.model.sample(-(-wanted // batch_size) * batch_size, seed=seed, batch_size=batch_size)
        return {"images": drawn[:wanted]}

    def postprocess(self, outputs: dict[str, Any]) -> list[Image.Image]:
        return self.image_processor.post_process(outputs["images"])


__all__ = ["UnconditionalImageGenerationPipeline"]
