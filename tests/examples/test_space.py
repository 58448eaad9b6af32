"""The Space's functions, and its server as programs meet it. What a person meets is in test_space_browser.py."""

# ruff: noqa: E402 (what needs gradio is imported where it is installed)
from __future__ import annotations

import base64
import io
import json
import math
import re
import shutil
import subprocess
import sys
from html import unescape
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

pytest.importorskip("gradio", reason="the Space needs gradio: pip install hf_arae[space]")

ROOT = Path(__file__).parents[2]
SPACE = ROOT / "examples" / "space"
sys.path.insert(0, str(SPACE))

import app
import gradio as gr
import httpx
import map_tab
import scatter
import transfer_tab
import walk_tab
import where_tab
from checkpoints import Checkpoints, checkpoints
from conftest import SENTENCES
from drawing import DRAWS, SIDE
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from headline_selectors import untrained_selector
from markup import mark, shared_words, table

from hf_arae import (
    AraeConfig,
    AraeImageProcessor,
    AraeModel,
    EbganConfig,
    EbganModel,
    RnnLmConfig,
    RnnLmForCausalLM,
    SwwaeConfig,
    SwwaeModel,
    UrsaeConfig,
    UrsaeForConditionalGeneration,
)
from hf_arae.data.corpora.news import build_news
from hf_arae.data.text.tokenization import train_tokenizer

TEXTS = [text for texts in SENTENCES.values() for text in texts]
HOSTILE = "<img src=x onerror=alert(1)> <script>alert(2)</script> ${alert(3)} {{value}} `'\""
NO_PLACE_FOR_CODE = re.compile(
    r"<(?!/?(section|p|ol|li|ins|del|mark|table|thead|tbody|tr|th|td|svg|circle|title|text|path)\b)"
)


@pytest.fixture(scope="module")
def models(transfer_folder, tokenizer, tmp_path_factory) -> SimpleNamespace:
    """Folders of untrained models, a kind each."""
    root = tmp_path_factory.mktemp("models")
    sizes = {"embedding_size": 12, "hidden_size": 16, "code_size": 8, "latent_size": 4, "max_sequence_length": 10}
    sizes |= {"generator_sizes": [8], "critic_sizes": [8]}
    torch.manual_seed(0)
    model = AraeModel(AraeConfig(vocab_size=len(tokenizer), **sizes))
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.7)
    news = train_tokenizer(build_news()["train"]["document"], max_length=40, style="news")
    sizes = {"embedding_size": 8, "hidden_size": 8, "reader_size": 8, "conv_size": 8, "max_source_length": 40}
    sizes |= {"write_source_words_only": True, "write_source_order": True, "write_longest_gap": 3}
    summarizer = UrsaeForConditionalGeneration(UrsaeConfig(vocab_size=len(news), **sizes))
    selector = untrained_selector(len(news), max_source_length=40)
    writer = RnnLmForCausalLM(RnnLmConfig(vocab_size=len(tokenizer), embedding_size=4, hidden_size=4))
    kinds = {"latent": (model, tokenizer), "summary": (selector, news), "written": (summarizer, news)}
    kinds["writer"] = (writer, tokenizer)
    images = EbganModel(EbganConfig(image_size=6, latent_size=4, generator_layers="8", discriminator_layers="5"))
    for parameter in images.parameters():
        torch.nn.init.normal_(parameter, std=0.7)
    kinds["images"] = (images, AraeImageProcessor.for_config(images.config))
    where = SwwaeModel(
        SwwaeConfig(image_size=12, layers="(3)3c-2p-(4)3c-3p-fc", id2label={0: "<b>", 1: "one", 2: "two"})
    )
    kinds["where"] = (where.eval(), AraeImageProcessor.for_config(where.config))
    for name, parts in kinds.items():
        for part in parts:
            part.save_pretrained(root / name)
    return SimpleNamespace(transfer=str(transfer_folder), root=str(root), **{name: str(root / name) for name in kinds})


@pytest.fixture(scope="module")
def address(models):
    page = app.build(
        app.ScriptArguments(models.transfer, models.summary, models.latent, models.images, models.where, models.root)
    )
    app.serve(page, prevent_thread_lock=True, quiet=True, server_name="127.0.0.1")
    yield page.local_url
    page.close()


@pytest.fixture(scope="module")
def client(address) -> Client:
    return Client(address, verbose=False, httpx_kwargs={"timeout": 600})  # for machines that are busy


