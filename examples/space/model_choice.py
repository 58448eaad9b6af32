"""How a tab's model is chosen: a box for its name, a button that loads it, and the labels that it has."""

from __future__ import annotations

from collections.abc import Callable

import gradio as gr
from answers import answered
from checkpoints import Checkpoint, checkpoints
from gradio.components import Component
from gradio.events import Dependency
from markup import note

# What the staged models were trained on, by the last part of their names.
_TRAINED_ON = {
    "style-transfer-yelp": "It edits. It was trained on short reviews of restaurants and shops, and keeps words of "
    "anything else, of which it knows few.",
    "style-transfer-captions": "It edits, and was trained on 12 000 romantic and humorous captions of photographs.",
    "arae-yelp": "It was trained on short reviews of restaurants and shops, and knows few words of anything else.",
    "arae-flickr30k": "It was trained on captions of photographs, and knows few words of anything else.",
    "headline-selector-news": "It chooses words, and was trained on first sentences of English news and on titles.",
    "arae-mnist": "It was trained on handwritten digits in black and white, and knows no other images.",
    "ebgan-mnist": "It was trained on handwritten digits, and knows no other images.",
    "swwae-svhn": "It was trained on photographs of house numbers, and knows no other images.",
    "ursae-news": "It writes, and was trained on first sentences of English news.",
}


def cleared(asked: Dependency, *outputs: Component) -> None:
    """Takes earlier results away where what was asked for ends with an error, so that they are not read as its own."""
    empty = ["" if isinstance(output, gr.HTML) else None for output in outputs]
    asked.failure(lambda: empty if len(empty) > 1 else empty[0], None, [*outputs], api_name=False)


class ModelChoice:
    """Loads the default model at once; draws the labels and the row where the tab asks for them.

    Args:
        default: the name that the box begins with.
        task: raises ValueError or TypeError for a checkpoint that cannot do the tab's task.
        api_name: of loading, for programs.
        automatic: what the choice of no label is called; without it a label is always chosen.
    """

    def __init__(
        self, default: str, task: Callable[[Checkpoint], object], api_name: str, automatic: str | None = None
    ):
        self._default, self._task, self._api_name, self._automatic = default, task, api_name, automatic
        try:
            self._status, start = self._look(default, wait=True)
        except (ValueError, TypeError) as error:
            print(error)
            self._status, start = note(f"{error}."), {"choices": [], "value": None, "visible": False}
        # Any value is let through, as models differ in their labels; the library says which ones it accepts.
        self.label = gr.Dropdown(label="Write as", allow_custom_value=True, min_width=160, render=False, **start)
        self.box = gr.Textbox(
            default,
            label="Model",
            show_label=False,
            container=False,
            placeholder="Hub id of a public model",
            max_lines=1,
            scale=5,
            render=False,
        )

    def draw(self) -> None:
        """Draws the row, with the labels unless the tab has placed them elsewhere."""
        gr.Markdown(
            "## Model\nThe Hub id of a public model of hf_arae, or a model of this server", elem_classes="small"
        )
        with gr.Row():
            self.box.render()
            if not self.label.is_rendered:
                self.label.render()
            button = gr.Button("Load", scale=1, min_width=90)
        status, loaded = gr.HTML(self._status), gr.State(self._default)
        asked = gr.on(
            [button.click, self.box.submit],
            self._loading(),
            self.box,
            [status, self.label, loaded],
            api_name=self._api_name,
            show_progress_on=[status],
        )
        # The name of a model that could not be loaded does not stay above what is said of the one before.
        asked.failure(lambda name: name, loaded, self.box, api_name=False)

    def _look(self, name: str, wait: bool = False) -> tuple[str, dict]:
        checkpoint = checkpoints.get(name, wait)
        self._task(checkpoint)
        labels = checkpoint.labels
        automatic = [(self._automatic, "")] if self._automatic else []
        choices = [*automatic, *((label, label) for label in labels)]
        start = {"choices": choices, "value": choices[0][1] if choices else None, "visible": bool(labels)}
        known = _TRAINED_ON.get(checkpoint.name.rsplit("/", 1)[-1], "")
        return note(f"Loaded: {checkpoint.summary}. {known}"), start

    def _loading(self) -> Callable[[str], tuple[str, dict, str]]:
        @answered
        def load(name: str) -> tuple[str, dict, str]:
            status, label = self._look(name)
            return status, gr.update(**label), name

        return load
