"""Checkpoints that load where hf_arae cannot be imported."""

import ast
import json
import os
import shutil
from types import SimpleNamespace

import pytest
import torch
from family_tests import narrow_model, text_autoencoders
from headline_selectors import untrained_selector
from transformers import pipeline
from transformers.dynamic_module_utils import get_relative_imports
from transformers.utils import PushToHubMixin
from warm_python import run_python

import hf_arae.hub.flat_sources
from hf_arae.hub.export import write_code
from hf_arae.hub.flat_sources import ExportError, collect
from hf_arae.models.arae.configuration_arae import AraeConfig
from hf_arae.models.arae.modeling_arae import AraeModel
from hf_arae.models.auto import families
from hf_arae.models.ursae.configuration_ursae import UrsaeConfig
from hf_arae.models.ursae.modeling_ursae import UrsaeForConditionalGeneration

SENTENCE = "The food was awful, never again!"

# Run where hf_arae cannot be imported, installed or not; prints what it found as JSON.
ELSEWHERE = """
import json, sys
from pathlib import Path

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "hf_arae":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Blocker())
import torch
from transformers import AutoConfig, AutoModel, AutoModelForCausalLM, AutoModelForSeq2SeqLM, AutoTokenizer, pipeline
from transformers import AutoModelForTokenClassification

transfer, causal, summarizer, selector, again, sentence, *autoencoders = sys.argv[1:]
trusted = {"trust_remote_code": True}
found = {}
try:
    AutoConfig.from_pretrained(transfer)
except ValueError as error:
    found["untrusted"] = str(error)
found["hidden_size"] = AutoConfig.from_pretrained(transfer, **trusted).hidden_size
tokenizer = AutoTokenizer.from_pretrained(transfer)
inputs = tokenizer([sentence], return_tensors="pt")
arguments = {**inputs, "attribute": torch.tensor([1]), "labels": inputs["input_ids"]}
with torch.no_grad():
    for auto in (AutoModel, AutoModelForSeq2SeqLM):
        model = auto.from_pretrained(transfer, **trusted)
        found[auto.__name__] = model(**arguments).logits.tolist()
    ids = torch.tensor([[1, 7, 8, 2]])
    lm = AutoModelForCausalLM.from_pretrained(causal, **trusted)
    found["causal"] = lm(ids).logits.tolist()
    summarizing = AutoModelForSeq2SeqLM.from_pretrained(summarizer, **trusted)
    found["summary"] = summarizing.summarize(ids, target_length=3, num_beams=2).tolist()
    selecting = AutoModelForTokenClassification.from_pretrained(selector, **trusted)
    found["selection"] = selecting.summarize(ids, target_length=1).tolist()
    found["reconstruction"] = summarizing.reconstruct_loss(ids, ids)[0].tolist()
    for folder in autoencoders:
        name, autoencoder = Path(folder).name, AutoModel.from_pretrained(folder, **trusted)
        found[name] = {"codes": autoencoder.encode(ids).tolist()}
        if autoencoder.draws_codes:
            found[name]["samples"] = autoencoder.sample(4, seed=1).tolist()
        if hasattr(autoencoder, "log_likelihood"):
            found[name]["likelihood"] = autoencoder.log_likelihood(ids, samples=3, seed=0).tolist()
        autoencoder.save_pretrained(f"{again}-{name}")
        reloaded = AutoModelForSeq2SeqLM.from_pretrained(f"{again}-{name}", **trusted)
        found[f"{name} saved again"] = [reloaded.encode(ids).tolist(), reloaded.generate(ids).tolist()]
found["transfer"] = model.transfer(**inputs, target=1, num_beams=3).tolist()

pipe = pipeline(model=transfer, **trusted)
found["pipeline"] = pipe(sentence)
found["named pipeline"] = pipeline("arae-text-style-transfer", model=transfer, **trusted)(sentence)
found["config can be printed"] = "custom_pipelines" in str(pipe.model.config)

for name, saved in (("model", model), ("pipeline", pipe)):
    folder = f"{again}-{name}"
    saved.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    found[f"{name} saved again"] = pipeline(model=folder, **trusted)(sentence)

for family, folder, loaded in (("ursae", summarizer, summarizing), ("headline_selector", selector, selecting)):
    found[f"{family} pipeline"] = pipeline(f"{family}-text-summarization", model=folder, **trusted)(sentence)
    loaded.save_pretrained(f"{again}-{family}")
    tokenizer.save_pretrained(f"{again}-{family}")
    found[f"{family} saved again"] = pipeline(model=f"{again}-{family}", **trusted)(sentence)
print("FOUND", json.dumps(found))
"""


