"""What is said of texts before a training: how many are cut, which words are unknown or hidden, or that none are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from transformers import PreTrainedModel, PreTrainedTokenizerBase
from transformers.utils import logging

logger = logging.get_logger(__name__)

_LONGEST_WORD = 12  # mean of characters a word, over which texts hardly have spaces; German has 6, Finnish 8
_LONGEST_UNSPACED_WORD = 5  # the same in scripts that are written without spaces
_UNSPACED = (  # Thai to Myanmar, Khmer, kana, ideographs
    *((0x0E00, 0x0EFF), (0x1000, 0x109F), (0x1780, 0x17FF), (0x3040, 0x30FF), (0x3400, 0x4DBF), (0x4E00, 0x9FFF)),
    (0x20000, 0x3134F),
)
_MAX_UNKNOWN = 0.5
_SAMPLE = 2000
_SHOWN = 30
HIDDEN_WORDS_FILE = "hidden_words.txt"


def warn_of_texts(texts: Sequence[str], tokenizer: PreTrainedTokenizerBase, split: str, pairs: bool = False) -> None:
    """Warns of what a model will not see of texts: what is cut, and what is unknown to most of its words.

    Args:
        texts: sentences as `hf_arae.data.text.encoding.read_texts` gives them.
        tokenizer: see [`~hf_arae.data.text.tokenization.train_tokenizer`].
        split: name of the split or of the column, for messages.
        pairs: each text is two sentences that the tokenizer frames as a pair.
    """
    words = [text.split() for text in texts]
    limit = tokenizer.model_max_length - tokenizer.num_special_tokens_to_add(pairs)
    longer = sum(len(sentence) > limit for sentence in words)
    if longer:
        logger.warning(
            "%d of %d %s texts have more than %d words and are cut there: max_length sets the limit.",
            *(longer, len(words), split, limit),
        )
    if not _has_spaces(words):
        logger.warning(
            "The %s texts have hardly any spaces. Words must be separated by spaces: in a script that is written "
            "without them, part the texts into words first.",
            split,
        )
        return
    vocabulary = tokenizer.get_vocab()
    count = sum(map(len, words))
    unknown = sum(word not in vocabulary for sentence in words for word in sentence)
    if unknown > _MAX_UNKNOWN * count:
        logger.warning(
            "%.0f %% of the words of the %s texts are not among the vocabulary's %d words: the model reads them as "
            "unknown. vocab_size and min_frequency set the vocabulary.",
            *(100 * unknown / count, split, len(vocabulary) - len(tokenizer.all_special_ids)),
        )


def _has_spaces(sentences: list[list[str]]) -> bool:
    words = [word for sentence in sentences[:: max(1, len(sentences) // _SAMPLE)] for word in sentence]
    letters = "".join(words)
    unspaced = sum(any(first <= ord(letter) <= last for first, last in _UNSPACED) for letter in letters)
    longest = _LONGEST_UNSPACED_WORD if unspaced > len(letters) / 2 else _LONGEST_WORD
    return len(letters) <= longest * len(words)


def report_hidden_words(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, path: Path, anew: bool) -> str:
    """Writes down the words that an encoder does not see as they give the label away, the surest first.

    Args:
        model: with `attribute_log_odds`, of which the config's `salience_threshold` hides the words above it.
        tokenizer: the model's.
        path: a text file of a word and its log-odds (nats) a line; made with its folder.
        anew: replace the file, where there is one.

    Returns:
        A line for people: how many they are, and the first of them. Empty where the model hides none on purpose.
    """
    config = model.config
    if not config.mask_attribute_words:
        return ""
    largest = model.attribute_log_odds.float().amax(1).cpu()
    rows = sorted((largest > config.salience_threshold).nonzero().flatten().tolist(), key=lambda row: -largest[row])
    words = tokenizer.convert_ids_to_tokens(rows)
    if anew or not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = [f"{word}\t{largest[row]:.3f}\n" for word, row in zip(words, rows, strict=True)]
        path.write_text("".join(lines), encoding="utf-8")
    count = len(tokenizer) - len(tokenizer.all_special_ids)
    shown = f": {', '.join(words[:_SHOWN])}{', ...' if len(words) > _SHOWN else ''}" if words else ""
    return (
        f"{len(words)} of {count} words are hidden from the encoder, as they give the label away (log-odds over "
        f"{config.salience_threshold:g}; all of them in {path}){shown}"
    )
