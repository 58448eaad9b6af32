"""Every family on an accelerator: trained, evaluated, saved, resumed and used, in both precisions."""

from __future__ import annotations

import pytest
import torch
from accelerate.state import AcceleratorState
from device_runs import FAMILIES, train_and_resume, use_model
from family_tests import family_tests
from safetensors.torch import load_file

from hf_arae.models.auto import FAMILIES as FOLDERS
from hf_arae.models.auto import family
from hf_arae.models.images.image_model import ImageModel

STEPS = 8
IMAGES = [name for name in FOLDERS if issubclass(family(name).model, ImageModel)]


@pytest.fixture(autouse=True)
def any_device():
    """accelerate keeps the device of the first training in a process for all that follow."""
    AcceleratorState._reset_state(reset_partial_state=True)
    yield
    AcceleratorState._reset_state(reset_partial_state=True)


def check(folder, family: str, device: str, bf16: bool) -> None:
    found = train_and_resume(family, folder, device, bf16, STEPS, small=True)
    # Adam moves a weight by at most about its rate (at most 4e-3 here) in each of the updates after the checkpoint,
    # and a sum in another order can at worst turn each of them round. On a CPU one order is kept.
    assert found["resume_difference"] <= (0 if device == "cpu" else 2 * 4e-3 * STEPS)
    assert use_model(family, folder / "straight", device)["same_as_cpu"] >= (1 if device == "cpu" else 0.5)


def check_images(folder, name: str, device: str, bf16: bool) -> None:
    """A tiny image family trains, goes on, and draws and reads on the device what it does on the CPU."""
    settings = {"use_cpu": device == "cpu", "bf16": bf16, "max_steps": STEPS, "save_steps": STEPS // 2}
    trainer = family_tests(name).trainer(folder / "straight", **settings)
    assert trainer.accelerator.device.type == device
    trainer.train()
    checkpoint = folder / "straight" / f"checkpoint-{STEPS // 2}"
    family_tests(name).trainer(folder / "resumed", resume_from_checkpoint=str(checkpoint), **settings).train()
    one, other = (load_file(folder / run / "model.safetensors") for run in ("straight", "resumed"))
    for key, value in one.items():
        bound = 0 if device == "cpu" else 2 * 4e-3 * STEPS
        torch.testing.assert_close(value, other[key], rtol=0, atol=bound, msg=key)
    model = trainer.model.eval()
    drawn = model.sample(3, seed=0) if model.draws_images else None
    read = {key: value.to(device) for key, value in model.example_inputs.items()}
    codes = model(**read)[0]
    model = model.to("cpu").float()
    if drawn is not None:  # sums in another order, and matrix products in tf32
        torch.testing.assert_close(drawn.cpu().float(), model.sample(3, seed=0), rtol=0, atol=2e-2)
    wanted = model(**{key: value.to("cpu") for key, value in read.items()})[0]
    torch.testing.assert_close(codes.cpu().float(), wanted, rtol=2e-2, atol=2e-2)


def test_what_is_checked_holds_on_a_cpu(tmp_path):
    check(tmp_path, "rnn_lm", "cpu", True)


@pytest.mark.parametrize("name", IMAGES)
def test_what_is_checked_of_images_holds_on_a_cpu(tmp_path, name):
    check_images(tmp_path, name, "cpu", False)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
@pytest.mark.parametrize("bf16", [False, True], ids=["float32", "bfloat16"])
@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_trains_resumes_and_writes_on_the_device(tmp_path, family, bf16):
    check(tmp_path, family, "cuda", bf16)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
@pytest.mark.parametrize("bf16", [False, True], ids=["float32", "bfloat16"])
@pytest.mark.parametrize("name", IMAGES)
def test_a_family_of_images_trains_resumes_and_draws_on_the_device(tmp_path, name, bf16):
    check_images(tmp_path, name, "cuda", bf16)