@pytest.fixture(scope="module")
def transfer(transfer_folder, tmp_path_factory):
    """The folder of the tests' model of two labels, with its code."""
    folder = shutil.copytree(transfer_folder, tmp_path_factory.mktemp("transfer") / "tiny-transfer")
    write_code(folder)
    return folder


@pytest.fixture(scope="module")
def causal(tmp_path_factory):
    """A small model of the family of language models, and its folder."""
    family = next(family for family in families() if "AutoModelForCausalLM" in family.models)
    torch.manual_seed(0)
    config = family.config(vocab_size=20, embedding_size=4, hidden_size=4)
    model = family.models["AutoModelForCausalLM"](config).eval()
    folder = tmp_path_factory.mktemp("causal") / "tiny-causal"
    model.save_pretrained(folder)
    write_code(folder)
    return model, folder


@pytest.fixture(scope="module")
def summarizer(tokenizer, tmp_path_factory):
    """A small summarizer, whose modeling file needs another family's, and its folder."""
    torch.manual_seed(0)
    sizes = {"vocab_size": len(tokenizer), "embedding_size": 4, "hidden_size": 4, "conv_size": 4}
    model = UrsaeForConditionalGeneration(UrsaeConfig(**sizes))
    folder = tmp_path_factory.mktemp("summarizer") / "tiny-summarizer"
    model.eval().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    write_code(folder)
    return model, folder


@pytest.fixture(scope="module")
def selector(tokenizer, tmp_path_factory):
    """A small headline selector, and its folder."""
    model, folder = untrained_selector(len(tokenizer)), tmp_path_factory.mktemp("selector") / "tiny-selector"
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    write_code(folder)
    return model, folder


@pytest.fixture(scope="module")
def autoencoders(tmp_path_factory):
    """A small model of each family of text autoencoders, and its folder."""
    place, found = tmp_path_factory.mktemp("autoencoders"), {}
    for name in text_autoencoders():
        model = narrow_model(name, 20)
        model.save_pretrained(place / name)
        write_code(place / name)
        found[name] = (model, place / name)
    return found


@pytest.fixture(scope="module")
def elsewhere(transfer, causal, summarizer, selector, autoencoders, tmp_path_factory):
    """What an interpreter without the package finds in the folders."""
    place = tmp_path_factory.mktemp("elsewhere")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment |= {"HF_HOME": str(place / "home"), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    latent = [folder for _, folder in autoencoders.values()]
    small = [folder for _, folder in (causal, summarizer, selector)]
    folders = [str(folder) for folder in (transfer, *small, place / "again", SENTENCE, *latent)]
    done = run_python(["-c", ELSEWHERE, *folders], cwd=place, env=environment)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.partition("FOUND ")[2])  # the question whether to trust stands before it


def test_code_is_run_only_when_trusted(elsewhere):
    assert "trust_remote_code=True" in elsewhere["untrusted"]


