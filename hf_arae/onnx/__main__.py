"""Exports a text autoencoder to ONNX, and compares the export with the model.

    python -m hf_arae.onnx --model model_cards/arae-yelp --output_dir runs/arae-yelp-onnx [--int8]

Prints the files with their sizes; the largest difference of codes and logits to torch's; and the share of built-in
sentences that both write the same, greedily.
"""

from __future__ import annotations

from argparse import ArgumentParser, RawDescriptionHelpFormatter
from pathlib import Path

from transformers import AutoConfig, AutoModel, AutoTokenizer

import hf_arae  # noqa: F401 (registers the models)
from hf_arae.data.corpora.reviews import build_reviews
from hf_arae.data.corpora.scenes import build_scenes
from hf_arae.models.recurrent.autoencoder_config import TextAutoencoderConfig
from hf_arae.onnx.check import check_export
from hf_arae.onnx.export import OPSET, export_onnx


def main() -> None:
    parser = ArgumentParser("python -m hf_arae.onnx", description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, help="checkpoint folder or Hub id of a text autoencoder")
    parser.add_argument("--revision", help="branch, tag or commit of a repository")
    parser.add_argument("--output_dir", required=True, help="folder for the graphs, config and tokenizer")
    parser.add_argument("--int8", action="store_true", help="8-bit weights: smaller, faster, not quite the same words")
    parser.add_argument("--opset", type=int, default=OPSET, help=f"version of ONNX's operators (default: {OPSET})")
    parser.add_argument("--sentences", type=int, default=200, help="sentences to compare (default: 200)")
    arguments = parser.parse_args()

    source = {"pretrained_model_name_or_path": arguments.model, "revision": arguments.revision}
    config = AutoConfig.from_pretrained(**source)
    if not isinstance(config, TextAutoencoderConfig):
        raise SystemExit(f"{arguments.model} has no ONNX form: it is a {config.model_type}, and no text autoencoder")
    model, tokenizer = AutoModel.from_pretrained(**source), AutoTokenizer.from_pretrained(**source)
    export_onnx(model, arguments.output_dir, tokenizer, arguments.int8, arguments.opset)
    for file in sorted(Path(arguments.output_dir).iterdir()):
        print(f"{file.stat().st_size / 1e6:8.2f} MB  {file}")
    labelled = model.config.num_attributes > 1
    sentences = build_reviews()["test"]["text"] if labelled else build_scenes()["test"]["premise"]
    found = check_export(model, tokenizer, arguments.output_dir, sentences[: arguments.sentences])
    print(f"largest difference to torch: codes {found.code_difference:.1e}, logits {found.logit_difference:.1e}")
    verb = "rewritten" if labelled else "reconstructed"
    print(f"{verb} to the same words: {found.equal_texts:.1%} of {found.sentences} built-in sentences")


if __name__ == "__main__":
    main()
