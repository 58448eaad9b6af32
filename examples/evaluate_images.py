"""Measures and draws models of images: any number of checkpoints, beside real images, in one run.

    python examples/evaluate_images.py --models runs/ebgan-pt-glyphs
    python examples/evaluate_images.py --models runs/ebgan-mnist runs/gan-mnist --dataset_name PATH_OR_ID
    python examples/evaluate_images.py --models runs/swwae-mnist runs/convnet-mnist --probe_features \\
        --dataset_name PATH_OR_ID
    python examples/evaluate_images.py --models runs/arae-mnist runs/ae-mnist --dataset_name PATH_OR_ID --fit_codes \\
        --anomaly_dataset_name PATH_OR_ID

Steps: 1 arguments, 2 data, 3 a judge from the training split, 4 rows of checkpoints, 5 the tables. All models have one
size and number of channels. New images of a model that does not know where their codes lie are drawn from a Gaussian
that is fitted to codes of training images. Numbers in features of the judge compare within a table only.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import torch
from transformers import AutoConfig, AutoImageProcessor, AutoModel, AutoModelForImageClassification, PreTrainedModel

import hf_arae  # noqa: F401 (registers the Auto classes)
from hf_arae.data.images.loading import ImageDataArguments, load_images
from hf_arae.evaluation.image_anomaly import KINDS, ImageAnomalyEvaluator
from hf_arae.evaluation.image_classification import ImageClassificationEvaluator
from hf_arae.evaluation.image_generation import ImageGenerationEvaluator
from hf_arae.evaluation.image_judge import ImageJudge, judge_for
from hf_arae.evaluation.image_probes import ImageProbeEvaluator
from hf_arae.evaluation.image_reconstruction import ImageReconstructionEvaluator
from hf_arae.metrics.numbers import legend
from hf_arae.metrics.reconstruction_quality import LEAST_SIDE
from hf_arae.models.images.image_model import ImageModel
from hf_arae.storage.downloads import require_checkpoints
from hf_arae.storage.files import write_json, write_text
from hf_arae.utils.command_line import read_command_line, run_script
from hf_arae.utils.tables import markdown_table


@dataclass
class ScriptArguments:
    """What belongs to this script alone."""

    models: list[str] = field(metadata={"help": "These checkpoint folders or Hub ids are measured, a row each."})
    output_dir: str = field(
        default="runs/evaluated-images",
        metadata={"help": "table.md, table.json, anomalies.md and a folder of pictures a model go into this folder."},
    )
    judge_dir: str = field(
        default="runs/judges", metadata={"help": "The judge of each set of images is kept in this folder."}
    )
    num_samples: int = field(default=10_000, metadata={"help": "So many new images of each model are measured."})
    fit_codes: bool = field(
        default=False,
        metadata={
            "help": "Models that draw codes get a second row, of images from a Gaussian fitted to codes of images."
        },
    )
    anomaly_dataset_name: str | None = field(
        default=None,
        metadata={
            "help": "Images of this dataset, a Hub id or a local folder, are anomalies too, at the models' size."
        },
    )
    left_out_class: str | None = field(
        default=None,
        metadata={"help": "The training did not see images of this class: they are anomalies, and not normal ones."},
    )
    probe_features: bool = field(
        default=False,
        metadata={
            "help": "Labels are read from the models' features as they are, by a linear probe and by neighbours."
        },
    )
    num_anomalies: int = field(default=2000, metadata={"help": "So many anomalies of each kind are scored, at most."})
    seed: int = field(default=0, metadata={"help": "This number decides on new images and on anomalies."})


def load(name: str) -> tuple[PreTrainedModel, object]:
    """A checkpoint's model, of labels if it has them, and its image processor."""
    config = AutoConfig.from_pretrained(name)
    labels = any("ForImageClassification" in one for one in config.architectures or ())
    model = (AutoModelForImageClassification if labels else AutoModel).from_pretrained(name)
    if not isinstance(model, ImageModel):
        raise ValueError(f"{name} is a {type(model).__name__}, no model of images of this package")
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return model.eval().to(device), AutoImageProcessor.from_pretrained(name)


