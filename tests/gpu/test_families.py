"""Every family on an accelerator: trained, evaluated, saved, resumed and used, in both precisions."""

from __future__ import annotations

import pytest
import torch
from device_runs import FAMILIES, train_and_resume, use_model

STEPS = 8


def check(folder, family: str, device: str, bf16: bool) -> None:
    found = train_and_resume(family, folder, device, bf16, STEPS, small=True)
    # Adam moves a weight by at most about its rate (at most 4e-3 here) in each of the updates after the checkpoint,
    # and a sum in another order can at worst turn each of them round. On a CPU one order is kept.
    assert found["resume_difference"] <= (0 if device == "cpu" else 2 * 4e-3 * STEPS)
    assert use_model(family, folder / "straight", device)["same_as_cpu"] >= (1 if device == "cpu" else 0.5)


def test_what_is_checked_holds_on_a_cpu(tmp_path):
    check(tmp_path, "rnn_lm", "cpu", True)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
@pytest.mark.parametrize("bf16", [False, True], ids=["float32", "bfloat16"])
@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_trains_resumes_and_writes_on_the_device(tmp_path, family, bf16):
    check(tmp_path, family, "cuda", bf16)
