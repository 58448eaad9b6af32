"""What a run makes public: nothing of the machine, no sentence of the data unless wanted, and only what is true."""

from __future__ import annotations

import ast
import json
import re
from importlib.util import find_spec

import pytest
import torch
from families import save_family, tiny_models
from huggingface_hub import ModelCard
from testing_mixins import made_up_sentences

import hf_arae
from hf_arae.data.loading import DataArguments, load_labelled_text
from hf_arae.data.splits import measured_split
from hf_arae.data.text.token_arrays import TokenArrays
from hf_arae.evaluation.latent_codes import code_statistics
from hf_arae.evaluation.summarization import samples_over_training
from hf_arae.hub import family
from hf_arae.hub.card_folder import CardArguments, make_card_folder
from hf_arae.hub.cards import write_run_card
from hf_arae.hub.curves import plot_run_curves
from hf_arae.hub.pushing import push_folder
from hf_arae.metrics import SummaryShape
from hf_arae.metrics.numbers import known_numbers, label_of, legend
from hf_arae.models.vae.configuration_vae import VaeConfig
from hf_arae.models.vae.modeling_vae import VaeModel
from hf_arae.training import Evaluation
from hf_arae.utils.places import without_places
from hf_arae.utils.tables import markdown_table

SECRET = "mrs. miller of room 12 complained"
HOSTILE = ('pos"); import os; os.system("x") #', "a|b\n<img src=x onerror=alert(1)>")


def report(folder, **changes):
    """A run's report as its script writes it, on a machine whose places are nobody's business."""
    settings = {
        "dataset_name": None,
        "train_file": "/home/jane/clients/acme/reviews.csv,C:\\Users\\jane\\more.csv",
        "output_dir": "../private/runs/tiny",
        "metric_for_best_model": "bleu_at_floor",
        "eval_steps": 5,
        "max_steps": 3,
    }
    found = {
        "command": "python /home/jane/hf_arae/examples/train_style_transfer.py --output_dir=../private/runs/tiny "
        "--train_file ~/clients/acme/reviews.csv",
        "seed": 0,
        "updates": 3,
        "minutes": 1.5,
        "source_bleu": 12.345,
        "measured_split": "split off",
        "settings": settings | changes.pop("settings", {}),
    } | changes
    (folder / "metrics.json").write_text(json.dumps(found))


