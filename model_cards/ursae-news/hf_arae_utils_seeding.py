# SPDX-License-Identifier: Apache-2.0
# Exported from hf_arae/utils/seeding.py of hf_arae 0.1.0.
# Edits belong there: the next save_pretrained overwrites this file.
"""Draws that can be repeated without touching anybody else's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def seeded(seed: int | None, device: torch.device) -> Iterator[None]:
    """Draws within depend on the seed alone, and torch's generators are as before afterwards.

    Args:
        seed: `None`: draws are torch's own, as without this.
        device: where there is drawn, beside the CPU.
    """
    others = [] if device.type == "cpu" else [device]
    with torch.random.fork_rng(others, enabled=seed is not None, device_type="cuda" if not others else device.type):
        if seed is not None:
            torch.manual_seed(seed)
        yield
