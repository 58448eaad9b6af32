"""The Space against visitors who mean harm, and against models that nobody has looked at."""

# ruff: noqa: E402 (what needs gradio is imported where it is installed)
from __future__ import annotations

import json
import math
import shutil
import struct
import sys
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import httpx
import numpy as np
import pytest
import transformers
from PIL import Image

pytest.importorskip("gradio", reason="the Space needs gradio: pip install hf_arae[space]")

SPACE = Path(__file__).parents[2] / "examples" / "space"
sys.path.insert(0, str(SPACE))

import app
import checkpoints as checkpoints_module
import fetching
import gradio as gr
import images_tab
import interpolation_tab
import map_tab
import transfer_tab
import walk_tab
import where_tab
from checkpoints import Checkpoints, checkpoints
from conftest import SENTENCES
from family_tests import narrow_model
from huggingface_hub import HfApi
from huggingface_hub.errors import RepositoryNotFoundError
from markup import readable, shared_words

from hf_arae import AraeImageProcessor, EbganConfig, EbganModel, UrsaeConfig, UrsaeForConditionalGeneration
from hf_arae.data.text.tokenization import train_tokenizer
from hf_arae.evaluation.what_where import tells_where
from hf_arae.models.auto import FAMILIES, family
from hf_arae.models.images.image_config import ImageConfig

TEXT = SENTENCES["negative"][0]
IMAGE_FAMILIES = [name for name in FAMILIES if issubclass(family(name).config, ImageConfig)]


@pytest.fixture
def foreign(transfer_folder, tmp_path) -> Path:
    """A folder that a visitor may name, to be spoiled."""
    folder = Path(shutil.copytree(transfer_folder, tmp_path / "foreign"))
    checkpoints._kept.clear()
    checkpoints.show(str(folder))
    return folder


@pytest.fixture(scope="module")
def transfer(transfer_folder) -> str:
    checkpoints.show(str(transfer_folder))
    return str(transfer_folder)


@pytest.fixture(scope="module")
def summary(tmp_path_factory) -> str:
    folder = tmp_path_factory.mktemp("models") / "summary"
    tokenizer = train_tokenizer([TEXT], max_length=30, style="news")
    sizes = {"embedding_size": 4, "hidden_size": 4, "reader_size": 4, "conv_size": 4}
    model = UrsaeForConditionalGeneration(UrsaeConfig(vocab_size=len(tokenizer), max_source_length=30, **sizes))
    for part in (model, tokenizer):
        part.save_pretrained(folder)
    checkpoints.show(str(folder))
    return str(folder)


@pytest.fixture(scope="module")
def images(tmp_path_factory) -> str:
    folder = tmp_path_factory.mktemp("models") / "images"
    model = EbganModel(EbganConfig(image_size=6, latent_size=4, generator_layers="8", discriminator_layers="5"))
    for part in (model, AraeImageProcessor.for_config(model.config)):
        part.save_pretrained(folder)
    checkpoints.show(str(folder))
    return str(folder)


@pytest.fixture
def foreign_images(images, tmp_path) -> Path:
    """A folder of a model of images that a visitor may name, to be spoiled."""
    folder = Path(shutil.copytree(images, tmp_path / "foreign"))
    checkpoints._kept.clear()
    checkpoints.show(str(folder))
    return folder


