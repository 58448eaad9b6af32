"""Summaries, and what they keep of their source."""

from __future__ import annotations

import gradio as gr
from answers import answered, checked_text
from checkpoints import checkpoints
from markup import mark, note, shared_words, with_numbers
from model_choice import ModelChoice, cleared

MAX_CHARACTERS, MAX_WORDS = 5_000, 30
_EXAMPLES = [
    "Japan's central bank said on Monday it would keep interest rates unchanged after a two-day meeting in Tokyo, "
    "surprising markets.",
    "Heavy rain and strong winds forced the closure of 12 schools in the north of the country on Tuesday, officials "
    "said.",
    "The company will sell its unprofitable shipping unit to a group of investors for 300 million dollars, it said "
    "in a statement on Friday.",
]


@answered
def summarize(name: str, text: str, length: int, source_words_only: bool, first_sentence: bool) -> str:
    """Returns HTML: the summary, and the source with the words that it keeps. Length 0 leaves it to the model."""
    text = checked_text(text, MAX_CHARACTERS)
    # Left to the checkpoint unless asked for: a writer has learned to write under its own limits.
    arguments = {"source_words_only": True if source_words_only else None, "first_sentence": bool(first_sentence)}
    with checkpoints.use(name) as checkpoint:
        result = checkpoint.summarize(text, target_length=length or None, **arguments)
    summary = with_numbers(result["summary_text"])
    kept, known = shared_words(text, summary)
    return (
        f"<section class='result'><p class='best'>{mark(summary, [not shared for shared in known], 'ins')}</p>"
        f"{note('{source_words} words read, {summary_words} written'.format(**result))}"
        f"<p>{mark(text, kept, 'mark')}</p></section>"
    )


def build(default: str) -> None:
    model = ModelChoice(default, lambda checkpoint: checkpoint.summarize, "load_summary")
    text = gr.Textbox(_EXAMPLES[0], label="Text", lines=4, max_lines=12)
    gr.Examples(_EXAMPLES, text, cache_examples=False, label="Examples")
    with gr.Row():
        length = gr.Slider(0, MAX_WORDS, 0, step=1, precision=0, label="Words (0: as many as the model finds best)")
        with gr.Column(min_width=160):
            only = gr.Checkbox(False, label="Only words of the text")
            first = gr.Checkbox(True, label="First sentence only")
    button = gr.Button("Summarize", variant="primary")
    result = gr.HTML(min_height=60)
    model.draw()
    inputs = [model.box, text, length, only, first]
    cleared(button.click(summarize, inputs, result, api_name="summarize"), result)