def words(html: str) -> list[str]:
    """What a person reads in HTML, cell by cell or line by line."""
    lines = re.sub(r"</(td|th|p|li)>", "\n", html)
    return [unescape(line) for line in re.sub(r"<[^>]*>", "", lines).splitlines() if line]


def refusal(client: Client, api_name: str, *arguments) -> str:
    with pytest.raises(AppError) as refused:
        client.predict(*arguments, api_name=api_name)
    return str(refused.value)


# Drawing


def test_words_that_changed_are_marked():
    source, text = "The food was AWFUL, do go!", "the food was great , do come!"
    kept, known = shared_words(source, text)
    assert mark(source, [not flag for flag in kept], "del") == "The food was <del>AWFUL</del>, do <del>go</del>!"
    assert mark(text, [not flag for flag in known], "ins") == "the food was <ins>great</ins> , do <ins>come</ins>!"


def test_digits_and_their_masks_are_the_same_word():
    kept, known = shared_words("It bought 12 mines", "it buys ## mines")
    assert mark("It bought 12 mines", kept, "mark") == "<mark>It</mark> bought <mark>12 mines</mark>"
    assert known == [True, False, True, True, True]


@pytest.mark.parametrize("flags", [True, False])
def test_marked_texts_and_tables_are_escaped(flags):
    count = len(shared_words(HOSTILE, "")[0])
    for html in (mark(HOSTILE, [flags] * count, "ins"), table([HOSTILE], [[HOSTILE]])):
        assert not NO_PLACE_FOR_CODE.search(html) and HOSTILE in words(html)


def test_a_click_finds_the_place_that_was_drawn():
    places = torch.tensor([[-3.0, -1.0], [1.0, 2.0], [5.0, 0.0]])
    frame = scatter.Frame(places)
    for row, (x, y) in enumerate(frame.dots()):
        assert 0 <= x <= scatter.WIDTH and 0 <= y <= scatter.HEIGHT
        x, y = x / scatter.WIDTH, y / scatter.HEIGHT
        assert torch.allclose(frame.place(x, y), places[row : row + 1], atol=1e-5)
        assert frame.touched(x, y) == frame.touched(x + 0.01, y) == row
    assert frame.touched(0.0, 0.0) is None
    picture = scatter.draw(frame, [HOSTILE, "b", "c"], [1], (0.0, 0.0))
    assert not NO_PLACE_FOR_CODE.search(picture) and picture.count("<circle") == 3
    assert f"<title>{HOSTILE}</title>" in unescape(picture)


# Each tab, by its function on the server


def test_transfer_puts_the_likeliest_first(client, models, transfer_model):
    text = "The food was great.\n\nawful food !"
    greedy = words(client.predict(models.transfer, text, "positive", 1, "sampled", 0.7, 0, api_name="/rewrite"))
    assert greedy[0].endswith("to positive") and greedy[1] == "The food was great."
    assert "already" in greedy[3] and greedy[2] == greedy[1]  # positive as it is
    assert greedy[5] == "awful food !" and re.fullmatch(r"style \d+%, content \d+%, fluency \d+%", greedy[7])
    unknown = words(
        client.predict(models.transfer, "xyzzy food", "positive", 1, "sampled", 0.7, 0, api_name="/rewrite")
    )
    assert unknown[-1] == "Words that the model does not know: xyzzy"
    several = client.predict(models.transfer, text, "", 5, "sampled", 1.5, 3, api_name="/rewrite")
    again = client.predict(models.transfer, text, "", 5, "sampled", 1.5, 3, api_name="/rewrite")
    other = client.predict(models.transfer, text, "", 5, "sampled", 1.5, 4, api_name="/rewrite")
    assert several == again != other
    assert 4 <= several.count("<li>") <= 10 and several.count("<section") == 2
    beams = client.predict(models.transfer, text, "positive", 3, "beams", 0.7, 0, api_name="/rewrite")
    assert words(beams)[2] == greedy[2] and 2 <= beams.count("<li>") <= 6


