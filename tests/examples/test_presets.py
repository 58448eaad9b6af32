"""The presets: each is of a script, says what it is, and can be read and built."""

from __future__ import annotations

import json
import runpy
from dataclasses import is_dataclass
from pathlib import Path

import pytest
import torch
import yaml

from hf_arae import EbganConfig, EbganModel, EbganObjective
from hf_arae.models.auto import family
from hf_arae.utils import command_line
from hf_arae.utils.presets import presets_for, read_preset, script_of

EXAMPLES = Path(__file__).parents[2] / "examples"
PRESETS = sorted((EXAMPLES / "presets").glob("*.yaml"))


class Read(Exception):
    """Carries what a script's command line was read into."""


@pytest.fixture
def read(monkeypatch):
    """What a script reads its command line into; it goes no further."""
    original = command_line.read_command_line

    def stop(*arguments, **options):
        raise Read(original(*arguments, **options))

    def read(script: Path, *arguments: str) -> command_line.CommandLine:
        monkeypatch.setattr(command_line, "read_command_line", stop)
        monkeypatch.setattr("sys.argv", [str(script), *arguments])
        with pytest.raises(Read) as found:
            runpy.run_path(str(script), run_name="__main__")
        return found.value.args[0]

    return read


@pytest.mark.parametrize("preset", PRESETS, ids=lambda path: path.stem)
def test_a_preset_says_what_it_is_and_is_read_by_its_script(read, preset):
    assert preset.read_text(encoding="utf-8").startswith("# ")
    script = EXAMPLES / f"{script_of(preset.stem, preset.parent)}.py"
    assert preset.stem in presets_for(script)
    command = read(script, "--preset", preset.stem)
    assert command.preset == preset.stem and all(map(is_dataclass, command.parts))
    given = {name: value for part in command.parts for name, value in vars(part).items()}
    values = read_preset(preset.stem, script)
    for name, text in values.items():
        if name not in ("method", "metric_for_best_model", "report_to"):
            wanted, texts = (given[name], text) if isinstance(text, list) else ([given[name]], [text])
            values = [type(one)(yaml.safe_load(text)) for one, text in zip(wanted, texts, strict=True)]
            assert json.dumps(wanted) == json.dumps(values), name
    if "family" in values:
        config = family(values["family"]).config
        (sizes,) = [part for part in command.parts if type(part).__name__ == f"{config.__name__}Arguments"]
        config(**vars(sizes), **{name: given[name] for name in ("image_size", "num_channels") if name in given})


@pytest.mark.parametrize("preset", presets_for(EXAMPLES / "train_image_gan.py"))
def test_the_networks_of_an_image_preset_fit_together(read, preset):
    _, images, sizes, settings, _ = read(EXAMPLES / "train_image_gan.py", "--preset", preset).parts
    shape = {"image_size": images.image_size, "num_channels": images.num_channels}
    with torch.device("meta"):
        model = EbganModel(EbganConfig(**vars(sizes), **shape, discriminator=settings.discriminator))
        EbganObjective(model, settings)
        made = model.images_from_z(torch.zeros(2, model.config.latent_size))
        assert made.shape == (2, images.num_channels, images.image_size, images.image_size)
        assert model.rate(made)[1].shape == (2,)


def test_a_published_preset_is_the_defaults_of_the_family_but_for_what_it_says(read):
    script = EXAMPLES / "train_style_transfer.py"
    published = read(script, "--preset", "arae-yelp-published").parts
    (sizes,) = [part for part in published if "embedding_size" in vars(part)]
    assert (sizes.code_size, sizes.latent_size, sizes.share_embeddings) == (128, 32, False)
    (objective,) = [part for part in published if "critic_scale" in vars(part)]
    assert (objective.critic_scale, objective.gradient_penalty, objective.autoencoder_optimizer) == (0.01, 0.1, "sgd")