@pytest.fixture
def run(transfer_model, tokenizer, tmp_path):
    """The folder of a run of a user's own data, without a card, with other things that lie there."""
    folder = tmp_path / "tiny"
    transfer_model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    report(folder)
    lines = [{"step": 1, "eval/source_bleu": float("nan"), "samples": [SECRET]}, {"step": 2, "autoencoder/loss": 1.0}]
    (folder / "training_log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    others = ("notes.md", "mine.py", "mine.png", "data.csv", "tokenizer_texts.json")
    for name in ("samples.md", "outputs.jsonl", "outputs-tiny.jsonl", *others):
        (folder / name).write_text(SECRET)
    return folder


def published(hub, name="alice/tiny"):
    """What is there, as one text without weights, pictures and the library's code, and the card."""
    files = {path: content for path, content in hub.files(name).items() if path != ".gitattributes"}
    texts = [content.decode() for path, content in files.items() if not path.endswith((".safetensors", ".png", ".py"))]
    return set(files), "\n".join(texts), ModelCard(files["README.md"].decode())


def snippet(card) -> str:
    return re.search(r"```python\n(.*?)```", card.content, re.DOTALL).group(1)


def test_nothing_of_the_machine_or_the_data_goes_up(local_hub, run):
    push_folder(run, "tiny")  # without a card: it is written
    files, said, card = published(local_hub)
    for private in ("jane", "private", "acme", "Users", SECRET, "miller", "NaN"):
        assert private not in said, private
    assert not files & {
        "samples.md",
        "outputs.jsonl",
        "outputs-tiny.jsonl",
        "notes.md",
        "mine.py",
        "mine.png",
        "data.csv",
    }
    assert "reviews.csv" in card.content and "examples/train_style_transfer.py" in card.content
    assert "alice/tiny" in snippet(card)
    assert card.data.license is None and card.data.language is None
    log = [json.loads(line) for line in local_hub.files("alice/tiny")["training_log.jsonl"].splitlines()]
    assert log == [{"step": 1, "eval/source_bleu": None}, {"step": 2, "autoencoder/loss": 1.0}]
    assert json.loads((run / "metrics.json").read_text())["settings"]["output_dir"] == "../private/runs/tiny"


def test_sentences_go_up_if_they_are_to(local_hub, run):
    push_folder(run, "alice/flag", publish_samples=True)
    files, said, card = published(local_hub, "alice/flag")
    assert {"samples.md", "outputs.jsonl", "outputs-tiny.jsonl"} < files and not files & {"notes.md", "mine.py"}
    assert f"```\n{SECRET}\n```" in card.content and "](samples.md)" in card.content and "jane" not in said
    (run / "README.md").unlink()
    report(run, settings={"publish_samples": True, "license": "mit", "language": "en,de"})
    push_folder(run, "alice/said")
    files, said, card = published(local_hub, "alice/said")
    assert "samples.md" in files and SECRET in card.content
    assert card.data.license == "mit" and card.data.language == ["en", "de"]


def test_a_card_that_names_a_place_of_this_machine_is_refused(local_hub, run):
    card = write_run_card(run, "alice/tiny")
    card.write_text(card.read_text() + f"\nTrained in {run.resolve()}.\n")
    with pytest.raises(ValueError, match=r"README\.md, line \d+"):
        push_folder(run, "alice/tiny")
    assert not local_hub.repositories


def test_ids_of_the_hub_stay_and_folders_lose_their_place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data" / "acme").mkdir(parents=True)
    for names, shown in (
        ("me/reviews", "me/reviews"),
        ("me/reviews:large", "me/reviews:large"),
        ("data/acme", "acme"),
        ("data/acme:large,me/reviews", "acme:large,me/reviews"),
        ("./x", "x"),
        ("~/x/", "x"),
    ):
        found = {
            "command": f"python t.py --dataset_name {names}",
            "settings": {"dataset_name": names, "text_column": "a"},
        }
        said = without_places(found | {"base": found})
        assert said["settings"] == {"dataset_name": shown, "text_column": "a"} == said["base"]["settings"]
        assert said["command"].endswith(f" {shown}")
    # Which of them were folders is what the run knew, not the machine that the card is written on.
    recorded = {"settings": {"dataset_name": "data/acme2"}, "repositories": []}
    assert without_places(recorded) == {"settings": {"dataset_name": "acme2"}}


def test_what_will_be_public_is_said_before_the_training(local_hub, tokenizer, tmp_path, caplog):
    def train(name, **changes):
        caplog.clear()
        model = hf_arae.AraeModel(
            hf_arae.AraeConfig(vocab_size=len(tokenizer), embedding_size=4, hidden_size=4, code_size=4)
        )
        settings = {"output_dir": str(tmp_path / name), "max_steps": 1, "per_device_train_batch_size": 16}
        settings |= {"push_to_hub": True, "report_to": "none", "use_cpu": True, "disable_tqdm": True} | changes
        at_step = []
        trainer = hf_arae.PhaseTrainer(
            model,
            hf_arae.AraeObjective(model),
            hf_arae.TrainingArguments(**settings),
            TokenArrays(made_up_sentences(vocab_size=len(tokenizer), attributes=1), 0),
            processing_class=tokenizer,
            evaluator=lambda model: at_step.append(caplog.text) or Evaluation({"source_bleu": 1.0}, [SECRET]),
        )
        trainer.train()
        trainer.push_to_hub()
        return at_step[0]

    said = train("open")
    for fact in (f"{local_hub.url}/alice/open", "PUBLIC", f"{len(tokenizer)} words", "publish_samples", "labels"):
        assert fact in said, fact
    assert SECRET not in published(local_hub, "alice/open")[1]
    said = train("closed", hub_private_repo=True, publish_samples=True)
    assert "private" in said and "PUBLIC" not in said and "sentences or pictures of the data" in said
    assert SECRET in published(local_hub, "alice/closed")[1]


def test_what_cannot_be_published_is_refused_before_the_training(tokenizer, tmp_path, monkeypatch):
    for wrong in ({"license": "free"}, {"language": "English"}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            hf_arae.TrainingArguments(**wrong)
    monkeypatch.setattr(family, "find_spec", lambda name: None if name.endswith("card_vae") else find_spec(name))
    sizes = {"vocab_size": len(tokenizer), "embedding_size": 4, "hidden_size": 4, "code_size": 4}
    arae = hf_arae.AraeModel(hf_arae.AraeConfig(**sizes))
    arguments = hf_arae.TrainingArguments(
        output_dir=str(tmp_path), push_to_hub=True, max_steps=1, per_device_train_batch_size=16, report_to="none"
    )
    data = TokenArrays(made_up_sentences(vocab_size=len(tokenizer), attributes=1), 0)
    larger = hf_arae.AraeModel(hf_arae.AraeConfig(**sizes | {"vocab_size": len(tokenizer) + 1}))
    for model, words, said in (
        (VaeModel(VaeConfig(**sizes)), tokenizer, "vae"),
        (arae, None, "tokenizer"),
        (larger, tokenizer, "words"),
    ):
        with pytest.raises(ValueError, match=said):
            hf_arae.PhaseTrainer(model, hf_arae.AraeObjective(arae), arguments, data, processing_class=words)


def test_the_split_that_was_measured_is_named(run):
    for split, named, said in (
        ("split off", "validation rows split off the training data", "which also chose the best checkpoint"),
        ("validation", "validation", "which also chose the best checkpoint"),
        ("test", "test", "The validation data chose the best checkpoint"),
        (None, None, "did not record"),
    ):
        report(run, measured_split=split)
        card = ModelCard.load(write_run_card(run, "alice/tiny"))
        assert card.data.eval_results[0].dataset_split == named
        assert said in card.content
    report(run, measured_split="split off", settings={"metric_for_best_model": None})
    assert "also chose" not in write_run_card(run, "alice/tiny").read_text()


def test_rows_that_were_split_off_are_known_as_such(tmp_path):
    rows = "".join(f"text number {row},{'ab'[row % 2]}\n" for row in range(40))
    for name in ("train", "validation", "test"):
        (tmp_path / f"{name}.csv").write_text(f"text,label\n{rows}")
    files = {}
    for name, measured in (("train", "split off"), ("validation", "validation"), ("test", "test")):
        files[f"{name}_file"] = str(tmp_path / f"{name}.csv")
        assert measured_split(load_labelled_text(DataArguments(**files, max_eval_samples=10))) == measured


def test_every_number_of_a_run_has_a_name():
    found = [*SummaryShape().compute(predictions=["a"], references=["a b"]), "reconstruction"]
    found += [*code_statistics(torch.eye(2), torch.eye(2)), "neighbour_cosine", "random_cosine"]
    assert not [name for name in found if label_of(name) == name]
    for name, number in known_numbers().items():
        assert number.label and number.meaning.endswith("."), name
    table = [{"system": "a", "source_bleu": 1.0}, {"system": "b", "self_bleu": 2.0}]
    source, among, *others = legend(table).splitlines()
    assert source.startswith("- `source_bleu`: ") and among.startswith("- `self_bleu`: ") and not others


def test_labels_and_settings_of_others_are_only_shown(transfer_model, tokenizer, tmp_path):
    config = transfer_model.config.to_dict() | {"id2label": dict(enumerate(HOSTILE))}
    model = hf_arae.AraeModel(
        hf_arae.AraeConfig(**{k: config[k] for k in ("vocab_size", "num_attributes", "id2label")})
    )
    for order in (HOSTILE, HOSTILE[::-1]):
        model.config.id2label = dict(enumerate(order))
        folder = save_family(model, tokenizer, tmp_path / "tiny")
        report(
            folder,
            settings={"text_column": "<script>|x\n| y", "note": "```\n# heading"},
            **{"<b>accuracy|of</b>\n\n# x": 1.0},
            command="python t.py '```\n<b>x</b>'",
        )
        card = ModelCard.load(write_run_card(folder, "alice/tiny"))
        calls = [node for node in ast.walk(ast.parse(snippet(card))) if isinstance(node, ast.Call)]
        targets = [word.value.value for call in calls for word in call.keywords if word.arg == "target"]
        assert targets == [order[-1]] and len(calls) == 3
        outside = re.sub(r"(?ms)^(`{3,})[^`\n]*\n.*?^\1$", "", card.content)  # what is not in a fence
        assert not re.search(r"<(?!br>)", outside)
        tables = [line for line in outside.splitlines() if line.startswith("|")]
        assert {len(re.findall(r"(?<!\\)\|", line)) for line in tables} == {3}
        assert not re.search("(?m)^# (?!tiny)", outside)


def test_the_snippet_speaks_of_the_model_s_own_texts(run, transfer_model):
    card = ModelCard.load(write_run_card(run, "alice/tiny"))
    assert "food" not in snippet(card) and "changed sentiment" in card.content
    report(run, settings={"train_file": None})
    assert "the food was awful ." in snippet(ModelCard.load(write_run_card(run, "alice/tiny")))  # the built-in corpus
    config = json.loads((run / "config.json").read_text())
    config |= {"id2label": {"0": "formal", "1": "informal"}, "label2id": {"formal": 0, "informal": 1}}
    (run / "config.json").write_text(json.dumps(config))
    report(run)
    card = ModelCard.load(write_run_card(run, "alice/tiny"))
    assert "sentiment" not in card.content and 'target="informal"' in snippet(card)


def test_a_card_knows_what_was_trained(tokenizer, tmp_path):
    models, cards = tiny_models(len(tokenizer)), {}
    for name in ("arae", "arae-transfer", "ursae", "headline_selector", "arae-sequenceclassification"):
        model, folder = models[name][1], tmp_path / name
        for method in ("arae", "supervised"):
            model.save_pretrained(folder)
            report(folder, method=method, tuning_pairs=2000)
            cards[name, method] = ModelCard.load(write_run_card(folder, f"alice/{name}"))
    assert "sample(" in snippet(cards["arae", "arae"])
    transfer = cards["arae-transfer", "arae"]
    assert 'target="positive"' in snippet(transfer) and transfer.data.pipeline_tag == "text-generation"
    selector = cards["headline_selector", "arae"]
    assert "unsupervised" not in selector.data.tags and "2 000 pairs" in selector.content
    assert "nsupervised" not in selector.data.eval_results[0].task_name
    assert "ursae" in cards["ursae", "arae"].data.tags and "ursae" not in selector.data.tags
    assert "semi-supervised" in cards["arae-sequenceclassification", "arae"].data.tags
    assert "semi-supervised" not in cards["arae-sequenceclassification", "supervised"].data.tags
    assert "unlabelled" not in cards["arae-sequenceclassification", "supervised"].content


def test_each_way_of_use_has_its_own_numbers(tokenizer, tmp_path):
    run = save_family(tiny_models(len(tokenizer))["ursae"][1], tokenizer, tmp_path / "news")
    report(run, tuning_pairs=2000)
    rows = [("first 8 words", 20.0), (f"{run} (greedy)", 26.92), (f"{run} (greedy, 8 words)", 26.1)]
    rows += [(f"{run} (beams, 9 words)", 21.6), ("a|<b>", float("nan"))]
    (tmp_path / "table.json").write_text(json.dumps([{"system": name, "rougeL": value} for name, value in rows]))
    lines = [{"document": f"{SECRET} | <b> _num_", "summary": "x\ny"}]
    (tmp_path / "outputs-news-greedy.jsonl").write_text("".join(json.dumps(line) for line in lines))
    given = {"run": str(run), "table": str(tmp_path / "table.json"), "title": "T", "dataset": "D", "training": "-"}
    card = ModelCard.load(make_card_folder(CardArguments(**given, folder=str(tmp_path / "staged"))) / "README.md")
    found = {result.metric_name: result.metric_value for result in card.data.eval_results}
    assert sorted(found.values()) == [21.6, 26.92]
    assert "greedy" in next(name for name, value in found.items() if value == 26.92)
    assert "beams" in next(name for name, value in found.items() if value == 21.6)
    assert card.data.license is None and SECRET not in card.content and str(tmp_path) not in card.content
    said = {"publish_samples": True, "license": "mit", "reading": "8 of 40 read well.", "domain": "Old news."}
    card = ModelCard.load(
        make_card_folder(CardArguments(**given, **said, folder=str(tmp_path / "again"))) / "README.md"
    )
    assert rf"{SECRET} \| &lt;b&gt; \_num\_" in card.content and r"a\|&lt;b&gt;" in card.content
    assert "| x y " in card.content and "8 of 40 read well." in card.content and "- Old news.\n" in card.content


def test_numbers_that_are_none_are_left_out(run):
    report(run, source_bleu=float("nan"), perplexity=float("inf"), reference_bleu=3.0)
    card = ModelCard.load(write_run_card(run, "alice/tiny"))
    assert [result.metric_type for result in card.data.eval_results] == ["reference_bleu"]
    assert not re.search(r"\b(nan|inf|NaN)\b", card.content)


def test_texts_stay_in_their_cells_and_names_of_numbers_are_no_formulas(tmp_path):
    table = markdown_table([{"a|b": "x|y\nz", "n": 1.0}]).splitlines()
    assert len(table) == 3 and {len(re.findall(r"(?<!\\)\|", line)) for line in table} == {3}
    log = tmp_path / "training_log.jsonl"
    lines = [{"step": step, "eval/$\\frac": float(step), "samples": [f"<b>{SECRET}  ->  a|b"]} for step in (1, 2)]
    log.write_text("".join(json.dumps(line) + "\n" for line in lines))
    said = samples_over_training(log)
    assert f"&lt;b&gt;{SECRET}" in said and r"| a\|b |" in said
    plot_run_curves(log, tmp_path / "curves.png")  # a label in a title