def main() -> None:
    # 1. Arguments
    groups = {"What is measured": ScriptArguments, "Data": ImageDataArguments}
    script, data_arguments = read_command_line(__file__, __doc__, groups).parts
    output_dir = Path(script.output_dir)
    output_dir.mkdir(parents=True, exist_ok=True)
    require_checkpoints(*script.models)
    checkpoints = {name: load(name) for name in script.models}
    shapes = {(model.config.image_size, model.config.num_channels) for model, _ in checkpoints.values()}
    if len(shapes) > 1:
        raise ValueError(f"models of one size and number of channels are compared, not of {sorted(shapes)}")
    folders = [Path(name).name for name in checkpoints]
    if len(set(folders)) < len(folders):
        raise ValueError(f"the models' pictures go into folders of their names, and two have one: {folders}")

    # 2. Data
    data = load_images(data_arguments, *shapes.pop())
    measured = "test" if "test" in data else "validation"
    test = data[measured]
    others = None
    if script.anomaly_dataset_name:
        few = dict.fromkeys(("max_train_samples", "max_eval_samples"), script.num_anomalies)
        elsewhere = ImageDataArguments(dataset_name=script.anomaly_dataset_name, label_column="none", **few)
        loaded = load_images(elsewhere, test.pixels.shape[1], test.num_channels)
        others = loaded["test" if "test" in loaded else "validation"]
    scorers = {
        name: ImageAnomalyEvaluator(processor, test, others, script.left_out_class, script.num_anomalies, script.seed)
        for name, (model, processor) in checkpoints.items()
        if hasattr(model, "energy") or model.rebuilds_images
    }
    probes = {
        name: ImageProbeEvaluator(processor, data["train"], test)
        for name, (model, processor) in checkpoints.items()
        if script.probe_features and model.rebuilds_images
    }

    # 3. Judges: one of all models that read images alike (grey, or binary in one way)
    judges: dict[str | None, ImageJudge | None] = {}
    for model, processor in checkpoints.values():
        if processor.binarize not in judges:
            judges[processor.binarize] = judge_for(data, processor, script.judge_dir, model.device)

    # 4. Rows of checkpoints
    rows, real, anomalies = [], {}, []
    for name, (model, processor) in checkpoints.items():
        judge, folder = judges[processor.binarize], output_dir / Path(name).name
        both = [False, True] if script.fit_codes and model.draws_images and model.decodes_codes else [False]
        for fitted in both:
            evaluator = ImageGenerationEvaluator(
                processor,
                judge,
                test,
                data["train"],
                script.num_samples,
                folder / "fitted-codes" if fitted else folder,
                seed=script.seed,
                fit_codes=fitted,
            )
            evaluation = evaluator(model)
            from_fit = fitted or (model.decodes_codes and not model.draws_images)
            row = {"system": f"{name} (Gaussian of its codes)" if from_fit else name}
            for key, value in evaluation.metrics.items():
                if key.startswith("real_"):
                    real.setdefault(processor.binarize, {})[key.removeprefix("real_")] = value
                elif key != "judge_accuracy":
                    row[key] = value
            rows.append(row)
            print("\n".join(str(path) for path in evaluation.samples))
        first = rows[-len(both)]
        if type(model).__name__.endswith("ForImageClassification"):
            first |= ImageClassificationEvaluator(processor, test)(model).metrics
        if model.rebuilds_images and model.config.image_size >= LEAST_SIDE:
            first |= ImageReconstructionEvaluator(processor, test)(model).metrics
        if name in probes:
            first |= probes[name](model).metrics
        if name in scorers:
            for kind, numbers in scorers[name].table(model).items():
                first[f"auroc_{kind}"] = numbers["auroc"]
                anomalies.append({"system": name, "anomalies": KINDS[kind], **numbers})

    # 5. The tables
    for binarize, numbers in reversed(real.items()):
        kind = "" if len(real) == 1 else f" (binarize {binarize or 'none'})"
        rows.insert(0, {"system": f"real images{kind}", **numbers})
    table = f"{markdown_table(rows, 2)}\n\n{legend(rows)}"
    print(f"\n{len(test)} images of the {measured} split, {script.num_samples} new ones of each model.")
    for binarize, judge in judges.items():
        if judge is not None:
            name = "The judge" if len(judges) == 1 else f"The judge of images (binarize {binarize or 'none'})"
            print(f"{name} is right about {judge.accuracy:.1f} % of held-out images.")
    print(f"\n{table}")
    write_text(output_dir / "table.md", table + "\n")
    write_json(output_dir / "table.json", rows)
    if anomalies:
        second = f"{markdown_table(anomalies)}\n\n{legend(anomalies)}"
        print(f"\nEnergy, or error of reconstruction, as a score of anomalies:\n\n{second}")
        write_text(output_dir / "anomalies.md", second + "\n")
        write_json(output_dir / "anomalies.json", anomalies)


if __name__ == "__main__":
    run_script(main)
