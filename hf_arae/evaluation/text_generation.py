"""How well a model of unlabelled sentences rebuilds them, writes new ones, and shapes its code space."""

from __future__ import annotations

from collections.abc import Sequence

from transformers import PreTrainedModel, PreTrainedTokenizerBase
from transformers.utils import logging

from hf_arae.data.text.encoding import read_texts
from hf_arae.evaluation.language_model import reverse_perplexity
from hf_arae.evaluation.latent_codes import CodeGaussian, code_statistics, sample_codes
from hf_arae.evaluation.latent_neighbours import Neighbourhoods, neighbour_cosine
from hf_arae.evaluation.latent_noise import swap_noise
from hf_arae.evaluation.rewriting import encode_texts, sample_texts
from hf_arae.latent.space import LatentSpace
from hf_arae.metrics import Bleu, Diversity, ExactMatch, Perplexity
from hf_arae.metrics.numbers import Number
from hf_arae.training.results import Evaluation
from hf_arae.utils.distributed import from_main

NUMBERS = {
    "reconstruction_nll": Number(
        "-log p of a sentence given its code (nats)",
        "How badly the decoder rebuilds a sentence, in nats a sentence; lower is better.",
        in_metadata=True,
    ),
    "sample_distinct_1": Number(
        "Distinct words of new sentences (%)",
        "Different words over all words of the new sentences; higher is more varied.",
    ),
    "sample_distinct_2": Number(
        "Distinct bigrams of new sentences (%)",
        "Different pairs of neighbouring words over all pairs of the new sentences; higher is more varied.",
        in_metadata=True,
    ),
    "sample_distinct_sentences": Number(
        "New sentences that differ from one another (%)",
        "Different new sentences over all new sentences; higher is more varied.",
    ),
    "sample_length": Number(
        "Mean length of new sentences (words)",
        "Words a new sentence; compare it with that of real sentences.",
    ),
}

logger = logging.get_logger(__name__)


def new_sentences(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    num_samples: int,
    gaussian: CodeGaussian | None = None,
    seed: int = 0,
    **generate_arguments,
) -> list[str]:
    """Writes new sentences: from codes that the model draws or, given it, from those of a fitted Gaussian.

    Args:
        generate_arguments: `do_sample`, `temperature`, `precision`, ... Words are the likeliest unless told otherwise;
            those of a model without codes (a language model) are always drawn.
    """
    if gaussian is None:
        return sample_texts(model, tokenizer, num_samples, seed=seed, **generate_arguments)
    codes = gaussian.draw(num_samples, seed, getattr(model.config, "draw_noise", 0.0))
    # The model's own limit, so that texts from drawn and from fitted codes are equally long.
    arguments = {"max_new_tokens": model.generation_config.max_new_tokens} | generate_arguments
    return LatentSpace(model, tokenizer).decode(codes, seed=seed, **arguments)


def without_unknown_words(texts: Sequence[str], tokenizer: PreTrainedTokenizerBase) -> list[str]:
    """The texts whose words the tokenizer all knows.

    Models never write its token for unknown words, so a language model that has read what they write would pay for
    each one in held-out text, and one that has read real text would not. Where none is left, all are kept, with a
    warning.
    """
    encoded = tokenizer(list(texts), return_attention_mask=False)["input_ids"]
    known = [text for text, ids in zip(texts, encoded, strict=True) if tokenizer.unk_token_id not in ids]
    if not known:
        logger.warning(
            "Each of the %d held-out texts has a word that the tokenizer does not know: all are measured.",
            len(texts),
        )
    return known or list(texts)


