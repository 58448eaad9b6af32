"""Configuration of the variational autoencoder for text."""

from huggingface_hub.dataclasses import strict

from hf_arae.models.recurrent.autoencoder_config import PriorAutoencoderConfig
from hf_arae.utils.validation import check_choice, check_range, check_widths

POSTERIORS = ("gaussian", "batch_norm", "balanced", "delta")


@strict
class VaeConfig(PriorAutoencoderConfig):
    """Sizes and switches of a VAE for text (Bowman et al. 2016), and the family of its posterior.

    The default sizes are those of Zhu et al. (2020) for Yahoo and Yelp, who tried a `batch_norm_scale` of 0.7 and 0.6
    and a `delta_rate` of 0.1 and 0.15. Beside the fields of [`PriorAutoencoderConfig`]:

    Args:
        posterior: q(z | x). `"gaussian"`; or one whose KL to the standard normal cannot vanish: `"batch_norm"`
            (BN-VAE), `"balanced"` (its extension: means and deviations normalised), `"delta"` (delta-VAE). See
            `hf_arae.nn.posteriors`.
        batch_norm_scale: gamma of `"batch_norm"`, above 0.
        min_mean_variance: tau of `"balanced"`, in (0, 1).
        delta_rate: delta of `"delta"`, in nats a coordinate, above 0.
        bag_of_words_sizes: hidden widths of the layers that predict a sentence's words from its code, for the
            bag-of-words loss (Zhao et al. 2017, who have one of 400); `[]` is one linear layer, `None` has none.
    """

    model_type = "vae"

    embedding_size: int = 512
    hidden_size: int = 1024
    code_size: int = 32
    posterior: str = "gaussian"
    batch_norm_scale: float | int = 0.7
    min_mean_variance: float | int = 0.5
    delta_rate: float | int = 0.1
    bag_of_words_sizes: list[int] | tuple[int, ...] | None = None

    def validate_posterior(self):
        check_choice(self, "posterior", POSTERIORS)
        if self.posterior != "gaussian" and self.prior_sparsity:
            raise ValueError(f"posterior={self.posterior!r} is for the standard normal prior: prior_sparsity=0")
        check_range(self, "(0, inf)", "batch_norm_scale", "delta_rate")
        check_range(self, "(0, 1)", "min_mean_variance")
        if self.bag_of_words_sizes is not None:
            check_widths(self, "bag_of_words_sizes")


__all__ = ["VaeConfig"]
