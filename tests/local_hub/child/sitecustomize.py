"""What Python reads at the start of every child process of `LocalHub.run`: its folder is in PYTHONPATH."""

import os
import sys
import time

SHORT_WAIT = 0.02  # seconds, instead of the 1 to 8 between two tries of a request
_sleep = time.sleep


def sleep(seconds: float) -> None:
    """time.sleep, but for the Hub's clients a short one."""
    caller = sys._getframe(1).f_globals.get("__name__", "").partition(".")[0]
    clients = ("huggingface_hub", "transformers", "datasets", "evaluate")
    _sleep(min(seconds, SHORT_WAIT) if caller in clients else seconds)


class Blocker:
    """Stands before all finders of modules and hides some packages, as if they were not installed."""

    def __init__(self, names: list[str], finders: list):
        self.names, self.finders = names, finders

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in self.names:
            return None
        specs = (finder.find_spec(name, path, target) for finder in self.finders)
        return next((spec for spec in specs if spec is not None), None)

    def find_distributions(self, context):
        if context.name in self.names:
            return
        for finder in self.finders:
            yield from getattr(finder, "find_distributions", lambda _: ())(context)

    def invalidate_caches(self):
        for finder in self.finders:
            getattr(finder, "invalidate_caches", lambda: None)()


if "LOCAL_HUB_BLOCKED" in os.environ:
    time.sleep = sleep
    if blocked := os.environ["LOCAL_HUB_BLOCKED"].split():
        sys.meta_path[:] = [Blocker(blocked, list(sys.meta_path))]
