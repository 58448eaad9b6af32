"""Two processes train as one with twice the batch: the same data, the averaged gradients, the same weights."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import torch
from safetensors.torch import load_file

ROOT = Path(__file__).parents[2]
SCRIPT = """
    import sys
    import torch
    from hf_arae.data.batching import SentenceCollator
    from hf_arae.models.arae.configuration_arae import AraeConfig
    from hf_arae.models.arae.modeling_arae import AraeModel
    from hf_arae.models.arae.objective_arae import AraeObjective, AraeObjectiveArguments
    from hf_arae.training import AdversarialTrainer, TrainingArguments
    from testing_mixins import made_up_sentences

    folder, processes = sys.argv[1], int(sys.argv[2])
    torch.manual_seed(0)
    torch.set_num_threads(1)
    names = {0: "negative", 1: "positive"}
    model = AraeModel(AraeConfig(vocab_size=30, embedding_size=8, hidden_size=8, code_size=8, num_attributes=2,
                                 id2label=names, initialization="scaled"))
    # Without the adversary and the noise an iteration draws nothing at random, so one process compares with two.
    objective = AraeObjective(model, AraeObjectiveArguments(adversary=False, noise_std=0.0, max_grad_norm=100.0))
    arguments = TrainingArguments(output_dir=folder, max_steps=6, per_device_train_batch_size=32 // processes, seed=3,
                                  eval_steps=0, save_steps=0, report_to="none", use_cpu=True, disable_tqdm=True)
    rows = made_up_sentences(rows=128)
    rows = rows.select([row for row in range(len(rows)) if rows[row]["length"] == 6] * 8)  # one length: equal weights
    trainer = AdversarialTrainer(model, objective, arguments, rows, SentenceCollator(0))
    assert trainer.accelerator.num_processes == processes, trainer.accelerator.num_processes
    trainer.train()
"""


def test_two_processes_equal_one_with_twice_the_batch(tmp_path):
    script = tmp_path / "train.py"
    script.write_text(textwrap.dedent(SCRIPT))
    environment = os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}", "OMP_NUM_THREADS": "1"}
    launchers = {1: [sys.executable], 2: [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node=2"]}
    launchers[2] += [
        "--master_addr=127.0.0.1",
        "--master_port=0",
        "--rdzv_backend=c10d",
        "--rdzv_endpoint=127.0.0.1:0",
    ]
    weights = {}
    for processes, launcher in launchers.items():
        folder = tmp_path / str(processes)
        command = [*launcher, str(script), str(folder), str(processes)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        weights[processes] = load_file(folder / "model.safetensors")
    for name, value in weights[1].items():
        # The mean of two halves' means is the whole's mean up to the order of the additions.
        assert torch.allclose(value, weights[2][name], atol=1e-6), name
