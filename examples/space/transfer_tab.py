"""Style transfer: sentences rewritten with another label."""

from __future__ import annotations

import gradio as gr
import torch
from answers import answered, checked_choice, checked_label, checked_lines, checked_number, checked_real
from checkpoints import checkpoints
from markup import mark, note, shared_words
from model_choice import ModelChoice, cleared

MAX_LINES, MAX_CHARACTERS, MAX_OUTPUTS = 20, 4_000, 8
_OTHERS, _TEMPERATURES = ("sampled", "beams"), (0.1, 1.5)
_EXAMPLES = [
    "The staff was rude and the place was dirty.",
    "I love this place!\nThe rooms were clean and the staff was friendly.",
    "We will never come back.",
]


@answered
def rewrite(name: str, text: str, label: str, outputs: int, others: str, temperature: float, seed: int) -> str:
    """Returns HTML: each line with its likeliest rewriting first, then `outputs` - 1 others, all with scores."""
    lines = checked_lines(text, MAX_LINES, MAX_CHARACTERS)
    others, label = checked_choice(others, _OTHERS, "the kind of further rewritings"), checked_label(label)
    temperature, seed = checked_real(temperature, *_TEMPERATURES, "the temperature"), checked_number(seed, "the seed")
    options = {"batch_size": len(lines), **({"target": label} if label else {})}
    with checkpoints.use(name) as checkpoint:
        found = [[result] for result in checkpoint.rewrite(lines, **options)]
        if outputs > 1:
            if others == "beams":
                how = {"num_beams": outputs}
            else:
                how = {"do_sample": True, "temperature": temperature}
                torch.manual_seed(seed)
            count = outputs if others == "beams" else outputs - 1
            more = checkpoint.rewrite(lines, num_return_sequences=count, **how, **options)
            for results, new in zip(found, more, strict=True):
                results += new if isinstance(new, list) else [new]
    return "".join(_drawn(line, results, outputs) for line, results in zip(lines, found, strict=True))


def _drawn(line: str, results: list[dict], outputs: int) -> str:
    different = {result["text"]: result for result in reversed(results)}
    texts = list(dict.fromkeys(result["text"] for result in results))[:outputs]
    kept, _ = shared_words(line, texts[0])
    items = "".join(f"<li>{_written(line, different[text])}</li>" for text in texts)
    source, target = results[0]["source"], results[0]["target"]
    direction = f"{source} to {target}" if source else f"to {target}"
    if len(texts) < outputs:
        direction += f"; {len(texts)} different ones of {outputs}"
    first = mark(line, [not shared for shared in kept], "del")
    unknown = results[0]["unknown_words"]
    missing = note(f"Words that the model does not know: {', '.join(unknown)}") if unknown else ""
    return f"<section class='result'>{note(direction)}<p>{first}</p><ol>{items}</ol>{missing}</section>"


def _written(line: str, result: dict) -> str:
    """An output with the model's own scores of it."""
    text = mark(result["text"], [not shared for shared in shared_words(line, result["text"])[1]], "ins")
    scores = {name: result[f"{name}_score"] for name in ("style", "content", "fluency")}
    told = ", ".join(f"{name} {score:.0%}" for name, score in scores.items() if score is not None)
    return f"<p>{text}</p>{note(result.get('note', told))}"


def build(default: str) -> None:
    model = ModelChoice(default, lambda checkpoint: checkpoint.rewrite, "load_transfer", "the other label")
    text = gr.Textbox(_EXAMPLES[0], label="Sentences", info=f"One a line, at most {MAX_LINES}", lines=3, max_lines=8)
    gr.Examples(_EXAMPLES, text, cache_examples=False, label="Examples")
    with gr.Row():
        model.label.render()
        outputs = gr.Slider(1, MAX_OUTPUTS, 4, step=1, precision=0, label="Rewritings of each sentence")
        others = gr.Radio([*_OTHERS], value="sampled", label="Rewritings after the first")
        temperature = gr.Slider(*_TEMPERATURES, 0.7, step=0.1, label="Temperature of samples")
        seed = gr.Number(0, minimum=0, maximum=2**31, precision=0, label="Seed of samples", min_width=100)
    button = gr.Button("Rewrite", variant="primary")
    result = gr.HTML(min_height=60)
    model.draw()
    inputs = [model.box, text, model.label, outputs, others, temperature, seed]
    cleared(button.click(rewrite, inputs, result, api_name="rewrite"), result)