def test_a_summary_has_the_asked_words_and_shows_what_it_kept(client, models):
    text = "Velmora Corp. said it would buy 12 mines. It said so."
    html = client.predict(models.summary, text, 3, True, True, api_name="/summarize")
    summary, counts, source = words(html)
    assert counts == "9 words read, 3 written" and source == text
    kept = " ".join(re.findall(r"<mark>(.*?)</mark>", html)).lower()
    assert re.sub(r"\d", "#", kept).replace(" ", "") == summary.replace(" ", "")
    whole = client.predict(models.written, text, 4, False, False, api_name="/summarize")
    assert words(whole)[1] == "13 words read, 4 written" and "<ins>" not in whole  # all words are the text's


def test_interpolation_goes_from_end_to_end(client, models):
    arguments = (models.latent, TEXTS[0], TEXTS[5])
    rows = words(client.predict(*arguments, 5, "linear", None, api_name="/interpolate"))
    assert rows[:2] == ["Position", "Sentence"] and rows[2::2] == ["0%", "25%", "50%", "75%", "100%"]
    arc = words(client.predict(*arguments, 5, "spherical", None, api_name="/interpolate"))
    assert arc[3] == rows[3] and arc[-1] == rows[-1]


def test_walks_and_samples_follow_their_seed(client, models):
    def walk(start: str, seed: int, temperature: float = 0.0) -> list[str]:
        arguments = (models.latent, start, 6, 0.8, temperature, seed, None)
        return words(client.predict(*arguments, api_name="/walk"))[3::2]

    walked = walk(TEXTS[0], 1)
    assert len(walked) == 6 and walked == walk(TEXTS[0], 1) != walk(TEXTS[0], 2)
    assert len(walk(" ", 1)) == 6
    assert walk(TEXTS[0], 1, 1.5) != walked
    arguments = (models.latent, 7, 1.0)
    samples = [words(client.predict(*arguments, seed, None, api_name="/sample"))[3::2] for seed in (0, 0, 1)]
    assert len(samples[0]) == 7 and samples[0] == samples[1] != samples[2]


def test_labels_are_those_of_the_loaded_model(client, models):
    status, label = client.predict(models.transfer, api_name="/load_walk")
    assert "writes negative or positive" in status and label["choices"] == [["negative"] * 2, ["positive"] * 2]
    assert label["visible"] and label["value"] == "negative"
    written = [client.predict(models.transfer, 6, 0, 0, name, api_name="/sample") for name in SENTENCES]
    assert written[0] != written[1]
    assert "Label must be one of 'negative', 'positive'; got 'neutral'" in refusal(
        client, "/sample", models.transfer, 6, 0, 0, "neutral"
    )
    status, label = client.predict(models.latent, api_name="/load_walk")
    assert not label["visible"] and label["choices"] == []


def test_the_map_answers_on_points_and_between_them(models):
    picture, _, drawn = map_tab.draw_map(models.latent, "\n".join([*TEXTS, TEXTS[0]]), None)
    assert picture.count("<circle") == len(set(TEXTS)) == 8
    x, y = scatter.Frame(drawn.plane.places).dots()[2]
    on = SimpleNamespace(_data={"x": x / scatter.WIDTH, "y": y / scatter.HEIGHT})
    picture, said = map_tab.click(drawn, on)
    assert words(said)[0] == TEXTS[2] and "a point" in words(said)[1]
    cosines = [float(cosine) for cosine in words(said)[4::2]]
    assert cosines == sorted(cosines, reverse=True) and TEXTS[2] not in words(said)[5::2]
    assert picture.count("class='near'") == len(cosines) == map_tab.NEIGHBOURS and "class='chosen'" in picture
    picture, said = map_tab.click(drawn, SimpleNamespace(_data={"x": 0.0, "y": 1.0}))
    assert "between the points" in words(said)[1]


@pytest.mark.parametrize("data", [None, {}, {"x": 0.5}, {"x": "0", "y": 0}, {"x": math.nan, "y": 0}, {"x": 2, "y": 0}])
def test_a_made_up_click_is_refused(models, data):
    drawn = map_tab.draw_map(models.latent, "\n".join(TEXTS), None)[2]
    with pytest.raises(gr.Error, match="A click has an x and a y between 0 and 1"):
        map_tab.click(drawn, SimpleNamespace(_data=data))
    with pytest.raises(gr.Error, match="There is no map to click on"):
        map_tab.click(None, SimpleNamespace(_data=data))


def test_new_sentences_fill_the_box(client, models):
    lines = client.predict(models.latent, 12, 0, None, api_name="/new_sentences").splitlines()
    assert len(lines) == 12
    picture, _ = client.predict(models.latent, "\n".join(lines), None, api_name="/draw_map")
    assert picture.count("<circle") == len({line.strip() for line in lines if line.strip()})


