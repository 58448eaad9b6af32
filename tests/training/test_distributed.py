"""Two processes train as one with twice the batch: the same data, noise and statistics, the averaged gradients."""

from __future__ import annotations

import json
import os
import textwrap
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from warm_python import run_distributed

from hf_arae.models.auto import FAMILIES

ROOT = Path(__file__).parents[2]
TRAIN = """
    import sys
    from pathlib import Path

    import torch
    from safetensors.torch import save_file

    from family_tests import family_tests
    from hf_arae.models.arae.objective_arae import AraeObjective, AraeObjectiveArguments

    def make(case):
        family, _, variant = case.partition(", ")
        tests = family_tests("ebgan_ladder" if variant == "ladder" else family)
        if variant == "weight clipping":
            clipped = AraeObjectiveArguments(lipschitz="weight_clipping")
            tests.build_objective = lambda model: AraeObjective(model, clipped)
        torch.manual_seed(0)
        model = tests.build_model()
        for module in model.modules():  # what a process drops is its own
            name = "p" if isinstance(module, torch.nn.Dropout) else "dropout"
            if isinstance(getattr(module, name, None), float):
                setattr(module, name, 0.0)
        return tests, model

    folder, processes, cases = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float64)
    for case in cases:
        tests, model = make(case)
        settings = {"max_steps": 6, "seed": 3, "logging_steps": 2, "save_steps": 0}
        settings["per_device_train_batch_size"] = 2 * tests.batch_size // processes
        if case.endswith("options"):
            settings |= {"ema_decay": 0.9, "gradient_accumulation_steps": 2}
        trainer = tests.trainer(f"{folder}/{case}", model, rows=128, **settings)
        assert trainer.accelerator.num_processes == processes, trainer.accelerator.num_processes
        trainer.train()
        if trainer.accelerator.is_main_process:
            save_file(dict(model.state_dict()), Path(folder, case, "final.safetensors"))
"""
WRITE = """
    import atexit
    import json
    import sys
    from pathlib import Path

    import torch

    left = lambda: Path(sys.argv[1], "left").write_text(str(not torch.distributed.is_initialized()))
    atexit.register(left)  # the first that is registered is called last
    from accelerate import PartialState
    from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

    import hf_arae
    from hf_arae.evaluation.rewriting import encode_texts, rewrite_texts, sample_texts
    from hf_arae.utils.distributed import from_main, rows_of_this_process

    folder, processes, model_folder = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    torch.set_num_threads(1)
    state = PartialState(cpu=True)
    assert state.num_processes == processes, state.num_processes
    model = AutoModelForSeq2SeqLM.from_pretrained(model_folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(model_folder)
    texts = ["the food was great .", "awful !", "i am never coming back .", "great food .", "the staff was friendly ."]
    calls = {"rows": 0}
    encode = model.encode
    def counting(ids, *rest):
        calls["rows"] += len(ids)
        return encode(ids, *rest)
    model.encode = counting
    result = {
        "rewritten": rewrite_texts(model, tokenizer, texts, [0, 1, 0, 1, 1]),
        "sampled": sample_texts(model, tokenizer, 11, batch_size=4),
        "codes": encode_texts(model, tokenizer, texts).tolist(),
        "asked": from_main(lambda: state.process_index),
    }
    assert calls["rows"] == 2 * len(rows_of_this_process(5)), calls
    Path(folder, f"{state.process_index}.json").write_text(json.dumps(result))
"""


CASES = [*FAMILIES, "arae, weight clipping", "rnn_lm, options", "ebgan, ladder"]


def run(script: str, folder: Path, processes: int, *arguments: str) -> None:
    """Runs a script on one or two processes; it gets a folder, the number of processes and the arguments."""
    folder.mkdir(parents=True)
    path = folder / "script.py"
    path.write_text(textwrap.dedent(script))
    environment = os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}", "OMP_NUM_THREADS": "1"}
    command = [path, folder, str(processes), *arguments]
    for done in run_distributed(command, processes, env=environment):
        assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> dict[int, Path]:
    """The folders of all trainings on one process and on two."""
    folders = {processes: tmp_path_factory.mktemp("runs") / str(processes) for processes in (1, 2)}
    for processes, folder in folders.items():
        run(TRAIN, folder, processes, *CASES)
    return folders


@pytest.mark.parametrize("case", CASES)
def test_two_processes_equal_one_with_twice_the_batch(runs, case):
    final, losses = {}, {}
    for processes in (1, 2):
        folder = runs[processes] / case
        final[processes] = load_file(folder / "final.safetensors")
        lines = [json.loads(line) for line in (folder / "training_log.jsonl").read_text().splitlines()]
        losses[processes] = [{key: value for key, value in line.items() if "/" in key} for line in lines]
    # Sums in another order differ by some 1e-16 of their terms. Adam divides by the gradient's size plus 1e-8, which
    # makes of that at most 1e-16 / 1e-8 of a rate of 2e-3 an update, 2e-11; an iteration has up to ten.
    for name, value in final[1].items():
        assert torch.allclose(value, final[2][name], rtol=0, atol=1e-9), name
    for one, two in zip(losses[1], losses[2], strict=True):
        assert one == pytest.approx(two, abs=1e-6, rel=1e-6), "the log is of all processes"


def test_two_processes_write_each_sentence_once_and_all_get_all(tmp_path, transfer_folder):
    for processes in (1, 2):
        run(WRITE, tmp_path / str(processes), processes, str(transfer_folder))
        # A process that ends with its group alive is aborted by gloo's threads, one time in four.
        assert (tmp_path / str(processes) / "left").read_text() == "True"
    alone = json.loads((tmp_path / "1" / "0.json").read_text())
    for rank in range(2):
        together = json.loads((tmp_path / "2" / f"{rank}.json").read_text())
        assert together.pop("codes") == [pytest.approx(code, abs=1e-6) for code in alone["codes"]]
        assert together == {key: value for key, value in alone.items() if key != "codes"}