def test_outputs_are_the_package_s_own(elsewhere, transfer_model, tokenizer):
    inputs = tokenizer([SENTENCE], return_tensors="pt")
    with torch.no_grad():
        logits = transfer_model(**inputs, attribute=torch.tensor([1]), labels=inputs["input_ids"]).logits
    assert elsewhere["hidden_size"] == transfer_model.config.hidden_size
    for auto in ("AutoModel", "AutoModelForSeq2SeqLM"):
        torch.testing.assert_close(torch.tensor(elsewhere[auto]), logits)
    assert elsewhere["transfer"] == transfer_model.transfer(**inputs, target=1, num_beams=3).tolist()


@torch.no_grad()
def test_a_causal_model_s_outputs_are_the_package_s_own(elsewhere, causal):
    logits = causal[0](torch.tensor([[1, 7, 8, 2]])).logits
    torch.testing.assert_close(torch.tensor(elsewhere["causal"]), logits)


@torch.no_grad()
def test_a_summarizer_s_outputs_are_the_package_s_own(elsewhere, summarizer, selector):
    ids = torch.tensor([[1, 7, 8, 2]])
    written = summarizer[0].summarize(ids, target_length=3, num_beams=2)
    assert elsewhere["summary"] == written.tolist()
    assert elsewhere["selection"] == selector[0].summarize(ids, target_length=1).tolist()
    torch.testing.assert_close(torch.tensor(elsewhere["reconstruction"]), summarizer[0].reconstruct_loss(ids, ids)[0])


@pytest.mark.parametrize("name", text_autoencoders())
@torch.no_grad()
def test_an_autoencoder_s_outputs_are_the_package_s_own(elsewhere, autoencoders, name):
    ids, model = torch.tensor([[1, 7, 8, 2]]), autoencoders[name][0]
    found = elsewhere[name]
    torch.testing.assert_close(torch.tensor(found["codes"]), model.encode(ids))
    assert ("samples" in found) == model.draws_codes
    if "samples" in found:
        assert found["samples"] == model.sample(4, seed=1).tolist()
    if "likelihood" in found:
        torch.testing.assert_close(torch.tensor(found["likelihood"]), model.log_likelihood(ids, samples=3, seed=0))
    again, generated = elsewhere[f"{name} saved again"]
    torch.testing.assert_close(torch.tensor(again), torch.tensor(found["codes"]))
    assert generated == model.generate(ids).tolist()


def test_pipelines_are_the_package_s_own(elsewhere, transfer_folder):
    result = pipeline("text-style-transfer", model=str(transfer_folder))(SENTENCE)
    assert elsewhere["pipeline"] == elsewhere["named pipeline"] == result
    assert elsewhere["config can be printed"]


def test_summaries_are_the_package_s_own(elsewhere, summarizer, selector):
    for family, folder in (("ursae", summarizer[1]), ("headline_selector", selector[1])):
        result = pipeline("text-summarization", model=str(folder))(SENTENCE)
        assert elsewhere[f"{family} pipeline"] == elsewhere[f"{family} saved again"] == result


@pytest.mark.parametrize("name", ["model", "pipeline"])
def test_what_was_loaded_from_the_code_can_be_saved_again(elsewhere, name):
    assert elsewhere[f"{name} saved again"] == elsewhere["pipeline"]


def test_files_are_whole_and_say_where_they_come_from(transfer, causal, summarizer, selector, autoencoders):
    others = (causal, summarizer, selector, *autoencoders.values())
    for folder in (transfer, *(folder for _, folder in others)):
        files = list(folder.glob("*.py"))
        assert files and not list(folder.glob(".*"))
        for file in files:
            source = file.read_text()
            ast.parse(source)
            assert source.startswith("# SPDX-License-Identifier: Apache-2.0\n# Exported from hf_arae/")
            # transformers finds these by a regular expression, docstrings included.
            for name in get_relative_imports(file):
                assert (folder / f"{name}.py").is_file(), f"{file.name} imports {name}"