def drawn(html: str) -> list[np.ndarray]:
    """The pixels of the pictures in HTML."""
    found = re.findall(r"src='data:image/png;base64,([^']*)'", html)
    assert len(found) == html.count("<img")
    return [np.asarray(Image.open(io.BytesIO(base64.b64decode(data)))).astype(int) for data in found]


def test_new_images_follow_their_seed(client, models):
    html = client.predict(models.images, 7, 3, api_name="/draw_images")
    assert words(html.replace("</figcaption>", "</p>")) == [f"No. {n}" for n in range(1, 8)]
    images = drawn(html)
    assert len(images) == 7 and all(image.shape == (6, 6) for image in images) and not same(images[0], images[1])
    fewer = drawn(client.predict(models.images, 2, 3, api_name="/draw_images"))
    assert same(fewer[1], images[1])
    assert not same(drawn(client.predict(models.images, 1, 4, api_name="/draw_images"))[0], images[0])


def same(a: np.ndarray, b: np.ndarray) -> bool:
    return bool(np.abs(a - b).max() <= 1)  # of 255: batches of other sizes are rounded otherwise


def test_the_slider_goes_from_one_image_to_the_other(client, models):
    images = drawn(client.predict(models.images, 5, 3, api_name="/draw_images"))
    lines = [drawn(client.predict(models.images, 3, 2, 5, at, "z", api_name="/slide")) for at in (0, 50, 100)]
    for first, _, second in lines:
        assert same(first, images[1]) and same(second, images[4])
    assert same(lines[0][1], images[1]) and same(lines[2][1], images[4])
    assert not same(lines[1][1], images[1]) and not same(lines[1][1], images[4])
    model = checkpoints.get(models.images)
    first, between, second = drawn(client.predict(models.images, 3, 2, 5, 100, "code", api_name="/slide"))
    rebuilt = model.images.decode(model.images.encode([images[row].astype(np.uint8) for row in (1, 4)]))
    assert np.abs(first - np.asarray(rebuilt[0])).max() <= 3 and np.abs(second - np.asarray(rebuilt[1])).max() <= 3
    assert same(between, second) and not same(first, images[1])


def test_a_picture_is_compared_with_what_the_model_knows(client, models, tmp_path, monkeypatch):
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (6, 6), np.uint8))
    wide = Image.new("L", (10, 6), 128)
    wide.paste(picture, (2, 0))  # the middle square is read
    kinds = {"a.png": picture, "wide.bmp": wide, "a.gif": picture, "colour.webp": wide.convert("RGB")}
    for name, one in kinds.items():
        one.save(tmp_path / name, **({"lossless": True} if name.endswith("webp") else {}))
    checkpoint, score = checkpoints.get(models.images), checkpoints.get(models.images).detect.scores([picture])[0]
    for name in kinds:
        html = client.predict(models.images, handle_file(tmp_path / name), api_name="/judge")
        read, rebuilt, difference = drawn(html)
        assert same(read, np.asarray(picture).astype(int)) and np.abs(abs(read - rebuilt) - difference).max() <= 2
        assert f"Energy {score:.4g}<" in html and "not calibrated" in html
    monkeypatch.setattr(checkpoint.model.config, "anomaly_quantile", 0.95)
    for threshold, said in ((score - 0.1, "beyond"), (score + 0.1, "within")):
        monkeypatch.setattr(checkpoint.model.config, "anomaly_threshold", threshold)
        html = client.predict(models.images, handle_file(tmp_path / "a.png"), api_name="/judge")
        assert f", {said} the threshold of {threshold:.4g}" in html and "95% of the usual images" in html


def drawing(*lit: tuple[int, int]) -> SimpleNamespace:
    """What the page tells of a drawing."""
    digits = ["0"] * SIDE**2
    for row, column in lit:
        digits[row * SIDE + column] = "f"
    return SimpleNamespace(_data={"pixels": "".join(digits)})