@pytest.fixture
def uploads(tmp_path, monkeypatch) -> Path:
    """The folder that gradio puts uploaded files into."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "uploads"))
    (tmp_path / "uploads" / "abc").mkdir(parents=True)
    return tmp_path / "uploads" / "abc"


def change(path: Path, **values) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def said(call, *arguments) -> str:
    with pytest.raises(gr.Error) as refused:
        call(*arguments)
    return refused.value.message


def refusal(folder: Path) -> str:
    """What is said of a folder, which is no longer in memory."""
    with pytest.raises(ValueError) as refused:
        checkpoints.get(str(folder))
    message = str(refused.value)
    assert len(message) < 700 and "\n" not in message
    return message.removeprefix(f"the model {folder} cannot be loaded: ")


# What a model may ask for


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("num_layers", 10**9),
        ("num_layers", 1000),
        ("num_attributes", 10**9),
        ("num_attributes", 1000),
        ("num_labels", 10**9),
        ("hidden_size", 10**12),
        ("vocab_size", 10**30),
        ("max_sequence_length", 10**6),
        ("dropout", math.nan),
        ("generator_sizes", [8] * 10_000),
        ("id2label", {str(one): "x" for one in range(10_000)}),
    ],
)
def test_sizes_are_bounded_before_anything_is_built(foreign, monkeypatch, name, value):
    monkeypatch.setattr(transformers, "AutoModelForSeq2SeqLM", None)  # whoever builds one fails by it
    change(foreign / "config.json", **{name: value})
    if name in ("generator_sizes", "id2label"):
        assert f"{name} has 10,000 entries" in refusal(foreign)
    else:
        assert f"its {name} is" in refusal(foreign)


def test_a_small_config_alone_is_refused(foreign):
    for file in foreign.iterdir():
        file.unlink()
    (foreign / "config.json").write_text('{"model_type": "arae", "num_layers": 1000000000}')
    assert "its num_layers is 1000000000; at most 16" in refusal(foreign)


def test_files_are_bounded(foreign):
    with (foreign / "config.json").open("a") as file:
        file.write(" " * 2**20)
    assert "its config.json has 1 MB" in refusal(foreign)
    shutil.copy(foreign / "generation_config.json", foreign / "config.json")
    with (foreign / "tokenizer.json").open("r+b") as file:
        file.truncate(60 * 2**20)  # a hole, which takes no room
    assert "its tokenizer.json has" in refusal(foreign)


def test_what_is_built_is_bounded_with_its_buffers(transfer):
    small = Checkpoints(max_parameters=1000)
    small.show(transfer)
    with pytest.raises(ValueError, match="million parameters"):
        small.get(transfer)


def test_settings_of_a_model_s_own_are_bounded(foreign):
    for name, value in (("max_new_tokens", 10**9), ("num_beams", 500), ("min_new_tokens", 10**9), ("max_time", 9e9)):
        change(foreign / "generation_config.json", **{name: value})
        assert name in refusal(foreign)


@pytest.mark.parametrize("name", ["config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json"])
def test_damaged_files_are_named_without_their_place(foreign, name):
    for damage in (b"", b"[]", b'{"a": ', b"\xff", b"[" * 100_000):
        (foreign / name).write_bytes(damage)
        message = refusal(foreign)
        assert name in message and str(foreign) not in message


def test_damaged_weights_are_told_without_their_place(foreign):
    (foreign / "model.safetensors").write_bytes(b"0" * 1000)
    assert str(foreign.parent) not in refusal(foreign)


def test_a_tokenizer_reads_only_by_rules_that_are_known(foreign):
    file = foreign / "tokenizer.json"
    whole = json.loads(file.read_text())
    doubling = {"type": "Replace", "pattern": {"String": "a"}, "content": "aa"}
    endless = {"type": "Replace", "pattern": {"Regex": "(a+)+$"}, "content": "a"}
    often = json.loads(json.dumps(whole["normalizer"]["normalizers"]))
    wrong = [
        {"normalizer": {"type": "Sequence", "normalizers": [doubling] * 31}},
        {"normalizer": {"type": "Sequence", "normalizers": [{"type": "Sequence", "normalizers": [endless]}]}},
        {"normalizer": {"type": "Prepend", "prepend": "a" * 1000}},
        {"normalizer": {"type": "Sequence", "normalizers": often * 100}},
        {"normalizer": ["Lowercase"]},
        {"padding": {"strategy": {"Fixed": 10**9}, "direction": "Right", "pad_id": 0, "pad_token": "<pad>"}},
        {"pre_tokenizer": {"type": "Split", "pattern": {"Regex": "(a+)+$"}, "behavior": "Isolated", "invert": False}},
        {"post_processor": whole["post_processor"] | {"single": whole["post_processor"]["single"] * 10_000}},
        {"model": {"type": "BPE", "vocab": {}, "merges": []}},
        {"model": 3},
    ]
    for parts in wrong:
        file.write_text(json.dumps(whole | parts))
        assert "tokenizer" in refusal(foreign)
    file.write_text(json.dumps(whole))
    change(foreign / "tokenizer_config.json", tokenizer_class="LlamaTokenizer")
    assert "LlamaTokenizer" in refusal(foreign)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("image_size", 10**6),
        ("image_size", 1000),
        ("latent_size", 10**9),
        ("num_channels", 10**7),
        ("anomaly_threshold", math.nan),
        ("generator_layers", "-".join(["8"] * 1000)),
        ("discriminator_layers", "9" * 10**5),
    ],
)
def test_sizes_of_models_of_images_are_bounded_before_anything_is_built(foreign_images, monkeypatch, name, value):
    monkeypatch.setattr(transformers, "AutoModel", None)
    change(foreign_images / "config.json", **{name: value})
    assert f"its {name} " in refusal(foreign_images)


@pytest.mark.parametrize(
    ("layers", "meant"),
    [
        ("(1024)3c-(1024)3c-(1024)3c-(8)4c2s", "thousand million steps"),
        ("(1000)1c-(1)1c-(1000)1c-(1)1c-(1000)1c-(8)4c2s", "million numbers"),
        ("(999999)999c-(999999)999c", "million parameters"),
    ],
)
def test_the_work_on_an_image_is_bounded(foreign_images, monkeypatch, layers, meant):
    monkeypatch.setattr(transformers.AutoModel, "from_pretrained", None)
    conv = {"backbone": "conv", "generator_layers": None, "discriminator_layers": layers}
    change(foreign_images / "config.json", image_size=128, **conv)
    change(foreign_images / "preprocessor_config.json", size={"height": 128, "width": 128})
    assert meant in refusal(foreign_images)


def test_models_of_the_published_sizes_are_let_through(foreign_images):
    for config in (
        EbganConfig(),
        EbganConfig(backbone="ladder", discriminator_layers="1000-500-250-250-250", num_labels=10),
        EbganConfig(
            backbone="conv",
            image_size=64,
            num_channels=3,
            generator_layers="(1024)4c-(512)4c2s-(256)4c2s-(128)4c2s-(3)4c2s",
            discriminator_layers="(64)4c2s-(128)4c2s-(256)4c2s",
        ),
    ):
        shutil.rmtree(foreign_images)
        model = EbganModel(config)
        for part in (model, AraeImageProcessor.for_config(config)):
            part.save_pretrained(foreign_images)
        checkpoints._kept.clear()
        assert checkpoints.get(str(foreign_images), wait=True).images.sample(1)[0].size[0] == config.image_size


@pytest.mark.parametrize("kind", IMAGE_FAMILIES)
def test_every_family_of_images_is_shown_or_refused_in_words(foreign_images, uploads, kind):
    shutil.rmtree(foreign_images)
    model = narrow_model(kind, 0)
    for part in (model, AraeImageProcessor.for_config(model.config)):
        part.save_pretrained(foreign_images)
    name, picture = str(foreign_images), uploads / "a.png"
    picture.write_bytes(png(6, 6, bytes(42)))
    for able, call, arguments in (
        (model.draws_images, images_tab.draw, (name, 3, 0)),
        (model.draws_images, images_tab.slide, (name, 0, 1, 2, 50, "z")),
        (model.draws_images and model.decodes_codes, images_tab.slide, (name, 0, 1, 2, 50, "code")),
        (model.rebuilds_images, images_tab.judge, (name, str(picture))),
        (tells_where(model), where_tab.look, (name, str(picture))),
    ):
        if able:
            assert call(*arguments).count("<img") >= 3
        else:
            assert "went wrong" not in said(call, *arguments)


@pytest.mark.parametrize("name", ["config.json", "preprocessor_config.json", "model.safetensors"])
def test_damaged_files_of_models_of_images_are_told_without_their_place(foreign_images, name):
    for damage in (b"", b"[]", b'{"a": ', b"\xff", b"[" * 100_000):
        (foreign_images / name).write_bytes(damage)
        assert str(foreign_images.parent) not in refusal(foreign_images)
    (foreign_images / name).unlink()
    assert str(foreign_images.parent) not in refusal(foreign_images)


def test_an_image_processor_does_only_what_hf_arae_s_does(foreign_images):
    file = foreign_images / "preprocessor_config.json"
    own = json.loads(file.read_text())
    for settings in (
        {"size": {"height": 10**6, "width": 10**6}},
        {"size": 10**6},
        {"auto_map": {"AutoImageProcessor": "code.Processor"}},
        {"image_mean": [0.5], "image_std": [0.5]},
        {"value_range": "signed"},
        {"num_channels": 3},
        {"do_resize": True},
        {"image_mean": [math.nan], "image_std": [1]},
        {"binarize": {}},
    ):
        file.write_text(json.dumps(own | settings))
        message = refusal(foreign_images)
        assert "preprocessor_config.json" in message or "the image processor is not the model's" in message
    file.write_text(json.dumps(own | {"binarize": "threshold", "image_processor_type": "AnyOther"}))
    assert checkpoints.get(str(foreign_images)).processor.binarize == "threshold"


# What is uploaded


def png(width: int, height: int, content: bytes = b"") -> bytes:
    """A picture that says that it is of a size, whatever it holds."""
    parts = b""
    for name, data in (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)),
        (b"IDAT", zlib.compress(content)),
        (b"IEND", b""),
    ):
        parts += struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
    return b"\x89PNG\r\n\x1a\n" + parts


def judged(images: str, path: Path, content: bytes) -> str:
    """What is said of an uploaded file."""
    path.write_bytes(content)
    message = said(images_tab.judge, images, str(path))
    assert str(path.parent.parent) not in message and "went wrong" not in message
    return message


def test_uploaded_pictures_are_bounded_before_they_are_read(images, uploads):
    assert "too large: at most 20 million pixels" in judged(images, uploads / "a.png", png(10_000, 10_000))
    assert "too large" in judged(images, uploads / "a.png", png(2**31 - 1, 2**31 - 1))
    assert "MB; at most 4 MB" in judged(images, uploads / "a.png", png(6, 6) + b"0" * 2**23)
    assert "damaged or cut off" in judged(images, uploads / "a.png", png(6, 6))
    noise = png(64, 64, np.random.default_rng(0).bytes(64 * 65))
    assert "damaged or cut off" in judged(images, uploads / "a.png", noise[:2000])
    judged(images, uploads / "a.png", png(0, 6))
    (uploads / "a.png").write_bytes(png(6, 6, bytes(42) + b"0" * 2**24))  # what comes after the pixels is left
    assert "Energy" in images_tab.judge(images, str(uploads / "a.png"))


def test_odd_kinds_of_pictures_are_refused_in_words(images, uploads):
    for kind in ("TIFF", "ICO", "PPM", "TGA", "PDF", "EPS"):
        Image.new("L", (16, 16)).save(uploads / "one", kind)
        message = judged(images, uploads / "one.png", (uploads / "one").read_bytes())
        assert "kind that is not read here; accepted are PNG, JPEG, WEBP, GIF, BMP" in message
    svg = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"
    for content in (b"", svg, b"\xff\xd8\xff\xe0", b"%!PS-Adobe"):
        judged(images, uploads / "one.svg", content)


def test_pictures_of_every_mode_are_read(images, uploads):
    source = np.random.default_rng(0).integers(0, 256, (9, 5, 4), np.uint8)
    colour = Image.fromarray(source)
    turned = colour.getexif()
    turned[0x0112] = 6
    for name, picture, options in (
        ("a.png", colour, {}),
        ("b.png", colour.convert("L").convert("1"), {}),
        ("c.png", colour.convert("RGB").convert("P"), {"transparency": 0}),
        ("d.png", Image.fromarray(source[:, :, 0].astype(np.uint16) * 257), {}),
        ("e.jpg", colour.convert("CMYK"), {}),
        ("f.jpg", colour.convert("RGB"), {"exif": turned}),
        ("g.jpg", colour.convert("RGB"), {"exif": b"Exif\0\0nothing of the kind"}),
        ("h.webp", colour, {"save_all": True, "append_images": [colour]}),
        ("i.gif", colour, {"save_all": True, "append_images": [colour]}),
        ("j.bmp", colour.convert("L").resize((1, 5000)), {}),
    ):
        picture.save(uploads / name, **options)
        assert images_tab.judge(images, str(uploads / name)).count("<img") == 3


def test_no_file_of_the_server_s_can_be_named_as_uploaded(images, uploads, tmp_path):
    private = tmp_path / "private.png"
    private.write_bytes(png(6, 6, bytes(42)))
    (uploads / "link.png").symlink_to(private)
    around = f"{uploads}/../../private.png"
    for path in (private, uploads / "link.png", around, "/etc/passwd", "/etc/passwdx", uploads, "", 3, ["a"]):
        assert said(images_tab.judge, images, str(path) if isinstance(path, Path) else path).startswith(
            "There is no picture"
        )


def test_programs_cannot_have_files_or_addresses_read(images, transfer, summary, uploads, tmp_path):
    private = tmp_path / "private.png"
    private.write_bytes(png(6, 6, bytes(42)))
    page = app.build(app.ScriptArguments(transfer, summary, transfer, images, images))
    app.serve(page, prevent_thread_lock=True, quiet=True, server_name="127.0.0.1")
    try:
        address, number = page.local_url, next(one._id for one in page.fns.values() if one.api_name == "judge")
        meta, data = {"_type": "gradio.FileData"}, "data:image/png;base64,iVBORw0KGgo="
        for given, error in (
            ({"path": str(private), "meta": meta}, None),
            ({"path": str(private)}, "There is no picture: upload one"),
            ({"path": "http://192.0.2.1/a.png", "meta": meta}, "Addresses are not read here: upload the picture"),
            ({"path": "http://192.0.2.1/a.png"}, "There is no picture: upload one"),
            ({"path": None, "url": data, "meta": meta}, "There is no picture: upload one"),
            ({"path": None, "url": f"file://{private}", "meta": meta}, "There is no picture: upload one"),
        ):
            asked = {"data": [images, given], "fn_index": number, "session_hash": "one"}
            httpx.post(f"{address}gradio_api/queue/join", json=asked).raise_for_status()
            answer = httpx.get(f"{address}gradio_api/queue/data", params={"session_hash": "one"}, timeout=600).text
            (done,) = (line for line in answer.splitlines() if '"process_completed"' in line)
            assert json.loads(done.removeprefix("data: "))["output"]["error"] == error
    finally:
        page.close()


def test_every_style_of_tokenizer_is_accepted(foreign, transfer_model):
    for style in ("sentence", "news"):
        for texts in ([TEXT], [f"{TEXT} _num_"], [f"`` {TEXT} ''"]):
            train_tokenizer(texts, style=style).save_pretrained(foreign)
            checkpoints_module.check_tokenizer(foreign)


def test_staged_models_are_accepted():
    shown = Checkpoints()
    shown.show(str(SPACE.parents[1] / "model_cards"))
    assert {Path(name).name for name in shown._folders} >= {
        "arae-yelp",
        "arae-flickr30k",
        "ursae-news",
        "headline-selector-news",
    }
    for name in shown._folders:
        assert shown.get(name, wait=True).summary


# Whose files are read


def test_only_folders_that_are_shown_can_be_named(transfer_folder, tmp_path, monkeypatch):
    uploaded = Path(shutil.copytree(transfer_folder, tmp_path / "gradio" / "abc"))
    monkeypatch.chdir(tmp_path)
    kept = Checkpoints()
    kept.show(str(transfer_folder))
    assert kept.get(f"{transfer_folder.parent}/./{transfer_folder.name}/") is kept.get(str(transfer_folder))
    there = [str(uploaded), "/root", "/etc/passwd", "gradio/abc", "..", "~", str(transfer_folder.parent)]
    gone = [f"{uploaded}x", "/rooot", "/etc/passwdx", "gradio/abcx", "..x", "~x", f"{transfer_folder.parent}x"]
    for names in zip(there, gone, strict=True):
        messages = []
        for name in names:
            with pytest.raises(ValueError) as refused:
                kept.get(name)
            messages.append(str(refused.value).replace(name, "NAME"))
        assert messages[0] == messages[1]


def test_the_server_s_token_opens_nothing(local_hub, transfer_folder, monkeypatch):
    api = HfApi()  # of whoever runs the server
    for name, private in (("alice/open", False), ("alice/secret", True)):
        api.create_repo(name, private=private)
        api.upload_folder(repo_id=name, folder_path=str(transfer_folder))
    kept = Checkpoints()
    assert kept.get("alice/open").labels == list(SENTENCES)
    messages = []
    for name in ("alice/secret", "alice/nothing"):
        with pytest.raises(ValueError, match="no such public model") as refused:
            kept.get(name)
        messages.append(str(refused.value).replace(name, "NAME"))
    assert messages[0] == messages[1]
    api.upload_file(path_in_repo="tokenizer.json", path_or_fileobj=b" " * (51 * 2**20), repo_id="alice/open")
    monkeypatch.setattr(fetching, "snapshot_download", None)
    with pytest.raises(ValueError, match=r"tokenizer.json has .* MB"):
        Checkpoints().get("alice/open")


# What waits for what


def test_a_slow_load_holds_up_nobody_else(transfer, monkeypatch):
    kept, begun, end = Checkpoints(patience=0.01), Event(), Event()
    kept.show(transfer)
    loaded = kept.get(transfer, wait=True)

    def slow(name: str, most: int) -> Path:
        begun.set()
        end.wait()
        raise RepositoryNotFoundError.__new__(RepositoryNotFoundError, "gone")

    monkeypatch.setattr(checkpoints_module, "fetch", slow)
    with pytest.raises(ValueError, match="still being loaded"):
        kept.get("alice/slow")
    assert begun.wait(60) and kept.get(transfer) is loaded
    with kept.use(transfer) as used:
        assert used is loaded
    with ThreadPoolExecutor(8) as threads:  # as many visitors as there are
        for answer in [threads.submit(kept.get, "alice/slow") for _ in range(8)]:
            assert "still being loaded" in str(answer.exception())
    with pytest.raises(ValueError, match="still being loaded"):
        kept.get("alice/slower")
    with pytest.raises(ValueError, match="other models are being loaded"):
        kept.get("alice/slowest")
    assert kept.get(transfer) is loaded
    load = kept._loads["alice/slow"]
    end.set()
    assert isinstance(load.exception(60), ValueError)


def test_words_are_matched_in_time(summary):
    """Pairs that are compared grow with the texts' lengths, not with their product."""
    for unit in ("1", "'", "a ", "a b "):
        text = unit * (10_000 // len(unit))
        kept, known = shared_words(text, text)
        assert all(kept) and all(known)
        kept, known = shared_words(text, f"{text[: len(text) // 2]} z")
        assert not known[-1] and sum(kept) == sum(known) == len(known) - 1


# What is said


def test_what_is_no_choice_is_named(transfer, summary, images):
    lists = ["positive"]
    for call, arguments, meant in (
        (transfer_tab.rewrite, (transfer, TEXT, "", 2, "sampled", math.nan, 0), "temperature"),
        (transfer_tab.rewrite, (transfer, TEXT, "", 2, "sampled", None, 0), "temperature"),
        (transfer_tab.rewrite, (transfer, TEXT, lists, 2, "sampled", 0.7, 0), "label"),
        (transfer_tab.rewrite, (transfer, TEXT, "", 2, None, 0.7, 0), "rewritings"),
        (interpolation_tab.interpolate, (transfer, TEXT, TEXT, 3, None, "positive"), "way"),
        (interpolation_tab.interpolate, (transfer, TEXT, TEXT, 3, "linear", lists), "label"),
        (walk_tab.walk, (transfer, TEXT, 3, math.nan, 0, 0, "positive"), "angle"),
        (walk_tab.walk, (transfer, TEXT, 3, 0.5, math.nan, 0, "positive"), "temperature"),
        (walk_tab.sample, (transfer, 3, math.inf, 0, "positive"), "temperature"),
        (walk_tab.sample, (transfer, 3, 0, 0, lists), "label"),
        (map_tab.draw_map, (transfer, TEXT, {}), "label"),
        (map_tab.new_sentences, (transfer, 3, 0, 1.5), "label"),
        (images_tab.draw, (images, 10**9, 0), "number of images"),
        (images_tab.draw, (images, math.nan, 0), "number of images"),
        (images_tab.slide, (images, 0, 1, 26, 50, "z"), "second image"),
        (images_tab.slide, (images, 0, 0, 2, 50, "z"), "first image"),
        (images_tab.slide, (images, 0, 1, 2, math.inf, "z"), "position"),
        (images_tab.slide, (images, 0, 1, 2, 50, ["z"]), "space"),
    ):
        message = said(call, *arguments)
        assert meant in message.lower() and "went wrong" not in message and "unhashable" not in message.lower()


def test_halves_of_characters_are_read_and_shown(transfer):
    html = transfer_tab.rewrite(transfer, f"\ud83d {TEXT}", "positive", 1, "sampled", 0.7, 0)
    assert "\ufffd" in html and html.encode()
    assert said(transfer_tab.rewrite, "a\ud83d", TEXT, "", 1, "sampled", 0.7, 0).encode()
    assert said(walk_tab.sample, transfer, 3, 0, 0, "a\ud83d").encode()


def test_numbers_are_shown_as_such():
    assert readable("it cost $ _num_ .") == "It cost $[number]."


def test_results_and_names_go_where_an_error_comes(transfer, summary, images):
    page = app.build(app.ScriptArguments(transfer, summary, transfer, images, images))
    named = {one.api_name: one for one in page.fns.values()}
    failures = [one for one in page.fns.values() if one.trigger_only_on_failure]
    asked = {"rewrite", "summarize", "interpolate", "walk", "sample", "draw_map", "draw_images", "slide", "judge"}
    asked |= {"look", "swap"}
    for name in asked:
        (after,) = (one for one in failures if one.trigger_after == named[name]._id)
        assert after.outputs == named[name].outputs
        empty = after.fn()
        assert not any(empty if isinstance(empty, list) else [empty])
    for name in ("load_transfer", "load_summary", "load_map", "load_images", "load_where"):
        (after,) = (one for one in failures if one.trigger_after == named[name]._id)
        assert after.outputs == named[name].inputs and after.fn("the one before") == "the one before"


def test_headings_are_of_the_next_level(transfer, summary, images):
    page = app.build(app.ScriptArguments(transfer, summary, transfer, images, images))
    texts = [block.value for block in page.blocks.values() if isinstance(block, gr.Markdown)]
    levels = [len(text) - len(text.lstrip("#")) for text in texts if text.startswith("#")]
    assert levels[0] == 1 and set(levels[1:]) == {2}
    assert "often wrong" in " ".join(texts[0].split())


def test_the_first_example_is_answered_well():
    folder = SPACE.parents[1] / "model_cards" / "arae-yelp"
    kept = Checkpoints()
    kept.show(str(folder))
    result = kept.get(str(folder)).rewrite(transfer_tab._EXAMPLES[0])
    assert result["text"] == "The staff was friendly and the place was clean."
