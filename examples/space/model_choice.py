"""How a tab's model is chosen: a box for its name, a button that loads it, and the labels that it has."""

from __future__ import annotations

from collections.abc import Callable

import gradio as gr
from answers import answered
from checkpoints import Checkpoint, checkpoints
from markup import note


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
            self._status, start = self._look(default)
        except (ValueError, TypeError) as error:
            print(f"{default}: {error}")
            self._status, start = note(f"{error}."), {"choices": [], "value": None, "visible": False}
        # Any value is let through, as models differ in their labels; the library says which ones it accepts.
        self.label = gr.Dropdown(label="Write as", allow_custom_value=True, min_width=160, render=False, **start)
        self.box = gr.Textbox(
            default,
            label="Model",
            show_label=False,
            container=False,
            placeholder="Hub id or folder",
            max_lines=1,
            scale=5,
            render=False,
        )

    def draw(self) -> None:
        """Draws the row, with the labels unless the tab has placed them elsewhere."""
        gr.Markdown("#### Model\nA Hub id or a folder")
        with gr.Row():
            self.box.render()
            if not self.label.is_rendered:
                self.label.render()
            button = gr.Button("Load", scale=1, min_width=90)
        status = gr.HTML(self._status)
        gr.on(
            [button.click, self.box.submit],
            self._loading(),
            self.box,
            [status, self.label],
            api_name=self._api_name,
            show_progress_on=[status],
        )

    def _look(self, name: str) -> tuple[str, dict]:
        checkpoint = checkpoints.get(name)
        self._task(checkpoint)
        labels = checkpoint.labels
        automatic = [(self._automatic, "")] if self._automatic else []
        choices = [*automatic, *((label, label) for label in labels)]
        start = {"choices": choices, "value": choices[0][1] if choices else None, "visible": bool(labels)}
        return note(f"Loaded: {checkpoint.summary}."), start

    def _loading(self) -> Callable[[str], tuple[str, dict]]:
        @answered
        def load(name: str) -> tuple[str, dict]:
            status, label = self._look(name)
            return status, gr.update(**label)

        return load
