"""Word-level tokenizer, trained from the data, that a person may type at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from tokenizers import Tokenizer, normalizers, pre_tokenizers, processors
from tokenizers.models import WordLevel
from transformers import PreTrainedTokenizerFast

from hf_arae.data.text.characters import whole_characters
from hf_arae.data.text.news import news_normalizer
from hf_arae.data.text.rules import NUMBER_TOKEN, PAGE_RULES, TREEBANK_QUOTES, UNSEEN_RULES, Rule, replacements

# The order fixes the ids, which the configs' defaults name: pad 0, bos 1, eos 2, unk 3, mask 4.
SPECIAL_TOKENS = ("<pad>", "<bos>", "<eos>", "<unk>", "<mask>")
STYLES = ("sentence", "news")

_NAMES = "|".join(token[1:-1] for token in SPECIAL_TOKENS)
_RULES: tuple[Rule, ...] = (
    ("&amp;", "&"),
    ("[\u2018\u2019\u201a\u201b\u00b4\u02bc]", "'"),
    ("[\u201c\u201d\u201e\u201f\u00ab\u00bb]", '"'),
    # A literal special token in a text stays text: "<eos>" becomes the three words "< eos >".
    (rf"<(?=({_NAMES})>)", "< "),
    *((rf"(?<=< {token[1:-1]})>", " >") for token in SPECIAL_TOKENS),
)
# Quotation marks stand alone. A single one opens only where another closes: "'em" is a word.
_QUOTES: tuple[Rule, ...] = (
    (r'(?<=\S)"', ' "'),
    (r'"(?=\S)', '" '),
    (
        r"(?<=\s|^)'(?=\p{L}(?:[^']|(?<=\w)'(?=\w))*[^\s']'(?![\w']))"
        r"(?!(?:s|m|d|re|ve|ll|n|em|til|tis|twas|cause|cuz|bout|round)(?!\w))",
        "' ",
    ),
    (r"(?<=[\w.,!?;:%])(?<!'n)'(?=\s|$|[-.,!?;:])", " '"),
)
_MARKS: tuple[Rule, ...] = (
    # Forms written together are split as the corpora split them: "didn't" is "did n't", "it's" is "it 's".
    (r"(?<=\w)n't\b", " n't"),
    *((rf"(?<=\w)'{ending}\b", f" '{ending}") for ending in ("s", "m", "re", "ve", "ll", "d")),
    # Sentence punctuation stands alone. A stop after one or two letters is an abbreviation ("dr.") unless it ends all.
    (r"!{2,}", "!"),
    (r"\?{2,}", "?"),
    (r"\.{3,}", "..."),
    *((rf"(?<=[^\s{mark}]){mark}(?=\.?(?:\s|$))", f" {mark[-1]}") for mark in ("!", r"\?", ",", ";", ":")),
    (r"(?<=[^\s.])\.\.\.", " ..."),
    (r"(?<=[^\s.][^\s.][^\s.])\.(?=\s|$)", " ."),
    (r"(?<=[^\s.])\.(?=(?: (?:\"|'|''))?\s?$)", " ."),
    (r"\((?=\w)", "( "),
    (r"(?<=\w)\)", " )"),
    (r"\$(?=\d)", "$ "),
)
_NUMBER: Rule = (r"(?<=\s|^)\d+([.,]\d+)*(?=\s|$)", NUMBER_TOKEN)


def sentence_normalizer(mask_numbers: bool = False, treebank_quotes: bool = False) -> normalizers.Normalizer:
    """How the style "sentence" reads, as a part of a tokenizer.

    Args:
        mask_numbers: numbers become `NUMBER_TOKEN`.
        treebank_quotes: double quotation marks become Penn Treebank's two, as in ``the `` best '' soup``.
    """
    quotes = (*TREEBANK_QUOTES, (r"\s{2,}|^\s|\s$", " "), *_QUOTES) if treebank_quotes else _QUOTES
    numbers = (_NUMBER,) if mask_numbers else ()
    return normalizers.Sequence(
        [
            *replacements(UNSEEN_RULES),
            normalizers.NFKC(),
            normalizers.Lowercase(),
            *replacements(PAGE_RULES),
            # Before the rules, so that "ends all" holds for a text that is typed with a trailing space.
            normalizers.Strip(),
            *replacements((*_RULES, *quotes, *_MARKS, *numbers)),
        ]
    )


def train_tokenizer(
    texts: Iterable[str],
    vocab_size: int = 30_000,
    min_frequency: int = 1,
    max_length: int = 25,
    style: str = "sentence",
) -> PreTrainedTokenizerFast:
    """Builds a word-level tokenizer from texts.

    It frames each sentence as `<bos> w1 ... wn <eos>`, the two of a pair one after the other; words outside the
    vocabulary become `<unk>`. In the style "sentence" it lower-cases and splits contractions, punctuation and
    quotation marks (so `The food was AWFUL!` reads as `the food was awful !`), and where the texts write numbers as
    `_num_`, or quotation marks as Penn Treebank does, what is typed becomes those words too. In every style characters
    that nobody sees, such as zero-width spaces, are left out, and HTML's entities are read as the characters that they
    stand for.

    Args:
        texts: training sentences.
        vocab_size: the most tokens, special ones included. Ties in frequency are broken alphabetically, so the same
            texts give the same vocabulary in any order.
        min_frequency: words seen less often are left out; at least 1.
        max_length: longest sentence in words; `truncation=True` cuts to it.
        style: how text is read: "sentence", or "news", as `hf_arae.data.text.news.normalize_news` writes it, so that a
            typed news sentence reads as Gigaword's do.

    Raises:
        ValueError: there is no word in the texts, `vocab_size`, `min_frequency` or `max_length` leaves none, or
            `style` is unknown.
    """
    if style not in STYLES:
        raise ValueError(f"style must be one of {', '.join(STYLES)}, got {style!r}")
    if vocab_size <= len(SPECIAL_TOKENS):
        raise ValueError(f"vocab_size must exceed the {len(SPECIAL_TOKENS)} special tokens, got {vocab_size}")
    if max_length < 1:
        raise ValueError(f"max_length must be at least 1, got {max_length}")
    plain = news_normalizer() if style == "news" else sentence_normalizer()
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(plain.normalize_str(whole_characters(text)).split())
    for token in SPECIAL_TOKENS:
        counts.pop(token, None)
    if not counts:
        raise ValueError("cannot train a tokenizer: the texts hold no word")
    treebank = style == "sentence" and counts["``"] > counts['"']
    if treebank:
        del counts['"']  # it is read as "``" or "''"
    words = sorted((word for word, n in counts.items() if n >= min_frequency), key=lambda w: (-counts[w], w))
    if not words:
        commonest, most = counts.most_common(1)[0]
        raise ValueError(
            f"min_frequency is {min_frequency}, and no word of the texts occurs as often: the commonest, "
            f"{commonest!r:.80}, occurs {most} times"
        )
    kept = words[: vocab_size - len(SPECIAL_TOKENS)]
    vocabulary = {token: index for index, token in enumerate((*SPECIAL_TOKENS, *kept))}

    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.normalizer = plain if style == "news" else sentence_normalizer(NUMBER_TOKEN in vocabulary, treebank)
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<bos> $A <eos>",
        pair="<bos> $A <eos> <bos> $B <eos>",
        special_tokens=[(token, vocabulary[token]) for token in ("<bos>", "<eos>")],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        bos_token="<bos>",
        eos_token="<eos>",
        unk_token="<unk>",
        mask_token="<mask>",
        padding_side="right",
        truncation_side="right",
        model_max_length=max_length + 2,
        model_input_names=["input_ids", "attention_mask"],
        clean_up_tokenization_spaces=False,
        split_special_tokens=True,
    )