def test_a_picture_s_class_and_places_are_shown(client, models, tmp_path):
    picture = np.random.default_rng(0).integers(0, 256, (12, 12), np.uint8)
    Image.fromarray(picture).save(tmp_path / "a.png")
    html = client.predict(models.where, handle_file(tmp_path / "a.png"), api_name="/look")
    read, rebuilt, without, low, high = drawn(html)
    assert same(read, picture.astype(int)) and not same(rebuilt, without)
    assert low.shape == (12, 12) and high.shape == (6, 6) and low.max() == high.max() == 255
    model = checkpoints.get(models.where).model
    with torch.no_grad():
        values = checkpoints.get(models.where).processor(images=picture, return_tensors="pt")["pixel_values"]
        chances = model.classify(model.encode(values).what).softmax(1)[0]
        assert np.abs(rebuilt - 255 * model.reconstruct(values)[0, 0].numpy()).max() <= 1
    said = words(html)
    assert said[0] == f"{['<b>', 'one', 'two'][chances.argmax()]}, {chances.max():.0%}" and "<b>" not in html
    assert said.count("Class") == 1 and all(f"{chance:.1%}" in said for chance in chances)


@torch.no_grad()
def test_a_drawing_is_looked_at_and_exchanged_with_a_picture(client, models, tmp_path, monkeypatch):
    html, kept = where_tab.look_at_drawing(models.where, drawing(*((row, 16) for row in range(6, 26))))
    assert len(drawn(html)) == 5 and kept.size == (SIDE, SIDE) and np.asarray(kept).sum() == 20 * 255
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (12, 12), np.uint8))  # where no two are equal
    picture.save(tmp_path / "a.png")
    kept = Image.fromarray(np.random.default_rng(1).integers(0, 256, (SIDE, SIDE), np.uint8))
    images = drawn(where_tab.swap(models.where, kept, str(tmp_path / "a.png")))
    model, processor = checkpoints.get(models.where).model, checkpoints.get(models.where).processor
    pixels = processor(images=[kept, picture], return_tensors="pt")["pixel_values"]
    first, second = (model.encode(pixels[row : row + 1]) for row in (0, 1))
    wanted = [model.decode(what.what, where.wheres) for what in (first, second) for where in (first, second)]
    for image, pixel_values in zip(images, [pixels[:1], pixels[1:], *wanted], strict=True):
        assert np.abs(image - 255 * pixel_values[0, 0].numpy()).max() <= 1


def test_what_is_no_drawing_is_refused_in_words(models):
    for data in (
        None,
        {},
        {"pixels": 3},
        {"pixels": "0" * 9},
        {"pixels": "g" * SIDE**2},
        {"pixels": "\u0661" * SIDE**2},
    ):
        with pytest.raises(gr.Error, match="A drawing has 32 x 32 pixels"):
            where_tab.look_at_drawing(models.where, SimpleNamespace(_data=data))
    with pytest.raises(gr.Error, match="Nothing is drawn"):
        where_tab.look_at_drawing(models.where, drawing())
    with pytest.raises(gr.Error, match="Nothing is drawn"):
        where_tab.swap(models.where, None, None)
    with pytest.raises(gr.Error, match="needs a stacked what-where autoencoder"):
        where_tab.look_at_drawing(models.images, drawing((3, 3)))
    with pytest.raises(gr.Error, match="There is no picture"):
        where_tab.look(models.where, "/etc/passwd")


def test_the_page_s_script_can_be_read(tmp_path):
    node = shutil.which("node")
    if node is None:
        pytest.skip("needs node")
    (tmp_path / "drawing.js").write_text(f"function load(element, trigger) {{{DRAWS}}}")
    assert subprocess.run([node, "--check", tmp_path / "drawing.js"]).returncode == 0


# What is refused, and how


def test_models_of_the_other_kind_are_named(client, models):
    for load in ("/load_map", "/load_transfer", "/load_summary"):
        assert "is one of images, and this tab needs one of texts" in refusal(client, load, models.images)
    assert "is one of images" in refusal(client, "/sample", models.images, 5, 0, 0, None)
    assert "is one of texts, and this tab needs one of images" in refusal(client, "/load_images", models.latent)
    assert "is one of texts" in refusal(client, "/draw_images", models.latent, 5, 0)
    assert "needs a stacked what-where autoencoder" in refusal(client, "/load_where", models.images)
    assert "needs one of images" in refusal(client, "/load_where", models.latent)


def test_bad_numbers_of_images_are_refused_in_a_line(client, models):
    assert "greater than maximum" in refusal(client, "/draw_images", models.images, 26, 0)
    assert "The seed is empty" in refusal(client, "/draw_images", models.images, 5, None)
    assert "The second image must be" in refusal(client, "/slide", models.images, 0, 1, None, 50, "z")
    assert "not in the list" in refusal(client, "/slide", models.images, 0, 1, 2, 50, "w")
    assert "There is no picture" in refusal(client, "/judge", models.images, None)


