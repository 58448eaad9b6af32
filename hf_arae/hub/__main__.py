"""`python -m hf_arae.hub`: models, corpora and metrics to the Hub and back."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Sequence
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

from hf_arae.data.corpora import CORPORA, push_corpus
from hf_arae.hub.card_folder import CardArguments, make_card_folder
from hf_arae.hub.cards import write_run_card
from hf_arae.hub.errors import HubError, clear_errors, connect
from hf_arae.hub.metrics import METRICS, push_metric
from hf_arae.hub.published import REPO_TYPES, publication, publishes_samples
from hf_arae.hub.pulling import list_models, pull
from hf_arae.hub.pushing import open_repository, push_folder
from hf_arae.hub.staging import stage
from hf_arae.storage.downloads import require_checkpoints
from hf_arae.utils.card_metadata import languages, listed, wrong_language, wrong_license
from hf_arae.utils.tables import markdown_table

INTRODUCTION = """\
Models, corpora and metrics to the Hugging Face Hub and back.

Log in once with `hf auth login`, or set HF_TOKEN. HF_ENDPOINT names another Hub than https://huggingface.co.

  python -m hf_arae.hub card runs/arae-reviews                 # writes README.md from the training run
  python -m hf_arae.hub push runs/arae-reviews me/arae-reviews --private
  python -m hf_arae.hub stage arae-yelp staged/arae-yelp       # what a push would send, into a folder
  python -m hf_arae.hub list --author me
  python -m hf_arae.hub pull me/arae-reviews copy
  python -m hf_arae.hub push-corpus reviews me/reviews         # --dataset_name me/reviews
  python -m hf_arae.hub push-metric bleu me/bleu               # evaluate.load("me/bleu")

Every command explains itself: python -m hf_arae.hub push --help
"""
CARD = """\
Writes a model card.

With the run alone: README.md in the run's folder, from its report and its log (what --push_to_hub does). It names no
licence and no language but those given here or to the training, and shows no sentence of the data without
--publish_samples.

  python -m hf_arae.hub card runs/arae-reviews --repository me/arae-reviews --license mit --language en

With a folder too: the model goes there, its weights in half precision, with the table of one of the evaluation
examples in its card. `stage` and `push` take it from there.

  python examples/evaluate_style_transfer.py --models runs/arae-yelp --output_dir runs/evaluation ...
  python -m hf_arae.hub card runs/arae-yelp model_cards/arae-yelp --table runs/evaluation/table.json \\
      --title "ARAE, Yelp sentiment" --dataset "Yelp sentiment" --training "Where the sentences come from."
"""
PUSH = """\
Pushes a folder as one commit: a model's with its card (one of model_cards/, or a training's --output_dir), a Space's,
or a dataset's.

  python -m hf_arae.hub push runs/arae-reviews me/arae-reviews
  python -m hf_arae.hub push runs/arae-reviews me/arae-reviews --update --message "Trained longer"
  python -m hf_arae.hub push examples/space me/style-transfer --repo_type space

A model's folder is checked first: whole weights, processor, card with metadata that the Hub takes; where there is no
card, one is written from the run. The code for machines without this package is added. Checkpoints, optimizer states,
pickles, paths of this machine and, without --publish_samples, the sentences that the log and the outputs hold stay
here. The vocabulary goes up: it is words of the training data. Repeat a push that broke off with --update: what has
arrived is not sent twice.
"""
PULL = """\
Downloads a repository into a folder and compares every file with its checksum on the Hub.

  python -m hf_arae.hub pull me/arae-reviews copy
  python -m hf_arae.hub pull me/arae-reviews copy --revision v1.0
"""
CORPUS = """\
Pushes a built-in corpus as a dataset with its card. The examples then train on it: --dataset_name OWNER/NAME.

  python -m hf_arae.hub push-corpus reviews me/reviews --private
"""
METRIC = """\
Pushes a metric as a Space that `evaluate.load("OWNER/NAME")` loads, with or without this package.

  python -m hf_arae.hub push-metric bleu me/bleu
"""
STAGE = """\
Writes what a push of a model would send into a folder: weights, processor, card, and the code by which it loads where
this package is not installed.

  python -m hf_arae.hub stage arae-yelp staged/arae-yelp              # of model_cards/
  python -m hf_arae.hub stage runs/arae-reviews staged/arae-reviews   # any folder with a card
"""
LIST = """\
Lists the models whose card says `library_name: hf_arae`.

  python -m hf_arae.hub list --author me
