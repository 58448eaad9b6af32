"""Image models, their processor and their pipelines where hf_arae cannot be imported."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest
from family_tests import family_tests, narrow_model
from image_mixins import ImageFamilyTests
from PIL import Image
from transformers import pipeline
from warm_python import run_python

from hf_arae.hub.cards import write_run_card
from hf_arae.hub.export import write_code
from hf_arae.hub.staging import stage
from hf_arae.models.auto import FAMILIES
from hf_arae.models.images.image_processing import AraeImageProcessor

ELSEWHERE = """
import json, sys
from pathlib import Path

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "hf_arae":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Blocker())
import numpy as np
from transformers import AutoImageProcessor, AutoModel, pipeline

trusted, found = {"trust_remote_code": True}, {}
picture = np.arange(243, dtype=np.uint8).reshape(9, 9, 3)
for folder in sys.argv[1:]:
    name = Path(folder).name
    for place in (folder, f"{name}-again"):
        seen = found.setdefault(name, [])
        processor = AutoImageProcessor.from_pretrained(place, **trusted)
        seen.append(processor(picture, return_tensors="pt")["pixel_values"].tolist())
        model = AutoModel.from_pretrained(place, **trusted)
        if model.draws_images:
            draw = pipeline(f"{name}-unconditional-image-generation", model=place, **trusted)
            seen.append([np.asarray(image).tolist() for image in draw(num_images=2, seed=0)])
        if model.rebuilds_images:
            detect = pipeline(f"{name}-image-anomaly-detection", model=place, **trusted)
            seen.append(detect.scores([picture]))
            seen.append(detect(picture)["anomalous"])
        if place != folder:
            break
        model.save_pretrained(f"{name}-again")
        processor.save_pretrained(f"{name}-again")
print("FOUND", json.dumps(found))
"""


def test_image_families_do_the_same_by_their_code_and_saved_again(tmp_path):
    picture, expected, folders, kinds = np.arange(243, dtype=np.uint8).reshape(9, 9, 3), {}, [], set()
    for name in FAMILIES:
        if not isinstance(family_tests(name), ImageFamilyTests):
            continue
        model, folder = narrow_model(name, 0), tmp_path / "models" / name
        kind = (model.draws_images, model.rebuilds_images, hasattr(model, "energy"))
        if kind in kinds:  # one of each kind is enough here: that all load elsewhere is tested with staging
            continue
        kinds.add(kind)
        model.config.anomaly_threshold = 1e6
        processor = AraeImageProcessor.for_config(model.config, binarize="stochastic")
        seen = [processor(picture, return_tensors="pt")["pixel_values"].tolist()]
        for part in (model, processor):
            part.save_pretrained(folder)
        if model.draws_images:
            draw = pipeline("unconditional-image-generation", model=model, image_processor=processor)
            seen.append([np.asarray(image).tolist() for image in draw(num_images=2, seed=0)])
        if model.rebuilds_images:
            detect = pipeline("image-anomaly-detection", model=model, image_processor=processor)
            seen += [detect.scores([picture]), False]
        write_code(folder)
        folders.append(str(folder))
        expected[name] = seen * 2
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment |= {"HF_HOME": str(tmp_path / "home"), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    done = run_python(["-c", ELSEWHERE, *folders], cwd=tmp_path, env=environment)
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.rpartition("FOUND ")[2])
    assert found.keys() == expected.keys() and len(found) >= 2
    for name, seen in found.items():
        assert len(seen) == len(expected[name])
        for there, here in zip(seen, expected[name], strict=True):
            # Pictures are bytes, and a sum that is rounded otherwise moves one by a step.
            step = 1 if np.asarray(here).dtype.kind == "i" else 1e-4
            assert np.asarray(there, float) == pytest.approx(np.asarray(here, float), rel=1e-4, abs=step), name


def test_pictures_go_with_their_card(tmp_path):
    name = next(name for name in FAMILIES if isinstance(family_tests(name), ImageFamilyTests))
    model, run = narrow_model(name, 0), tmp_path / "run"
    for part in (model, AraeImageProcessor.for_config(model.config)):
        part.save_pretrained(run)
    (run / "pictures").mkdir()
    Image.new("L", (9, 9)).save(run / "pictures" / "new-images.png")
    for published in (True, False):
        write_run_card(run, "alice/run", publish_samples=published)
        assert ("pictures/new-images.png" in stage(run, tmp_path / str(published))) == published
        assert (tmp_path / str(published) / "pictures" / "new-images.png").is_file() == published
    assert "image-feature-extraction" in (run / "README.md").read_text()
