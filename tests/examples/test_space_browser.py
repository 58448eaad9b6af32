"""The Space as a person meets it: the example is started by its command, and every tab is used in Chromium.

With SPACE_PICTURES=FOLDER each tab's picture is saved there, at a wide and at a narrow width.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.request import urlopen

import pytest
from PIL import Image

pytest.importorskip("gradio", reason="the Space needs gradio: pip install hf_arae[space]")
playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install hf_arae[browser]")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
if CHROMIUM is None:
    pytest.skip("needs Chromium", allow_module_level=True)

ROOT = Path(__file__).parents[2]
PATIENCE = 1200  # seconds that anything may take where the machine is busy with other work
HOSTILE = "<img src=x onerror=alert(1)> <script>alert(2)</script> ${alert(3)} {{value}} `'\""
# The second line keeps the browser itself from calling home.
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
FLAGS += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]


@pytest.fixture(scope="module")
def address():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    environment |= {"GRADIO_SERVER_NAME": "127.0.0.1"}
    command = [sys.executable, "examples/space/app.py", "--port", str(port)]
    server = subprocess.Popen(command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL)
    try:
        until = time.monotonic() + PATIENCE
        while True:
            try:
                urlopen(f"http://127.0.0.1:{port}/", timeout=PATIENCE).close()
                break
            except OSError:
                assert server.poll() is None and time.monotonic() < until, "the server did not start"
                time.sleep(0.2)
        yield f"http://127.0.0.1:{port}/"
    finally:
        server.terminate()
        server.wait(PATIENCE)


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


class Visitor:
    """A page with what a person does on it, and notes of what must not happen."""

    def __init__(self, page, address: str, width: int):
        self.page, self.width, self.wrong = page, width, []
        page.set_default_timeout(1000 * PATIENCE)
        page.on("console", lambda message: self.wrong.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: self.wrong.append(str(error)))
        page.on("dialog", lambda dialog: (self.wrong.append(f"dialog {dialog.message}"), dialog.dismiss()))
        page.on("request", lambda request: self._check(request.url, address))
        page.goto(address)
        self.panel.wait_for()

    def _check(self, url: str, address: str) -> None:
        if not url.startswith((address, "data:", "blob:")):
            self.wrong.append(f"request to {url}")

    def open(self, tab: str) -> None:
        button = self.page.get_by_role("tab", name=tab, exact=True)
        if not button.is_visible():  # the narrow page keeps some tabs in a menu
            self.page.locator(".overflow-menu > button").click()
            button = self.page.locator(".overflow-dropdown").get_by_text(tab)
        button.click()
        self.page.locator("[role=tabpanel]:visible").wait_for()

    @property
    def panel(self):
        return self.page.locator("[role=tabpanel]:visible")

    def box(self, label: str):
        """An input by its label, which gradio lets a remark follow."""
        return self.panel.get_by_label(re.compile(rf"^\s*{re.escape(label)}")).first

    def press(self, button: str, awaited: str) -> list[str]:
        """Presses a button, waits until the awaited element has changed, and returns its texts."""
        found = self.panel.locator(awaited)
        before = found.first.inner_html() if found.count() else None
        self.panel.get_by_role("button", name=button, exact=True).click()
        return self.changed(awaited, before)

    def changed(self, awaited: str, before: str | None) -> list[str]:
        found, until = self.panel.locator(awaited), time.monotonic() + PATIENCE
        while not found.count() or found.first.inner_html() == before:
            assert time.monotonic() < until, f"no new {awaited} came: {self.toasts()}"
            self.page.wait_for_timeout(50)
        return found.all_inner_texts()

    def toasts(self) -> list[str]:
        return self.page.locator(".toast-body").all_inner_texts()

    def picture(self, name: str) -> None:
        if folder := os.environ.get("SPACE_PICTURES"):
            self.page.wait_for_timeout(400)  # until what moves has come to rest
            self.page.screenshot(path=Path(folder) / f"{name}-{self.width}.png", full_page=True)
        assert self.page.evaluate("document.documentElement.scrollWidth") <= self.width, "the page is too wide"


@pytest.fixture(params=[1280, 400])
def visitor(browser, address, request):
    page = browser.new_page(viewport={"width": request.param, "height": 900})
    visitor = Visitor(page, address, request.param)
    yield visitor
    page.close()
    assert not visitor.wrong


def test_every_tab_is_used(visitor):
    page = visitor.page

    visitor.open("Style transfer")
    assert "negative or positive" in visitor.panel.locator(".note").first.inner_text()
    visitor.panel.get_by_text("We will never come back.").click()
    playwright.expect(visitor.box("Sentences")).to_have_value("We will never come back.", timeout=1000 * PATIENCE)
    visitor.box("Sentences").fill("The food was awful!\nI love this place.")
    visitor.panel.get_by_text("beams").click()
    results = visitor.press("Rewrite", ".result")
    assert len(results) == 2 and results[0].startswith("negative to positive")
    assert results[1].startswith("positive to negative")
    assert "awful" in visitor.panel.locator("del").all_inner_texts()
    assert visitor.panel.locator("ins").count() >= 2 and visitor.panel.locator("li").count() >= 4
    visitor.box("Write as").click()
    page.get_by_role("option", name="negative").click()
    (first, second) = visitor.press("Rewrite", ".result")
    assert "to negative" in first and "to negative" in second
    visitor.picture("transfer")

    visitor.open("Summaries")
    text = visitor.box("Text").input_value()
    visitor.box("number input for Words (0: as many as the model finds best)").fill("6")
    (result,) = visitor.press("Summarize", ".result")
    assert "6 written" in result and result.endswith(text)
    kept = visitor.panel.locator("mark").all_inner_texts()
    assert kept and all(words in text for words in kept)
    visitor.box("Model").fill("model_cards/ursae-news")
    visitor.panel.get_by_role("button", name="Load", exact=True).click()
    visitor.panel.get_by_text("UrsaeForConditionalGeneration").wait_for(timeout=1000 * PATIENCE)
    (written,) = visitor.press("Summarize", ".result")
    assert "6 written" in written and written != result and not visitor.panel.locator("ins").count()
    visitor.picture("summaries")

    visitor.open("Interpolation")
    visitor.box("From").fill("A man is sleeping on a bench.")
    visitor.box("To").fill("Two dogs run on the beach.")
    (straight,) = visitor.press("Interpolate", "table.texts")
    assert straight.count("%") == 7 and "0%\tA man is sleeping on a bench." in straight
    assert straight.rstrip().endswith("100%\tTwo dogs run on the beach.")
    visitor.panel.get_by_text("spherical").click()
    visitor.box("number input for Sentences, both ends included").fill("5")
    (arc,) = visitor.press("Interpolate", "table.texts")
    assert arc.count("%") == 5
    visitor.picture("interpolation")

    visitor.open("Walks and samples")
    (walk,) = visitor.press("Walk", "table.texts")
    assert walk.startswith("Step") and "0\tA man is sleeping on a bench." in walk and len(walk.splitlines()) == 11
    visitor.box("Seed").fill("5")
    (new,) = visitor.press("Write new sentences", "table.texts")
    assert new.startswith("No.") and len(new.splitlines()) == 11
    visitor.picture("walks")


def test_the_map_is_clicked(visitor):
    visitor.open("Map")
    visitor.press("Draw the map", "svg.map")
    lines = visitor.box("Sentences").input_value().splitlines()
    points, picture = visitor.panel.locator("svg.map circle"), visitor.panel.locator("svg.map")
    assert points.count() == len(lines) == 16
    named = points.nth(3).get_attribute("aria-label")
    points.nth(3).click()
    (said,) = visitor.changed("p.best", None)
    assert said == named and visitor.panel.locator("circle.near").count() == 5
    nearest = visitor.panel.locator("table.texts tbody tr").all_inner_texts()
    assert len(nearest) == 5 and all(row.split("\t")[1] in lines for row in nearest)

    box, between = picture.bounding_box(), set()
    for share in (0.3, 0.5, 0.7):
        before = visitor.panel.locator("svg.map").inner_html()
        picture.click(position={"x": box["width"] * share, "y": box["height"] * share})
        visitor.changed("svg.map", before)
        between.add(visitor.panel.locator("p.best").inner_text())
    assert visitor.panel.locator("svg.map .chosen").count() == 1
    assert len(between) > 1 and "" not in between
    visitor.picture("map")

    before = picture.inner_html()
    points.first.focus()
    visitor.page.keyboard.press("Enter")
    visitor.changed("svg.map", before)
    assert visitor.panel.locator("p.best").inner_text() in lines

    visitor.box("New sentences").fill("25")
    visitor.panel.get_by_role("button", name="Fill the box with new sentences").click()
    visitor.page.wait_for_function(
        "before => [...document.querySelectorAll('textarea')].every(box => box.value !== before)", arg="\n".join(lines)
    )
    visitor.press("Draw the map", "svg.map")
    assert 20 <= points.count() <= 25
    visitor.picture("map-of-samples")


def test_images_are_drawn_and_compared(visitor, tmp_path):
    visitor.open("Images")
    visitor.press("Draw new images", ".pictures:not(.large)")
    assert visitor.panel.locator(".pictures:not(.large) img").count() == 10
    between = visitor.panel.locator(".pictures.large")
    between.wait_for()
    assert between.locator("figcaption").all_inner_texts() == ["No. 1", "50%", "No. 2"]
    before = between.inner_html()
    visitor.box("number input for Position in per cent of the way").fill("75")
    visitor.changed(".pictures.large", before)
    assert between.locator("figcaption").nth(1).inner_text() == "75%"
    Image.new("L", (40, 60), 255).save(tmp_path / "white.png")
    visitor.panel.locator("input[type=file]").set_input_files(tmp_path / "white.png")
    visitor.panel.locator("[data-testid=image] img, .image-frame img").first.wait_for()
    (said,) = visitor.press("Compare with what the model knows", ".result")
    assert "Energy" in said and visitor.panel.locator(".result img").count() == 3
    visitor.picture("images")


@pytest.mark.skipif(not (ROOT / "model_cards" / "swwae-svhn").is_dir(), reason="the model is not staged")
def test_a_drawing_is_looked_at_and_exchanged(visitor, tmp_path):
    visitor.open("What and where")
    box = visitor.panel.locator("canvas.pad").bounding_box()
    mouse = visitor.page.mouse
    for share in (0.3, 0.6):  # at the end of each line the model is asked
        before = visitor.panel.locator(".result").inner_html() if share > 0.3 else None
        mouse.move(box["x"] + box["width"] * share, box["y"] + box["height"] * 0.2)
        mouse.down()
        mouse.move(box["x"] + box["width"] * share, box["y"] + box["height"] * 0.8, steps=5)
        mouse.up()
        (said,) = visitor.changed(".result", before)
        assert "%" in said and visitor.panel.locator(".result img").count() >= 4
    Image.new("L", (40, 60), 255).save(tmp_path / "white.png")
    visitor.panel.locator("input[type=file]").set_input_files(tmp_path / "white.png")
    visitor.panel.locator("[data-testid=image] img, .image-frame img").first.wait_for()
    visitor.press("Exchange the drawing's and the picture's", ".pictures.large:not(.result *)")
    visitor.picture("where")


def test_another_model_is_loaded_and_its_labels_are_offered(visitor):
    visitor.open("Walks and samples")
    assert not visitor.box("Write as").is_visible()
    visitor.box("Model").fill("model_cards/arae-yelp")
    visitor.press("Load", ".note")
    visitor.box("Write as").click()
    visitor.page.get_by_role("option", name="positive").click()
    (new,) = visitor.press("Write new sentences", "table.texts")
    assert len(new.splitlines()) == 11


def test_errors_and_texts_are_shown_as_they_are_typed(visitor):
    visitor.open("Style transfer")
    visitor.box("Sentences").fill(HOSTILE)
    visitor.press("Rewrite", ".result")
    assert visitor.panel.locator(".result > p").nth(1).inner_text() == HOSTILE
    visitor.box("Model").fill(HOSTILE)
    visitor.panel.get_by_role("button", name="Load").click()
    visitor.page.locator(".toast-body").wait_for()
    assert HOSTILE in visitor.toasts()[0]
    visitor.open("Map")
    visitor.box("Sentences").fill(f"{HOSTILE}\n'\"><b>bold\ntwo dogs run .")
    visitor.press("Draw the map", "svg.map")
    visitor.panel.locator("svg.map circle").first.click()
    visitor.changed("p.best", None)
    assert HOSTILE in visitor.panel.inner_text()
    assert not visitor.page.locator("img[src=x]").count()
    visitor.box("Sentences").fill("")
    visitor.panel.get_by_role("button", name="Draw the map").click()
    visitor.page.get_by_text(re.compile("The box of sentences is empty")).wait_for()
    visitor.picture("errors")
