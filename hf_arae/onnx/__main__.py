"""Exports a text autoencoder or a classifier of images to ONNX, and compares the export with the model.

    python -m hf_arae.onnx --model model_cards/arae-yelp --output_dir runs/arae-yelp-onnx [--int8]
    python -m hf_arae.onnx --model runs/swwae-glyphs --output_dir runs/swwae-glyphs-onnx

Prints the files with their sizes; the largest difference of codes and logits to torch's; and the share of built-in
sentences that both write the same, greedily, or of built-in images to which both give the same label.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from pathlib import Path
from typing import Any

from transformers import AutoConfig, AutoImageProcessor, AutoModel, AutoModelForImageClassification, AutoTokenizer

import hf_arae  # noqa: F401 (registers the models)
from hf_arae.data.corpora.reviews import build_reviews
from hf_arae.data.corpora.scenes import build_scenes
from hf_arae.models.recurrent.autoencoder_config import TextAutoencoderConfig
from hf_arae.onnx.check import check_export
from hf_arae.onnx.export import export_onnx
from hf_arae.onnx.tracing import OPSET


def main() -> None:
    parser = ArgumentParser("python -m hf_arae.onnx", description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, help="checkpoint folder or Hub id")
    parser.add_argument("--revision", help="branch, tag or commit of a repository")
    parser.add_argument(
        "--output_dir", required=True, help="folder for the graphs, config, and tokenizer or image processor"
    )
    parser.add_argument("--int8", action="store_true", help="8-bit weights: smaller, faster, not quite the same words")
    parser.add_argument("--opset", type=int, default=OPSET, help=f"version of ONNX's operators (default: {OPSET})")
    parser.add_argument("--sentences", type=int, default=200, help="sentences to compare (default: 200)")
    parser.add_argument("--images", type=int, default=200, help="images to compare (default: 200)")
    arguments = parser.parse_args()

    source = {"pretrained_model_name_or_path": arguments.model, "revision": arguments.revision}
    config = AutoConfig.from_pretrained(**source)
    if isinstance(config, TextAutoencoderConfig):
        lines = export_text(source, arguments)
    elif any(name.endswith("ForImageClassification") for name in config.architectures or ()):
        lines = export_images(source, arguments)
    else:
        raise SystemExit(
            f"{arguments.model} has no ONNX form: it is a {config.model_type}, and neither a text autoencoder nor a "
            "classifier of images"
        )
    for file in sorted(Path(arguments.output_dir).iterdir()):
        print(f"{file.stat().st_size / 1e6:8.2f} MB  {file}")
    print("\n".join(lines))


def export_text(source: dict[str, Any], arguments: Namespace) -> list[str]:
    """Exports a text autoencoder, and says how near it comes."""
    model, tokenizer = AutoModel.from_pretrained(**source), AutoTokenizer.from_pretrained(**source)
    export_onnx(model, arguments.output_dir, tokenizer, arguments.int8, arguments.opset)
    labelled = model.config.num_attributes > 1
    sentences = build_reviews()["test"]["text"] if labelled else build_scenes()["test"]["premise"]
    found = check_export(model, tokenizer, arguments.output_dir, sentences[: arguments.sentences])
    verb = "rewritten" if labelled else "reconstructed"
    return [
        f"largest difference to torch: codes {found.code_difference:.1e}, logits {found.logit_difference:.1e}",
        f"{verb} to the same words: {found.equal_texts:.1%} of {found.sentences} built-in sentences",
    ]


def export_images(source: dict[str, Any], arguments: Namespace) -> list[str]:
    """Exports a classifier of images, and says how near it comes."""
    if arguments.int8:
        raise SystemExit("--int8 is for text autoencoders: onnxruntime has no 8-bit convolutions of this kind on CPUs")
    # These need pillow, which texts do not
    from hf_arae.data.corpora.glyphs import build_glyphs
    from hf_arae.onnx.image_export import check_image_export, export_image_classifier

    model = AutoModelForImageClassification.from_pretrained(**source)
    processor = AutoImageProcessor.from_pretrained(**source)
    export_image_classifier(model, arguments.output_dir, processor, arguments.opset)
    images = build_glyphs(num_channels=model.config.num_channels, sizes={"test": arguments.images})["test"].pixels
    found = check_image_export(model, processor, arguments.output_dir, list(images))
    return [
        f"largest difference to torch: logits {found.logit_difference:.1e}",
        f"put into the same class: {found.equal_labels:.1%} of {found.images} built-in images",
    ]


if __name__ == "__main__":
    main()