class TextGenerationEvaluator:
    """Evaluator for the loop, for models of unlabelled sentences.

    Metrics, of any model with `sample`:
        `sample_distinct_1`, `sample_distinct_2`, `sample_self_bleu`, `sample_distinct_sentences` (%), `sample_length`
            (words): of new sentences, see [`~hf_arae.metrics.diversity.Diversity`];
        `reverse_perplexity`: if `reverse_perplexity_samples` > 0, of a language model trained on that many new
            sentences (the thesis stops early on it).

    Of a language model:
        `perplexity`: of the texts, a token, see [`~hf_arae.metrics.perplexity.Perplexity`].

    And of an autoencoder:
        `reconstruction_bleu`, `exact_match` (%): greedy;
        `reconstruction_nll`: -log p(x | code of x), nats a sentence;
        `code_norm`, `code_variance`, `drawn_norm`, `drawn_variance`: see [`code_statistics`] (Figure 4.2);
        `neighbour_cosine`, `random_cosine`: if there are neighbourhoods (Figure 4.2).

    Args:
        tokenizer: the model's.
        texts: held-out sentences; the tokenizer reads them.
        train_texts: sentences that a Gaussian of codes is fitted to, to draw new ones from: for an autoencoder that
            learns no distribution of its codes. Some 10 000 for codes of a few hundred coordinates. `None`: the model
            draws codes itself.
        neighbourhoods: see `find_neighbours`.
        num_samples: new sentences for the diversity, at least 2.
        num_printed: sentences among the samples that are printed, of each kind.
    """

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        texts: Sequence[str],
        train_texts: Sequence[str] | None = None,
        neighbourhoods: Neighbourhoods | None = None,
        num_samples: int = 500,
        num_printed: int = 4,
        reverse_perplexity_samples: int = 0,
    ):
        if num_samples < 2:
            raise ValueError(f"num_samples must be at least 2, got {num_samples}")
        self.tokenizer, self.texts, self.train_texts = tokenizer, read_texts(texts, tokenizer), train_texts
        self.neighbourhoods, self.num_samples, self.num_printed = neighbourhoods, num_samples, num_printed
        self.reverse_perplexity_samples = reverse_perplexity_samples

    def metric_names(self, model: PreTrainedModel) -> list[str]:
        """The names of the metrics of an evaluation of that model."""
        names = [
            f"sample_{name}" for name in ("distinct_1", "distinct_2", "self_bleu", "distinct_sentences", "length")
        ]
        if hasattr(model, "encode"):
            names += ["reconstruction_nll", "reconstruction_bleu", "exact_match"]
            if len(self.texts) > 1:  # one code has no variance
                names += ["code_norm", "code_variance"]
                names += ["drawn_norm", "drawn_variance"] if self.train_texts is None else []
            names += ["neighbour_cosine", "random_cosine"] if self.neighbourhoods is not None else []
        else:
            names.append("perplexity")
        return names + ["reverse_perplexity"] * bool(self.reverse_perplexity_samples)

    def __call__(self, model: PreTrainedModel) -> Evaluation:
        gaussian, metrics, lines = None, {}, []
        if hasattr(model, "encode"):
            if self.train_texts is not None:
                gaussian = CodeGaussian.fit(encode_texts(model, self.tokenizer, self.train_texts))
            metrics, lines = self._rebuild(model)
            if len(self.texts) > 1:
                drawn = sample_codes(model, len(self.texts)) if gaussian is None else None
                metrics |= code_statistics(encode_texts(model, self.tokenizer, self.texts), drawn)
            if self.neighbourhoods is not None:
                metrics |= neighbour_cosine(model, self.tokenizer, self.neighbourhoods)
        else:
            metrics |= from_main(lambda: Perplexity(model, self.tokenizer).compute(predictions=self.texts))
        wanted = max(self.num_samples, self.reverse_perplexity_samples)
        samples = new_sentences(model, self.tokenizer, wanted, gaussian)
        metrics |= from_main(lambda: self._diversity(samples[: self.num_samples]))
        if self.reverse_perplexity_samples:
            metrics["reverse_perplexity"] = reverse_perplexity(samples, self.texts, self.tokenizer)
        return Evaluation(metrics, lines + [f"[sample] {text}" for text in samples[: self.num_printed]])

    def _rebuild(self, model: PreTrainedModel) -> tuple[dict[str, float], list[str]]:
        rebuilt = swap_noise(model, self.tokenizer, self.texts, swaps=(0,))
        written = rebuilt.written[0]

        def score() -> dict[str, float]:
            bleu = Bleu().compute(predictions=written, references=self.texts)["bleu"]
            exact = ExactMatch().compute(predictions=written, references=self.texts)
            return {"reconstruction_nll": rebuilt.losses[0], "reconstruction_bleu": bleu, **exact}

        pairs = zip(self.texts[: self.num_printed], written[: self.num_printed], strict=True)
        return from_main(score), [f"{text}  ->  {copy}" for text, copy in pairs]

    @staticmethod
    def _diversity(samples: list[str]) -> dict[str, float]:
        found = Diversity().compute(predictions=samples)
        found["length"] = found.pop("mean_length")
        return {f"sample_{name}": value for name, value in found.items()}