def test_a_plain_autoencoder_offers_no_transfer_pipeline(tmp_path):
    AraeModel(AraeConfig(vocab_size=20, embedding_size=4, hidden_size=4, code_size=4)).save_pretrained(tmp_path)
    write_code(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    heads = {"AutoModel", "AutoModelForSeq2SeqLM", "AutoModelForSequenceClassification"}
    assert set(config["auto_map"]) == {"AutoConfig", *heads}
    assert "custom_pipelines" not in config
    assert not (tmp_path / "text_style_transfer.py").exists()


@pytest.mark.parametrize("where", ["saved", "with code"])
def test_saving_writes_no_code(transfer_folder, transfer, tmp_path, where):
    folder = transfer_folder if where == "saved" else transfer
    pipeline("text-style-transfer", model=str(folder)).save_pretrained(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {path.name for path in transfer_folder.iterdir()}
    for name in ("config.json", "generation_config.json"):
        assert (tmp_path / name).read_text() == (transfer_folder / name).read_text(), name


def test_a_subclass_from_elsewhere_goes_without_code(transfer_folder, tmp_path):
    class Mine(AraeModel):
        pass

    Mine.from_pretrained(transfer_folder).save_pretrained(tmp_path)
    write_code(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    assert "auto_map" not in config and "custom_pipelines" not in config and not list(tmp_path.glob("*.py"))
    assert type(AraeModel.from_pretrained(tmp_path)) is AraeModel


def test_pushing_while_saving_uploads_the_code(transfer_model, tmp_path, monkeypatch):
    sent = []
    server = SimpleNamespace(create_repo=lambda *_, **__: SimpleNamespace(repo_id="me/tiny"))
    monkeypatch.setattr("transformers.modeling_utils.hf_api", lambda: server)
    monkeypatch.setattr(
        PushToHubMixin,
        "_upload_modified_files",
        lambda self, folder, repo, timestamps, **_: sent.extend(set(os.listdir(folder)) - set(timestamps)),
    )
    transfer_model.save_pretrained(tmp_path, push_to_hub=True)
    assert {"modeling_arae.py", "text_style_transfer.py", "config.json"} < set(sent)
    assert "auto_map" in json.loads((tmp_path / "config.json").read_text())


@pytest.mark.parametrize(
    "line",
    [
        "import hf_arae.nn.mlp",
        "from hf_arae.nn import mlp",
        "from hf_arae import nn",
        "from . import x",
        "from .x import y",
    ],
)
def test_an_import_that_cannot_be_rewritten_stops_the_export(transfer_model, tmp_path, monkeypatch, line):
    monkeypatch.setattr(hf_arae.hub.flat_sources, "_read", lambda module: f"import torch\n{line}\n")
    transfer_model.save_pretrained(tmp_path)
    with pytest.raises(ExportError, match="line 2") as caught:
        write_code(tmp_path)
    assert line in str(caught.value)
    assert not list(tmp_path.glob("*.py"))


def test_an_import_inside_a_function_stops_the_export(monkeypatch):
    monkeypatch.setattr(
        hf_arae.hub.flat_sources, "_read", lambda module: "def f():\n    from hf_arae.nn.mlp import Mlp\n"
    )
    with pytest.raises(ExportError, match="line 2"):
        collect(["hf_arae.nn.text.rnn"])


def test_imports_are_rewritten_and_prose_is_not(monkeypatch):
    source = '''"""Says: from hf_arae.nn.mlp import Mlp."""
from hf_arae.nn.text.rnn import (
    RecurrentDecoder,
)
'''
    sources = {"hf_arae.nn.mlp": source, "hf_arae.nn.text.rnn": ""}
    monkeypatch.setattr(hf_arae.hub.flat_sources, "_read", sources.__getitem__)
    files = collect(["hf_arae.nn.mlp"])
    assert files.keys() == {"hf_arae_nn_mlp", "hf_arae_nn_text_rnn"}
    rewritten = source.replace("from hf_arae.nn.text.rnn import (", "from .hf_arae_nn_text_rnn import (")
    assert files["hf_arae_nn_mlp"].endswith(rewritten)
