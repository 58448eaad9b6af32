"""The README files: their links and paths lead somewhere, their commands have the flags, their snippets run.

Snippets and commands are run in one process (`document_runs.py`), in a folder with the files that they name. Where a
snippet loads from the Hub, it loads from the local one.
"""

from __future__ import annotations

import itertools
import json
import re
import shlex
from functools import cache
from pathlib import Path

import pytest
from local_hub import LocalHub

ROOT = Path(__file__).parents[1]
PLACES = ("hf_arae", "examples", "tests", "model_cards")
DOCUMENTS = sorted([ROOT / "README.md", *(path for place in PLACES for path in (ROOT / place).rglob("*.md"))])
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`([^`]+)`")
NAMED = re.compile(rf"(?<![\w./-])(?:{'|'.join(PLACES)})/[\w./-]*\w")
FLAG = re.compile(r"(?<![\w-])--[a-zA-Z][\w-]*")
PYTHON = ("python", ".venv/bin/python", "accelerate", "torchrun")
# Flags of pip, hf, accelerate and torchrun.
OF_OTHERS = {"--no-deps", "--exclude", "--repo-type", "--cpu", "--nproc_per_node", "--mixed_precision"}
OF_OTHERS |= {"--num_processes", "--num_machines", "--machine_rank", "--main_process_ip", "--main_process_port"}
OF_OTHERS |= {"--gradient_accumulation_steps"}
# A training in a text is as long as it has to be; here it takes two updates.
SHORTER = (r"max_steps=\d+", "max_steps=2")
WORDS = (
    ("man", "woman", "dog", "child", "girl", "boy"),
    ("sits", "sings", "runs", "jumps", "eats"),
    ("park", "street", "garden", "house", "yard"),
)


def name_of(document: Path) -> str:
    return document.relative_to(ROOT).as_posix()


@cache
def text_of(document: Path) -> str:
    return document.read_text(encoding="utf-8")


def anchors(document: Path) -> set[str]:
    """The names that GitHub gives to headings."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", text_of(document)), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def snippets() -> dict[str, str]:
    """The Python code of every document, by document and line."""
    return {
        f"{name_of(document)}:{text_of(document).count(chr(10), 0, block.start()) + 1}": block[2]
        for document in DOCUMENTS
        for block in FENCE.finditer(text_of(document))
        if block[1] == "python"
    }


def commands_in(code: str) -> list[list[str]]:
    """The arguments of each Python that shell code starts: variables and loops are written out."""
    lines = re.sub(r"\\\n\s*", "", code)
    values = {name: [value] for name, value in re.findall(r'^(\w)="([^"]*)"', lines, re.MULTILINE)}
    values |= {name: listed.split() for name, listed in re.findall(r"for (\w) in ([^;]*); do", lines)}
    found = []
    for line in lines.splitlines():
        used = [name for name in values if f"${name}" in line]
        for chosen in itertools.product(*(values[name] for name in used)):
            written = line
            for _ in range(2):  # a variable may stand in another one
                for name, value in [*zip(used, chosen, strict=True), *((k, v[0]) for k, v in values.items())]:
                    written = re.sub(rf"\${name}\b", value, written)
            for part in re.split(r"&&|;|\|", re.sub(r"(^|\s)#.*", "", written)):
                words = shlex.split(part)
                start = next((index for index, word in enumerate(words) if word in PYTHON), None)
                scripts = [index for index, word in enumerate(words) if word.endswith(".py")]
                if start is None or words[start + 1 :][:2] in (["-m", "venv"], ["-m", "pytest"]):
                    continue
                if words[start + 1 : start + 2] == ["-m"]:
                    found.append(words[start + 1 :])
                elif scripts:
                    found.append(words[scripts[0] :])
    return found


def commands() -> dict[str, list[list[str]]]:
    """The commands of every document, in blocks and within sentences."""
    found = {}
    for document in DOCUMENTS:
        text = text_of(document)
        shown = [block[2] for block in FENCE.finditer(text) if block[1] == "bash"]
        shown += [span.replace("\n", " ") for span in SPAN.findall(FENCE.sub("", text))]
        found[name_of(document)] = [command for code in shown for command in commands_in(code)]
    return found


def asks_for_help(command: list[str]) -> tuple[str, ...]:
    """What comes before `--help`, so that the help is of all that the command may be given."""
    if command[0] == "-m":
        return tuple(command[: 2 + (command[1] == "hf_arae.hub")])
    chosen = [index for index, word in enumerate(command) if word in ("--family", "--preset")]
    return (command[0], *(word for index in chosen for word in command[index : index + 2]))


SNIPPETS, COMMANDS = snippets(), commands()
HELPS = sorted({asks_for_help(command) for listed in COMMANDS.values() for command in listed})


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    """What `document_runs.py` found: of each of SNIPPETS by its name, of each of HELPS."""
    folder = tmp_path_factory.mktemp("documents")
    for path in ROOT.iterdir():
        if path.name in PLACES:
            (folder / path.name).symlink_to(path)
    for card in (ROOT / "model_cards").iterdir():
        if card.is_dir():
            (folder / card.name).symlink_to(card)
    sentences = [f"a {who} {does} in the {where} .\n" for who, does, where in itertools.product(*WORDS)]
    (folder / "sentences.txt").write_text("".join(sentences))
    code = [re.sub(*SHORTER, text) for text in SNIPPETS.values()]
    first = """
from huggingface_hub import HfApi
HfApi().create_repo("me/arae-yelp")
HfApi().upload_folder(repo_id="me/arae-yelp", folder_path="model_cards/arae-yelp")
from transformers import AutoModel, AutoTokenizer
import hf_arae
from hf_arae.onnx.export import export_onnx
loaded = [auto.from_pretrained("model_cards/arae-yelp") for auto in (AutoModel, AutoTokenizer)]
export_onnx(loaded[0], "runs/arae-yelp-onnx", loaded[1])
from PIL import Image
from hf_arae.onnx import export_image_classifier
Image.new("L", (20, 20)).save("picture.png")
model = hf_arae.SwwaeForImageClassification(hf_arae.SwwaeConfig(image_size=12, layers="(2)3c-2p-fc")).eval()
export_image_classifier(model, "runs/swwae-glyphs-onnx", hf_arae.AraeImageProcessor.for_config(model.config))
"""
    wanted = {"snippets": [first, *code], "commands": [list(command) for command in HELPS]}
    (folder / "wanted.json").write_text(json.dumps(wanted))
    with LocalHub() as hub:
        hub.add_user("me", "hf_me")
        arguments = [ROOT / "tests" / "document_runs.py", "wanted.json", "outcomes.json"]
        hub.run(arguments, user="me", cwd=folder)
    found = json.loads((folder / "outcomes.json").read_text())
    assert found["snippets"][0]["error"] is None
    return {
        "snippets": dict(zip(SNIPPETS, found["snippets"][1:], strict=True)),
        "commands": dict(zip(HELPS, found["commands"], strict=True)),
    }


@pytest.fixture(params=DOCUMENTS, ids=name_of)
def document(request):
    return request.param


def test_links_lead_somewhere(document):
    for link in LINK.findall(FENCE.sub("", text_of(document))):
        if re.match(r"https?://|mailto:", link):
            continue
        path, _, anchor = link.partition("#")
        target = document.parent / path if path else document
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_named_paths_exist(document):
    for path in NAMED.findall(LINK.sub("", text_of(document))):
        assert (ROOT / path).exists(), path


def test_readme_is_short_and_says_how_to_begin():
    text = text_of(ROOT / "README.md")
    assert len(text.splitlines()) <= 200
    section = text.partition("\n## Quick start\n")[2].partition("\n## ")[0]
    ((_, shown),) = FENCE.findall(section)  # two commands, and no others
    assert len(shown.splitlines()) == 2 and "pytest" in shown.splitlines()[1]


@pytest.mark.parametrize("snippet", SNIPPETS)
def test_snippets_run(outcomes, snippet):
    assert outcomes["snippets"][snippet]["error"] is None, outcomes["snippets"][snippet]["error"]


def test_commands_have_their_flags(outcomes, document):
    for command in COMMANDS[name_of(document)]:
        if command[0].endswith("reproduce.py") and not command[1].startswith("--"):
            assert (ROOT / "examples" / "tables" / f"{command[1]}.yaml").exists(), command
        found = outcomes["commands"][asks_for_help(command)]
        assert found["error"] is None, (command, found["error"])
        known = set(FLAG.findall(found["printed"]))
        assert set(FLAG.findall(" ".join(command))) <= known, command


def test_flags_that_are_named_are_those_of_a_command(outcomes, document):
    known = {flag for found in outcomes["commands"].values() for flag in FLAG.findall(found["printed"])}
    assert set(FLAG.findall(text_of(document))) <= known | OF_OTHERS


def test_the_readme_shows_what_the_models_write(outcomes):
    text = text_of(ROOT / "README.md")
    shown = re.findall(r"->  (.+)", text)
    printed = "".join(found["printed"] for name, found in outcomes["snippets"].items() if name.startswith("README.md"))
    assert len(shown) == 4 and all(line in printed for line in shown)