"""


def _parser() -> ArgumentParser:
    style = {"formatter_class": RawDescriptionHelpFormatter}
    parser = ArgumentParser(prog="python -m hf_arae.hub", description=INTRODUCTION, **style)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    card = commands.add_parser("card", help="write a model card from a run", description=CARD, **style)
    for part in fields(CardArguments):
        positional = part.name in ("run", "folder")
        required = {"required": part.default is MISSING and part.name == "run"} if not positional else {}
        optional = {"nargs": "?"} if part.name == "folder" else {}
        default = "" if part.default is MISSING else part.default
        name = part.name if positional else f"--{part.name}"
        if isinstance(default, bool):
            card.add_argument(name, action="store_true", help=part.metadata["help"])
            continue
        card.add_argument(name, default=default, help=part.metadata["help"], **required, **optional)
    card.set_defaults(do=_card)

    staging = commands.add_parser("stage", help="write what a push would send", description=STAGE, **style)
    staging.add_argument("name", metavar="NAME", help="A model's folder, or the name of one in model_cards/.")
    staging.add_argument("folder", metavar="FOLDER", help="Where it goes.")
    staging.set_defaults(do=_stage)

    push = commands.add_parser("push", help="push a folder", description=PUSH, **style)
    push.add_argument("folder", help="What is pushed.")
    push.add_argument(
        "--publish_samples", action="store_true", help="Sentences of a model's data go up too, in its log and outputs."
    )
    _add_pushing(push)
    push.set_defaults(do=_push)

    down = commands.add_parser("pull", help="download a repository, checked", description=PULL, **style)
    down.add_argument("repo_id", help="OWNER/NAME.")
    down.add_argument("folder", help="Where it goes.")
    down.set_defaults(do=_pull)

    corpus = commands.add_parser("push-corpus", help="push a built-in corpus", description=CORPUS, **style)
    corpus.add_argument("name", choices=list(CORPORA), metavar="NAME", help=f"One of {', '.join(CORPORA)}.")
    _add_pushing(corpus)
    corpus.set_defaults(do=_push_corpus)

    metric = commands.add_parser("push-metric", help="push a metric for evaluate.load", description=METRIC, **style)
    metric.add_argument("name", choices=list(METRICS), metavar="NAME", help=f"One of {', '.join(METRICS)}.")
    metric.set_defaults(do=_push_metric)
    _add_pushing(metric)

    for command in (push, down):
        command.add_argument("--repo_type", default="model", choices=REPO_TYPES, help="What it is (default: model).")
        command.add_argument("--revision", help="Branch (to pull: or tag, or commit); main if not given.")

    show = commands.add_parser("list", help="list models of this library", description=LIST, **style)
    show.add_argument("--author", help="Of a user or an organisation.")
    show.add_argument("--search", help="With this in their name.")
    show.set_defaults(do=_list)
    return parser


def _add_pushing(command: ArgumentParser) -> None:
    command.add_argument("repo_id", help="OWNER/NAME, or NAME for one of your own.")
    command.add_argument("--private", action="store_true", help="Make it private, if it is new.")
    command.add_argument("--update", action="store_true", help="Add a commit to a repository that has files already.")
    command.add_argument("--message", help="Of the commit.")


def _pushing(arguments: Namespace) -> dict[str, Any]:
    """What the commands that push have in common."""
    return {
        "private": arguments.private or None,
        "update": arguments.update,
        "message": arguments.message,
    }


def _card(arguments: Namespace) -> None:
    run = Path(arguments.run)
    if not run.is_dir():
        raise FileNotFoundError(f"{run} is no folder")
    require_checkpoints(str(run))
    wrong = wrong_license(arguments.license or None) or wrong_language(listed(languages(arguments.language)))
    if wrong:
        raise ValueError(wrong)
    if not arguments.folder:
        said = {name: getattr(arguments, name) or None for name in ("license", "language")}
        said["publish_samples"] = arguments.publish_samples
        print(write_run_card(run, arguments.repository or run.resolve().name, **said))
        return
    given = {part.name: getattr(arguments, part.name) for part in fields(CardArguments)}
    missing = [part.name for part in fields(CardArguments) if part.default is MISSING and not given[part.name]]
    if missing:
        raise ValueError(f"with a folder give --{' --'.join(missing)} too")
    folder = make_card_folder(CardArguments(**given))
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    print(f"{folder}: {size / 1e6:.1f} MB")


def _stage(arguments: Namespace) -> None:
    files = stage(arguments.name, arguments.folder)
    print(f"{len(files)} files in {arguments.folder}")


def _push(arguments: Namespace) -> None:
    where = {"repo_type": arguments.repo_type, "revision": arguments.revision}
    samples, folder = arguments.publish_samples, Path(arguments.folder)
    done = push_folder(folder, arguments.repo_id, publish_samples=samples, **where, **_pushing(arguments))
    files = publication(folder, arguments.repo_type, samples or publishes_samples(folder))
    print(f"{len(files)} files in {done.commit_url}")


def _push_corpus(arguments: Namespace) -> None:
    private = arguments.private or None
    repo_id = open_repository(arguments.repo_id, "dataset", private, connect(), arguments.update)
    with clear_errors(repo_id):
        done = push_corpus(arguments.name, repo_id, private=private, commit_message=arguments.message)
    print(f"{done.commit_url}\nNow: --dataset_name {repo_id}")


def _push_metric(arguments: Namespace) -> None:
    done = push_metric(arguments.name, arguments.repo_id, **_pushing(arguments))
    print(f'{done.commit_url}\nNow: evaluate.load("{done.repo_url.repo_id}")')


def _pull(arguments: Namespace) -> None:
    where = {"repo_type": arguments.repo_type, "revision": arguments.revision}
    files = pull(arguments.repo_id, arguments.folder, **where)
    print(f"{files} files in {arguments.folder}, each as the Hub has it")


def _list(arguments: Namespace) -> None:
    rows = [
        {
            "model": model.id,
            "task": model.pipeline_tag or "",
            "private": "yes" if model.private else "",
            "changed": f"{model.last_modified:%Y-%m-%d}" if model.last_modified else "",
            "downloads": model.downloads or 0,
        }
        for model in list_models(arguments.author, arguments.search)
    ]
    print(markdown_table(rows) if rows else "no models found")


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs a command; what goes wrong is said in one line, with exit status 1."""
    given = _parser().parse_args(arguments)
    try:
        given.do(given)
    except (HubError, OSError, ValueError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
