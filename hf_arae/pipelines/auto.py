"""The pipelines of this package by the names of their tasks, and their registration with transformers."""

from contextlib import suppress
from typing import Any

from transformers import PreTrainedConfig, PreTrainedModel
from transformers.pipelines import PIPELINE_REGISTRY

from hf_arae.models.auto import FAMILIES, family
from hf_arae.pipelines.feature_extraction import CodePipeline
from hf_arae.pipelines.image_anomaly_detection import ImageAnomalyDetectionPipeline
from hf_arae.pipelines.image_classification import ImageLabelPipeline
from hf_arae.pipelines.image_feature_extraction import ImageCodePipeline
from hf_arae.pipelines.text_generation import WordGenerationPipeline
from hf_arae.pipelines.text_style_transfer import TextStyleTransferPipeline
from hf_arae.pipelines.text_summarization import TextSummarizationPipeline
from hf_arae.pipelines.unconditional_image_generation import UnconditionalImageGenerationPipeline

TASKS = {
    "text-style-transfer": TextStyleTransferPipeline,
    "text-summarization": TextSummarizationPipeline,
    "unconditional-image-generation": UnconditionalImageGenerationPipeline,
    "image-anomaly-detection": ImageAnomalyDetectionPipeline,
}


def register() -> None:
    """Makes `transformers.pipeline` know every task. Calling it again changes nothing."""
    for task, pipeline_class in TASKS.items():
        if task not in PIPELINE_REGISTRY.get_supported_tasks():
            PIPELINE_REGISTRY.register_pipeline(task, pipeline_class, pt_model=auto_class(*pipeline_class.auto_models))
            # By this, saving a pipeline would write its source file alone, which does not run without all the others.
            del pipeline_class._registered_impl
    # There is no place for a pipeline of one family beside transformers' own of that task.
    PIPELINE_REGISTRY.supported_tasks["feature-extraction"]["impl"] = CodePipeline
    PIPELINE_REGISTRY.supported_tasks["text-generation"]["impl"] = WordGenerationPipeline
    PIPELINE_REGISTRY.supported_tasks["image-feature-extraction"]["impl"] = ImageCodePipeline
    PIPELINE_REGISTRY.supported_tasks["image-classification"]["impl"] = ImageLabelPipeline


def auto_class(*classes: type) -> type:
    """One Auto class for several, which loads with the one that knows the model.

    transformers would try them all, and show last that the others do not know the config: what is wrong with the
    folder stands far above it.
    """
    if len(classes) == 1:
        return classes[0]

    class AutoModelOfTask(classes[0]):
        @classmethod
        def from_pretrained(cls, name: Any, *arguments: Any, **options: Any) -> PreTrainedModel:
            content, _ = PreTrainedConfig.get_config_dict(name, **options)
            kind = content.get("model_type")
            known = {*content.get("auto_map", ()), *(family(kind).models if kind in FAMILIES else ())}
            *others, last = [one for one in classes if one.__name__ in known] or classes
            for one in others:
                with suppress(ValueError):
                    return one.from_pretrained(name, *arguments, **options)
            return last.from_pretrained(name, *arguments, **options)

    return AutoModelOfTask