def test_bad_texts_are_refused_in_a_line(client, models):
    after = ("", 4, "sampled", 0.7, 0)
    long = "a" * 2_000_000
    assert refusal(client, "/rewrite", models.transfer, " \n", *after) == "The text is empty"
    message = "The text has 2,000,000 characters; at most 4,000 are taken here"
    assert refusal(client, "/rewrite", models.transfer, long, *after) == message
    message = f"The text has {transfer_tab.MAX_LINES + 1} lines; at most {transfer_tab.MAX_LINES} are taken here"
    assert refusal(client, "/rewrite", models.transfer, "a\n" * (transfer_tab.MAX_LINES + 1), *after) == message
    assert "Sentence 1 has 11 words, more than the limit of 10" in refusal(
        client, "/rewrite", models.transfer, "great !\n" + "a " * 11, *after
    )
    assert "2,000,000 characters" in refusal(client, "/summarize", models.summary, long, 0, True, True)
    for texts in ((long, "a"), ("a", long)):
        assert "sentence has 2,000,000" in refusal(client, "/interpolate", models.latent, *texts, 5, "linear", None)
    assert "The second sentence is empty" in refusal(client, "/interpolate", models.latent, "a", "", 5, "linear", None)
    assert "The start has 2,000,000" in refusal(client, "/walk", models.latent, long, 6, 0.8, 0, 0, None)
    assert "The box of sentences has 2,000,000" in refusal(client, "/draw_map", models.latent, long, None)
    assert "at least 3 different sentences, got 1" in refusal(client, "/draw_map", models.latent, "a\na", None)
    assert "at most 300 characters, got 2000000" in refusal(client, "/load_map", long)


def test_bad_choices_are_refused_in_a_line(client, models):
    message = refusal(client, "/rewrite", models.transfer, "great !", HOSTILE, 1, "sampled", 0.7, 0)
    assert message.startswith("Target must be one of 'negative' (0), 'positive' (1); got ")
    assert not NO_PLACE_FOR_CODE.search(message)  # gradio shows messages as HTML
    assert "greater than maximum" in refusal(client, "/interpolate", models.latent, "a", "b", 500, "linear", None)
    assert "not in the list" in refusal(client, "/interpolate", models.latent, "a", "b", 5, "cubic", None)
    assert "The seed is empty" in refusal(client, "/sample", models.latent, 5, 0, None, None)
    assert "at most 14" in refusal(client, "/summarize", models.written, "Police said nothing", 20, True, True)


def test_models_that_do_not_fit_are_named(client, models, tmp_path):
    def refused(api_name: str, name: str) -> str:
        message = refusal(client, api_name, name)
        assert "\n" not in message and len(message) < 700
        return message

    assert refused("/load_map", "") == "No model is named: give a Hub id"
    assert "has no encode" in refused("/load_map", models.summary)
    assert "needs a model with attributes" in refused("/load_transfer", models.latent)
    assert "needs a summarizer" in refused("/load_summary", models.latent)
    assert "model of type 'rnn_lm'; accepted are arae, " in refused("/load_map", models.writer)
    assert "was not downloaded before" in refused("/load_map", "nobody/nothing")
    assert "the Hub has no such public model" in unescape(refused("/load_map", f"{tmp_path}/<b>gone</b>"))
    (tmp_path / "config.json").write_text("{}")
    checkpoints.show(str(tmp_path))
    assert "is a model of type None" in refused("/load_map", str(tmp_path))
    config = {"model_type": "foreign", "auto_map": {"AutoConfig": "code.Config"}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "code.py").write_text(
        "import pathlib\npathlib.Path(__file__).with_name('ran').touch()\nclass Config: pass"
    )
    assert "is a model of type 'foreign'; accepted are arae" in unescape(refused("/load_map", str(tmp_path)))
    assert not (tmp_path / "ran").exists()
    shutil.copytree(models.latent, tmp_path, dirs_exist_ok=True)
    config = AraeConfig(vocab_size=10**6, embedding_size=2**12)
    config.save_pretrained(tmp_path)
    assert "million parameters; at most 300 million are loaded here" in refused("/load_map", str(tmp_path))


