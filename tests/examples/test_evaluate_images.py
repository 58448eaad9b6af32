"""The tables and pictures of models of images."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
import torch
from warm_python import run_python

from hf_arae.models.ae_image.configuration_ae_image import AeImageConfig
from hf_arae.models.ae_image.modeling_ae_image import AeImageModel
from hf_arae.models.arae_image.configuration_arae_image import AraeImageConfig
from hf_arae.models.arae_image.modeling_arae_image import AraeImageModel
from hf_arae.models.ebgan.configuration_ebgan import EbganConfig
from hf_arae.models.ebgan.modeling_ebgan import EbganForImageClassification, EbganModel
from hf_arae.models.images.image_processing import AraeImageProcessor
from hf_arae.models.swwae.configuration_swwae import SwwaeConfig
from hf_arae.models.swwae.modeling_swwae import SwwaeForImageClassification

ROOT = Path(__file__).parents[2]
SMALL = ["--max_train_samples", "300", "--max_eval_samples", "60", "--num_samples", "40", "--num_anomalies", "30"]
LABELS = ["ring", "plus", "saltire", "triangle", "square", "tee", "ell", "zed", "wye", "cup", "ladder", "arrow"]


def evaluate(folder: Path, *flags: str) -> subprocess.CompletedProcess:
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    places = ["--output_dir", folder / "out", "--judge_dir", folder / "judges"]
    return run_python([ROOT / "examples" / "evaluate_images.py", *places, *SMALL, *flags], env=environment)


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> dict[str, str]:
    """Untrained checkpoints with their processors."""
    torch.manual_seed(0)
    sizes = {"image_size": 16, "latent_size": 4}
    layers = {"generator_layers": "8", "discriminator_layers": "6"}
    ladder = EbganConfig(backbone="ladder", id2label=dict(enumerate(LABELS)), **sizes, **layers)
    codes = {"image_size": 16, "code_size": 5, "encoder_sizes": [8], "decoder_sizes": [8]}
    what_where = SwwaeConfig(image_size=16, layers="(4)3c-2p-(5)3c-4p-fc", id2label=ladder.id2label)
    made = {
        "ebgan": (EbganModel(EbganConfig(**sizes, **layers)), None),
        "gan": (EbganModel(EbganConfig(discriminator="critic", **sizes, **layers)), None),
        "ladder": (EbganForImageClassification(ladder), None),
        "ae": (AeImageModel(AeImageConfig(**codes)), "threshold"),
        "arae": (AraeImageModel(AraeImageConfig(**codes, latent_size=4)), "threshold"),
        "swwae": (SwwaeForImageClassification(what_where), None),
        "large": (EbganModel(EbganConfig(image_size=20, latent_size=4, **layers)), None),
    }
    place, found = tmp_path_factory.mktemp("models"), {}
    for name, (model, binarize) in made.items():
        model.eval().save_pretrained(place / name)
        AraeImageProcessor.for_config(model.config, binarize=binarize).save_pretrained(place / name)
        found[name] = str(place / name)
    return found


def test_models_of_every_kind_have_a_row(models, tmp_path):
    names = [models[name] for name in ("ebgan", "gan", "ladder", "swwae", "ae", "arae")]
    done = evaluate(tmp_path, "--models", *names, "--fit_codes", "--probe_features")
    assert done.returncode == 0, done.stderr
    rows = {row["system"]: row for row in json.loads((tmp_path / "out" / "table.json").read_text())}
    fitted = " (Gaussian of its codes)"
    assert list(rows) == [
        "real images (binarize none)",
        "real images (binarize threshold)",
        models["ebgan"],
        models["ebgan"] + fitted,
        models["gan"],
        models["ladder"],
        models["swwae"],
        models["ae"] + fitted,
        models["arae"],
        models["arae"] + fitted,
    ]
    swwae, draws = rows[models["swwae"]], [row for name, row in rows.items() if name != models["swwae"]]
    assert all({"frechet_distance", "i_prime", "recall"} <= row.keys() for row in draws)
    assert {"classification_error", "psnr", "other_ssim", "auroc_noise", "neighbours_error"} <= swwae.keys()
    assert "linear_probe_error" in rows[models["arae"]] and "psnr" not in rows[models["gan"]]
    assert "reconstruction_error" in rows[models["ebgan"]] and "reconstruction_error" not in rows[models["gan"]]
    assert {"classification_error", "calibration_error"} <= rows[models["ladder"]].keys()
    assert {"image_nll", "exact_pixels", "auroc_noise"} <= rows[models["arae"]].keys()
    assert {"auroc_samples", "auroc_upside_down"} <= rows[models["gan"]].keys()
    table = (tmp_path / "out" / "table.md").read_text()
    assert "- `frechet_distance`: " in table and table.strip() in done.stdout
    assert "false alarms" in (tmp_path / "out" / "anomalies.md").read_text().lower()
    pictures = {path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.png")}
    assert "ebgan/pictures/new-images.png" in pictures
    assert "arae/fitted-codes/pictures/new-images.png" in pictures
    assert "swwae/pictures/what-of-rows-and-where-of-columns.png" in pictures
    assert "ladder/pictures/lines-between-codes.png" not in pictures


def test_models_that_cannot_be_compared_are_refused(models, tmp_path):
    for flags, told in (
        (["--models", models["ebgan"], models["large"]], "size"),
        (["--models", models["ebgan"], models["ebgan"] + "/../ebgan"], "ebgan"),
        (["--models", models["ebgan"], "--left_out_class", "circle"], "circle"),
    ):
        done = evaluate(tmp_path, *flags)
        assert done.returncode == 2 and told in done.stderr, done.stderr
