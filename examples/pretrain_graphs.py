"""Learns graphs over words from texts without labels (GLoMo): how much each word draws from which other.

    python examples/pretrain_graphs.py                                         # the built-in language of agreement
    python examples/pretrain_graphs.py --preset glomo-imdb --dataset_name stanfordnlp/imdb --train_split unsupervised
    python examples/pretrain_graphs.py --graph uniform --output_dir runs/glomo-uniform    # a control

The steps: 1 arguments, 2 data, 3 tokenizer, 4 model, 5 evaluator, 6 training, 7 held-out texts, pictures of graphs and
their strongest edges. The result, `--output_dir`, loads with `AutoModel.from_pretrained`, without the decoders that
only the training needs; with them, `AutoModelForPreTraining`.

Texts are whole documents: they are cut into windows of `--window_length` words, and a document's last one is kept as
short as it is. Text larger than memory: `--streaming --max_steps 100000 --dataset_name OWNER/NAME`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase, set_seed

from hf_arae import GlomoConfig, GlomoForPreTraining, GlomoObjective
from hf_arae.data.corpora.agreement import BONDS, build_agreement
from hf_arae.data.loading import DataArguments, load_labelled_text
from hf_arae.data.splits import measured_split, shorten
from hf_arae.data.streaming import StreamingArguments, load_text_stream
from hf_arae.data.text.tokenization import train_tokenizer
from hf_arae.data.text.windows import StreamedWindows, window_arrays
from hf_arae.evaluation.graph_pictures import draw_graph
from hf_arae.evaluation.latent_graphs import GraphEvaluator
from hf_arae.models.glomo.graph_task_config import TASK_FIELDS
from hf_arae.models.glomo.objective_glomo import GlomoObjectiveArguments
from hf_arae.training import PhaseTrainer, TrainingArguments
from hf_arae.training.run_folder import check_start
from hf_arae.utils.command_line import read_command_line, run_script

PICTURE_WORDS = 40  # of a text whose graphs are drawn


@dataclass
class ScriptArguments:
    """What belongs to this script alone."""

    vocab_size: int = field(default=30_000, metadata={"help": "The vocabulary has at most so many words."})
    min_frequency: int = field(
        default=1, metadata={"help": "A word that the training data have less often than this becomes <unk>."}
    )
    window_length: int = field(
        default=200, metadata={"help": "A text is cut into windows of so many words, <bos> and <eos> among them."}
    )
    evaluated_texts: int = field(
        default=200, metadata={"help": "So many held-out texts are measured while the model is trained, >= 1."}
    )

    def __post_init__(self):
        if self.window_length < 3:
            raise ValueError(f"window_length must be at least 3, got {self.window_length}")
        if self.evaluated_texts < 1:
            raise ValueError(f"evaluated_texts must be at least 1, got {self.evaluated_texts}")


def main() -> None:
    # 1. Arguments
    groups = {
        "Data": (DataArguments, StreamingArguments),
        "Vocabulary and evaluation": ScriptArguments,
        "Model": GlomoConfig,
        "Objective": GlomoObjectiveArguments,
        "Training": TrainingArguments,
    }
    command = read_command_line(__file__, __doc__, groups, "glomo-agreement", {GlomoConfig: TASK_FIELDS})
    data_arguments, streaming, script, sizes, objective_arguments, training_arguments = command.parts
    streaming.check(training_arguments.max_steps, training_arguments.per_device_train_batch_size)
    set_seed(training_arguments.seed)
    check_start(training_arguments)

    # 2. Data: texts without labels; of the built-in language it is known what belongs to what
    stream, built_in = None, data_arguments.dataset_name is None and data_arguments.train_file is None
    if streaming.streaming:
        stream, data = load_text_stream(data_arguments, streaming.tokenizer_samples, label_required=False)
    elif built_in:
        data = shorten(build_agreement(), data_arguments.max_train_samples, data_arguments.max_eval_samples)
    else:
        data = load_labelled_text(data_arguments, label_required=False)

    # 3. Tokenizer
    texts = data["train"]["text"][:]
    tokenizer = train_tokenizer(texts, script.vocab_size, script.min_frequency, script.window_length - 2)
    if stream is not None:
        train = StreamedWindows(stream, tokenizer, streaming.shuffle_buffer)
    else:
        train = window_arrays(texts, tokenizer)

    # 4. Model
    model = GlomoForPreTraining(GlomoConfig.from_tokenizer(tokenizer, **vars(sizes)))
    objective = GlomoObjective(model, objective_arguments)
    size = f"{len(train)} windows" if stream is None else f"{len(texts)} texts held of a stream"
    print(f"{size}, {len(tokenizer)} words, {model.num_parameters() / 1e6:.2f} M parameters")

    # 5. Evaluator
    def evaluator(split: str, count: int | None = None) -> GraphEvaluator:
        rows = data[split].select(range(min(count or len(data[split]), len(data[split]))))
        bonds = {kind: rows[kind][:] for kind in BONDS} if built_in else None
        return GraphEvaluator(tokenizer, rows["text"][:], bonds, num_printed=0 if count else 3)

    test = "test" if "test" in data else "validation"
    last = evaluator(test)

    # 6. Training
    trainer = PhaseTrainer(
        model,
        objective,
        training_arguments,
        train,
        processing_class=tokenizer,
        evaluator=evaluator("validation", script.evaluated_texts),
    )
    result = trainer.train()
    print(f"trained {result.steps} updates in {result.seconds / 60:.1f} minutes")

    # 7. The test split's numbers (the validation split's, where there is no test split)
    evaluation = last(model)
    pictures: list[str] = []
    if trainer.accelerator.is_main_process:
        print(f"\n{len(data[test])} held-out texts:")
        for name, value in evaluation.metrics.items():
            print(f"  {name:18s} {value:8.3f}")
        print("\n".join(f"  {line}" for line in evaluation.samples))
        pictures = draw(model, tokenizer, data[test]["text"][0], Path(training_arguments.output_dir))
        print("\n".join(pictures))
    found = {"graph": sizes.graph} | evaluation.metrics
    trainer.finish(found, command.parts, preset=command.preset, measured_split=measured_split(data))


def draw(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, text: str, folder: Path) -> list[str]:
    """Draws all graphs of the beginning of a text, a picture a direction; returns their names."""
    if find_spec("matplotlib") is None:
        return ["(no pictures: matplotlib is not installed)"]
    longest = min(PICTURE_WORDS, tokenizer.model_max_length)
    inputs = tokenizer([text], truncation=True, max_length=longest, return_tensors="pt").to(model.device)
    tokens = tokenizer.convert_ids_to_tokens(inputs["input_ids"][0])
    with torch.no_grad():
        graphs = model.eval().graphs(**inputs)[0]
    names = [str(folder / f"graphs_{direction}.png") for direction in ("forward", "backward")]
    for name, part in zip(names, graphs, strict=True):
        draw_graph(part, tokens, name)
    return names


if __name__ == "__main__":
    run_script(main)
