"""A page to try the models on: style transfer, summaries, the latent space, and images.

    python examples/space/app.py --transfer_model model_cards/style-transfer-yelp \
        --latent_model model_cards/arae-flickr30k \
        --summary_model model_cards/headline-selector-news --image_model model_cards/ebgan-mnist \
        --where_model model_cards/swwae-svhn --port 7860

It needs `pip install hf_arae[space]`. The folder is a Space of the Hub as it is; there the models are named by the
variables TRANSFER_MODEL, SUMMARY_MODEL, LATENT_MODEL, IMAGE_MODEL and WHERE_MODEL. The page asks no other host for
anything.
"""

from __future__ import annotations

import os

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # before gradio is imported

import logging
from dataclasses import dataclass, field
from pathlib import Path

import gradio as gr
import images_tab
import interpolation_tab
import map_tab
import summary_tab
import transfer_tab
import walk_tab
import where_tab
from checkpoints import checkpoints
from gradio import processing_utils
from pictures import MAX_MEGABYTES

from hf_arae.utils.command_line import read_command_line, run_script

_WAITING = 100  # requests in the queue; further ones are told that it is full
_AT_ONCE = 4  # requests of a kind under way: one computes, and others may wait for a model to load
_CLEANED = (600, 3600)  # seconds: so often what was uploaded is looked through, and goes at this age
_HEADING = """# Models of texts and images that learn without pairs
Rewrite a sentence, shorten one, walk through the space in which the models keep sentences, and draw images. The models
are small: each knows only the kind of text or image that it was trained on, and what it makes is often wrong."""


def _named(variable: str, folder: str):
    default = os.environ.get(variable.upper(), f"model_cards/{folder}")
    return field(default=default, metadata={"help": f"Hub id or folder; also by the variable {variable.upper()}."})


@dataclass
class ScriptArguments:
    """What belongs to this script alone."""

    transfer_model: str = _named("transfer_model", "style-transfer-yelp")
    summary_model: str = _named("summary_model", "headline-selector-news")
    latent_model: str = _named("latent_model", "arae-flickr30k")
    image_model: str = _named("image_model", "ebgan-mnist")
    where_model: str = _named("where_model", "swwae-svhn")
    folders: str = field(
        default=os.environ.get("MODEL_FOLDERS", "model_cards"),
        metadata={
            "help": "Folders, with commas between, whose models visitors may name; also by the variable MODEL_FOLDERS."
        },
    )
    models_kept: int = field(
        default=5, metadata={"help": "So many models are kept in memory; the least recently used one goes."}
    )
    port: int | None = field(
        default=None, metadata={"help": "The page is served at this port; by default the first free one from 7860 on."}
    )


def build(script: ScriptArguments) -> gr.Blocks:
    """Builds the page, with a queue that holds back what it cannot answer at once."""
    checkpoints.max_kept = max(1, script.models_kept)
    folders = [folder.strip() for folder in script.folders.split(",") if folder.strip()]
    named = [script.transfer_model, script.summary_model, script.latent_model, script.image_model, script.where_model]
    checkpoints.show(*folders, *named)
    with gr.Blocks(title="hf_arae", analytics_enabled=False, delete_cache=_CLEANED) as page:
        gr.Markdown(_HEADING)
        for name, tab, model in (
            ("Style transfer", transfer_tab, script.transfer_model),
            ("Summaries", summary_tab, script.summary_model),
            ("Interpolation", interpolation_tab, script.latent_model),
            ("Walks and samples", walk_tab, script.latent_model),
            ("Map", map_tab, script.latent_model),
            ("Images", images_tab, script.image_model),
            ("What and where", where_tab, script.where_model),
        ):
            with gr.Tab(name):
                tab.build(model)
    return page.queue(max_size=_WAITING, default_concurrency_limit=_AT_ONCE, api_open=False)


def _theme() -> gr.themes.Base:
    # Fonts by name only: gradio's own themes fetch theirs from another host.
    fonts = {"font": ["system-ui", "sans-serif"], "font_mono": ["ui-monospace", "monospace"]}
    # Small letters and buttons are darker than gradio's, to be read.
    return gr.themes.Default(primary_hue="indigo", **fonts).set(
        body_text_color_subdued="*neutral_600",
        body_text_color_subdued_dark="*neutral_300",
        block_info_text_color="*neutral_600",
        block_info_text_color_dark="*neutral_300",
        button_primary_background_fill="*primary_600",
        button_primary_background_fill_hover="*primary_700",
    )


async def _fetch_nothing(*arguments, **options) -> str:
    """Stands for gradio's download of an address that a program names in place of a text or an uploaded picture."""
    raise gr.Error("Addresses are not read here: upload the picture", print_exception=False)


def serve(page: gr.Blocks, **options) -> None:
    """Starts the server; `options` are those of `launch`."""
    processing_utils.async_ssrf_protected_download = _fetch_nothing
    page.launch(
        theme=_theme(),
        css_paths=Path(__file__).with_name("style.css"),
        footer_links=["api"],
        run_history=False,
        ssr_mode=False,
        share=False,
        max_file_size=f"{MAX_MEGABYTES}mb",
        state_session_capacity=500,
        **options,
    )


def main() -> None:
    (script,) = read_command_line(__file__, __doc__, {"Flags": ScriptArguments}).parts
    logging.basicConfig(format="%(asctime)s %(name)s %(levelname)s: %(message)s")
    serve(build(script), server_port=script.port)


if __name__ == "__main__":
    run_script(main)
