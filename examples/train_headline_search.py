"""Trains a headline selector: which words of an article make the best headline, learned from unpaired titles.

    python examples/train_headline_search.py                                 # built-in news
    python examples/train_headline_search.py --dataset_name ARTICLES --titles_name TITLES

No article is ever seen with its own title: titles are put beside articles of *other* documents that tell a like
story, and networks learn which words of the article the title has. Validation pairs choose nine numbers, no more.

The steps: 1 arguments, 2 data and tokenizer, 3 signals of the words, 4 titles beside like articles, 5 training, 6
tuning, 7 the test split's table. The result, `--output_dir`, loads with `pipeline("text-summarization", model=...)`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from datasets import Dataset
from transformers import AutoTokenizer, pipeline, set_seed

import hf_arae  # noqa: F401 (registers the pipeline)
from hf_arae.data.corpora.news import build_titles
from hf_arae.data.documents import DocumentArguments, load_documents, load_titled_documents
from hf_arae.data.splits import measured_split
from hf_arae.data.text.encoding import read_texts, with_read_texts
from hf_arae.data.text.token_arrays import TokenArrays
from hf_arae.data.text.tokenization import train_tokenizer
from hf_arae.evaluation.summarization import lead_words, summary_scores
from hf_arae.models.headline_selector.configuration_headline_selector import HeadlineSelectorConfig
from hf_arae.models.headline_selector.forms import headline_forms
from hf_arae.models.headline_selector.mining import mine_titles, title_words
from hf_arae.models.headline_selector.modeling_headline_selector import HeadlineSelectorForTokenClassification
from hf_arae.models.headline_selector.objective_headline_selector import (
    HeadlineSelectorObjective,
    HeadlineSelectorObjectiveArguments,
)
from hf_arae.models.headline_selector.signals import headline_signals
from hf_arae.models.headline_selector.tuning import tune_selection
from hf_arae.training import PhaseTrainer, TrainingArguments
from hf_arae.training.run_folder import check_start
from hf_arae.utils.command_line import read_command_line, run_script
from hf_arae.utils.display import visible
from hf_arae.utils.tables import markdown_table

LEAD = 10  # words of the simplest baseline


@dataclass
class ScriptArguments:
    """What belongs to this script alone."""

    tokenizer: str | None = field(
        default=None,
        metadata={"help": "This folder or Hub id has the tokenizer; by default one is made of articles and titles."},
    )
    vocab_size: int = field(default=40_000, metadata={"help": "A tokenizer that is made has at most so many words."})
    max_length: int = field(
        default=60, metadata={"help": "A tokenizer that is made reads articles of at most so many words."}
    )
    minimum_similarity: float = field(
        default=0.42,
        metadata={"help": "A title tells an article's story if the cosine of their tf-idf is above this, in [0, 1)."},
    )
    headlines_from_validation: float = field(
        default=0.0,
        metadata={
            "help": "The summaries of this share of the validation rows, in [0, 1), join the titles (never beside "
            "their own documents). Tuning uses the other rows."
        },
    )
    validation_similarity: float = field(
        default=0.30,
        metadata={"help": "This is the minimum_similarity of those summaries, which are few, but of the wanted kind."},
    )
    validation_repeats: int = field(
        default=4, metadata={"help": "A pass over the data has the pairs of those summaries so many times."}
    )
    vector_size: int = field(
        default=32, metadata={"help": "Among the signals of a word is a vector of so many numbers."}
    )
    max_words: float = field(default=11.0, metadata={"help": "Tuning keeps the mean length of headlines below this."})


def main() -> None:
    # 1. Arguments
    groups = {
        "Data": DocumentArguments,
        "Vocabulary, titles and tuning": ScriptArguments,
        "Model": HeadlineSelectorConfig,
        "Objective": HeadlineSelectorObjectiveArguments,
        "Training": TrainingArguments,
    }
    command = read_command_line(__file__, __doc__, groups, preset="headline-search")
    data_arguments, script, sizes, objective_arguments, training_arguments = command.parts
    if not 0 <= script.headlines_from_validation < 1:
        raise ValueError(f"headlines_from_validation must lie in [0, 1), got {script.headlines_from_validation}")
    set_seed(training_arguments.seed)
    check_start(training_arguments)

    # 2. Data in the tokenizer's words, in which titles are compared with articles
    data = load_documents(data_arguments, summary_required=True)
    titles, title_documents = load_titled_documents(data_arguments)
    if not titles:
        titles = build_titles()
        title_documents = [""] * len(titles)
    if script.tokenizer is not None:
        tokenizer = AutoTokenizer.from_pretrained(script.tokenizer)
    else:
        texts = [*data["train"]["document"], *titles]
        tokenizer = train_tokenizer(texts, script.vocab_size, max_length=script.max_length, style="news")
    if data_arguments.normalization != "news":  # else they are read already
        for split in data:
            data[split] = with_read_texts(data[split], tokenizer, data[split].column_names)
        titles, title_documents = read_texts(titles, tokenizer), read_texts(title_documents, tokenizer)
    own_articles = [text for text in title_documents if text]
    validation = data["validation"]
    taken = int(script.headlines_from_validation * len(validation))
    headlines, headline_documents = validation["summary"][:taken], validation["document"][:taken]
    titles, title_documents = titles + headlines, title_documents + headline_documents
    tuning = validation.select(range(taken, len(validation)))
    limit = tokenizer.model_max_length - 2
    articles = [text for text in dict.fromkeys(data["train"]["document"]) if len(text.split()) <= limit]
    print(f"{len(articles)} articles, {len(titles)} unpaired titles, {len(tuning)} pairs for tuning")

    # 3. Signals of the words
    signals, selectable = headline_signals(
        articles, titles, tokenizer, own_articles or None, vector_size=script.vector_size
    )
    forms, phrases = headline_forms(tokenizer)
    config = HeadlineSelectorConfig.from_tokenizer(tokenizer, signal_size=signals.shape[1], **vars(sizes))
    model = HeadlineSelectorForTokenClassification(config)
    model.selector.set_words(signals, selectable, forms, phrases)

    # 4. Titles beside articles of other documents
    pairs = mine_titles(articles, titles, articles, title_documents, script.minimum_similarity)
    texts = [(articles[article], titles[title]) for article, title in pairs]
    if headlines:
        pairs = mine_titles(articles, headlines, articles, headline_documents, script.validation_similarity)
        texts += [(articles[article], headlines[title]) for article, title in pairs] * script.validation_repeats
    rows = []
    for article, title in texts:
        ids = tokenizer(article, truncation=True)["input_ids"]
        labels = [int(label) for label in title_words(article, title)]
        if len(ids) == len(labels) + 2:
            rows.append({"input_ids": ids, "length": len(ids), "labels": [0, *labels, 0]})
    if len(rows) < training_arguments.per_device_train_batch_size:
        raise ValueError(
            f"only {len(rows)} articles have a title of another document that is like them: lower "
            f"minimum_similarity ({script.minimum_similarity}), or give more titles or articles"
        )
    print(f"{len(rows)} articles beside a title of another document, such as")
    for article, title in texts[:: max(1, len(texts) // 3)][:3]:
        print(f"    {visible(article)}\n      {visible(title)}")

    # 5. Training
    trainer = PhaseTrainer(
        model,
        HeadlineSelectorObjective(model, objective_arguments),
        training_arguments,
        TokenArrays(Dataset.from_list(rows), tokenizer.pad_token_id),
        processing_class=tokenizer,
    )
    result = trainer.train()
    print(f"trained {result.steps} updates in {result.seconds / 60:.1f} minutes")

    # 6. Tuning
    tuned = tune_selection(model, tokenizer, tuning["document"][:], tuning["summary"][:], max_words=script.max_words)
    print("tuned: " + "  ".join(f"{name} {value:.2f}" for name, value in tuned.items()))

    # 7. The test split's table (the validation split's, where there is no test split)
    test = data.get("test", tuning)
    documents, summaries = test["document"][:], test["summary"][:]
    trainer.save_model()  # tuned
    if not trainer.accelerator.is_main_process:
        return
    summarize = pipeline("text-summarization", model=training_arguments.output_dir, batch_size=128)
    scores, samples = {}, []
    outputs = lead_words(documents, LEAD)
    scores[f"first {LEAD} words"] = summary_scores(documents, outputs, summaries)
    for name, length in (("its own length", None), ("8 words", 8), ("10 words", 10), ("11 words", 11)):
        options = {"target_length": length, "first_sentence": False, "truncation": True}
        outputs = [result["summary_text"] for result in summarize(documents, detokenize=False, **options)]
        scores[name] = summary_scores(documents, outputs, summaries)
        samples = samples or list(zip(documents, summaries, outputs, strict=True))[:10]
    for document, summary, output in samples:
        print(f"\n{visible(document)}\n  = {visible(summary)}\n  > {visible(output)}")
    print(f"\n{len(documents)} held-out articles; = is the reference, > the selector at its own length")
    print(markdown_table([{"summary": name, **row} for name, row in scores.items()], decimals=2))
    found = {"tuning_pairs": len(tuning), "tuned": tuned, "test": scores, **scores["its own length"]}
    trainer.finish(found, command.parts, preset=command.preset, measured_split=measured_split(data))


if __name__ == "__main__":
    run_script(main)