def test_the_least_recently_used_model_makes_room(models):
    kept = Checkpoints(max_kept=2)
    kept.show(models.root, models.transfer)
    first = kept.get(models.latent)
    kept.get(models.transfer)
    assert kept.get(f" {models.latent} ") is first
    kept.get(models.summary)
    assert kept.get(models.latent) is first and list(kept._kept) == [models.summary, models.latent]


def test_an_unexpected_error_is_logged_and_not_shown(client, models, monkeypatch, caplog):
    monkeypatch.setattr(walk_tab, "readable", lambda text: 1 / 0)
    message = refusal(client, "/sample", models.latent, 5, 0, 0, None)
    assert message == "Something went wrong here, not with what you typed. It was logged."
    (record,) = (record for record in caplog.records if record.name == "hf_arae.space")
    assert record.exc_info[0] is ZeroDivisionError


def test_a_model_that_fails_at_the_start_leaves_the_others_usable(models, tmp_path, capsys):
    page = app.build(app.ScriptArguments(str(tmp_path), models.summary, models.latent, models.images, models.where))
    assert "cannot be loaded" in capsys.readouterr().out
    shown = [block.value for block in page.blocks.values() if isinstance(block, gr.HTML)]
    assert sum("cannot be loaded" in value for value in shown if value) == 1
    assert sum("Loaded: AraeModel" in value for value in shown if value) == 3
    assert sum("Loaded: EbganModel" in value for value in shown if value) == 1


# The server


def test_twenty_at_once_are_all_answered_as_alone(client, models):
    requests = [(walk_tab.sample, (models.latent, 20, 1.0, seed, None)) for seed in range(8)]
    requests += [(walk_tab.walk, (models.latent, "", 10, 0.8, 1.0, seed, None)) for seed in range(6)]
    text = "\n".join(TEXTS)
    requests += [(transfer_tab.rewrite, (models.transfer, text, "", 6, "sampled", 1.5, seed)) for seed in range(6)]
    alone = [function(*arguments) for function, arguments in requests]
    jobs = [client.submit(*arguments, api_name=f"/{function.__name__}") for function, arguments in requests]
    assert [job.result(timeout=600) for job in jobs] == alone


def test_the_page_names_no_other_host(address):
    page = httpx.get(address).text
    config = httpx.get(f"{address}config").json()
    assert config["analytics_enabled"] is False
    sheet = httpx.get(f"{address}theme.css").text
    loaded = re.findall(r"(?:src|href)=[\"']([^\"']+)", page) + re.findall(
        r"url\([\"']?([^\"')]+)|@import[^;]*", sheet
    )
    assert loaded and not [link for link in loaded if re.match(r"(https?:)?//", link)]


def test_the_queue_cannot_be_skipped_and_large_files_are_not_taken(address):
    direct = httpx.post(f"{address}gradio_api/run/sample", json={"data": []})
    assert direct.status_code >= 400 and "does not accept direct HTTP POST" in direct.text
    upload = httpx.post(f"{address}gradio_api/upload", files={"files": ("a.bin", b"0" * 4_200_000)})
    assert upload.status_code == 413


# The folder as a Space


def test_the_space_describes_itself_to_the_hub():
    tomllib = pytest.importorskip("tomllib", reason="reading pyproject.toml needs Python 3.11")
    _, head, _ = (SPACE / "README.md").read_text(encoding="utf-8").split("---\n", 2)
    card = yaml.safe_load(head)
    assert card["sdk"] == "gradio" and (SPACE / card["app_file"]).is_file()
    assert len(card["short_description"]) <= 60  # what the Hub takes
    assert {card["colorFrom"], card["colorTo"]} <= {
        "red",
        "yellow",
        "green",
        "blue",
        "indigo",
        "purple",
        "pink",
        "gray",
    }
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    gradio, pillow = project["optional-dependencies"]["space"]
    assert gradio.startswith("gradio") and pillow in project["optional-dependencies"]["images"]
    assert card["sdk_version"].startswith(re.search(r">=([\d.]+)", gradio)[1])
    (required,) = (SPACE / "requirements.txt").read_text().split()
    assert required.startswith("hf_arae[space]>=") and project["version"] in required.replace("0.1,", "0.1.0,")


def test_help_is_printed(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["app.py", "--help"])
    with pytest.raises(SystemExit) as ended:
        app.main()
    assert ended.value.code == 0 and "--transfer_model" in capsys.readouterr().out
