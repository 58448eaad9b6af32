"""New sentences, and random walks."""

from __future__ import annotations

import gradio as gr
from answers import answered, checked_label, checked_number, checked_real, checked_text
from checkpoints import Checkpoint, checkpoints
from markup import readable, table
from model_choice import ModelChoice, cleared

MAX_CHARACTERS, MAX_SENTENCES = 500, 30
_ANGLES, _TEMPERATURES = (0.05, 1.5), (0, 1.5)
_EXAMPLES = ["A man is sleeping on a bench.", "Two dogs run on the beach.", "A woman in a red dress is dancing."]


@answered
def walk(name: str, start: str, steps: int, angle: float, temperature: float, seed: int, label: str) -> str:
    """Returns an HTML table with a sentence a step, from a sentence, or from a new one where `start` is blank."""
    seed, angle = checked_number(seed, "the seed"), checked_real(angle, *_ANGLES, "the angle")
    how, label = _writing(temperature), checked_label(label)
    with checkpoints.use(name) as checkpoint:
        latent = checkpoint.latent(label)
        if (start or "").strip():
            space, points = "code", checked_text(start, MAX_CHARACTERS, "the start")
        else:
            space = latent.native_space
            points = latent.draw(1, space, seed)
        texts = latent.walk(points, steps, angle, space, seed, **how)[0]
    return _numbered("Step", texts, 0)


@answered
def sample(name: str, count: int, temperature: float, seed: int, label: str) -> str:
    """Returns an HTML table of new sentences."""
    seed, how, label = checked_number(seed, "the seed"), _writing(temperature), checked_label(label)
    with checkpoints.use(name) as checkpoint:
        texts = checkpoint.latent(label).sample(count, seed, **how)
    return _numbered("No.", texts, 1)


def _writing(temperature: float) -> dict:
    temperature = checked_real(temperature, *_TEMPERATURES, "the temperature")
    return {"do_sample": True, "temperature": temperature} if temperature > 0 else {}


def _numbered(heading: str, texts: list[str], first: int) -> str:
    return table([heading, "Sentence"], ((str(number), readable(text)) for number, text in enumerate(texts, first)))


def build(default: str) -> None:
    model = ModelChoice(default, Checkpoint.latent, "load_walk")
    start = gr.Textbox(_EXAMPLES[0], label="Start of the walk", info="Blank: a new sentence", max_lines=3)
    gr.Examples(_EXAMPLES, start, cache_examples=False, label="Examples")
    with gr.Row():
        model.label.render()
        count = gr.Slider(2, MAX_SENTENCES, 10, step=1, precision=0, label="Sentences")
        angle = gr.Slider(*_ANGLES, 0.7, step=0.05, label="Size of a step (an angle in radians)")
        temperature = gr.Slider(*_TEMPERATURES, 0, step=0.1, label="Temperature (0: the likeliest words)")
        seed = gr.Number(0, minimum=0, maximum=2**31, precision=0, label="Seed", min_width=100)
    with gr.Row():
        walks = gr.Button("Walk", variant="primary")
        samples = gr.Button("Write new sentences", variant="primary")
    result = gr.HTML(min_height=60)
    model.draw()
    inputs = [model.box, start, count, angle, temperature, seed, model.label]
    cleared(walks.click(walk, inputs, result, api_name="walk"), result)
    inputs = [model.box, count, temperature, seed, model.label]
    cleared(samples.click(sample, inputs, result, api_name="sample"), result)
