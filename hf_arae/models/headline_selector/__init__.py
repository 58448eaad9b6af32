"""Headlines by selection: which words of a sentence its headline keeps."""

from hf_arae.models.headline_selector.configuration_headline_selector import HeadlineSelectorConfig
from hf_arae.models.headline_selector.modeling_headline_selector import HeadlineSelectorForTokenClassification

__all__ = ["HeadlineSelectorConfig", "HeadlineSelectorForTokenClassification"]
