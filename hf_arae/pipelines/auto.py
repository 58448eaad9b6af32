"""The pipelines of this package by the names of their tasks, and their registration with transformers."""

from transformers.pipelines import PIPELINE_REGISTRY

from hf_arae.pipelines.feature_extraction import CodePipeline
from hf_arae.pipelines.text_generation import WordGenerationPipeline
from hf_arae.pipelines.text_style_transfer import TextStyleTransferPipeline
from hf_arae.pipelines.text_summarization import TextSummarizationPipeline

TASKS = {"text-style-transfer": TextStyleTransferPipeline, "text-summarization": TextSummarizationPipeline}


def register() -> None:
    """Makes `transformers.pipeline` know every task. Calling it again changes nothing."""
    for task, pipeline_class in TASKS.items():
        if task not in PIPELINE_REGISTRY.get_supported_tasks():
            PIPELINE_REGISTRY.register_pipeline(task, pipeline_class, pt_model=pipeline_class.auto_models)
            # By this, saving a pipeline would write its source file alone, which does not run without all the others.
            del pipeline_class._registered_impl
    # There is no place for a pipeline of one family beside transformers' own of that task.
    PIPELINE_REGISTRY.supported_tasks["feature-extraction"]["impl"] = CodePipeline
    PIPELINE_REGISTRY.supported_tasks["text-generation"]["impl"] = WordGenerationPipeline
