"""Processes that were told different things say so at the start; losses that reach other parameters are averaged."""

from __future__ import annotations

import json
import os
import textwrap
from pathlib import Path

import pytest
from warm_python import run_distributed

ROOT = Path(__file__).parents[2]
SCRIPT = """
    import json
    import sys
    from pathlib import Path

    import torch
    from torch import nn
    from test_trainer import make_trainer
    from testing_mixins import made_up_sentences, weight_size

    from hf_arae.data.text.token_arrays import TokenArrays
    from hf_arae.training import PhaseTrainer, Objective, OptimizerSettings, Phase

    torch.set_num_threads(1)
    folder = Path(sys.argv[1])
    results = {"told": {}}
    make_trainer(folder / "warm", eval_steps=0, max_steps=1).train()
    rank = torch.distributed.get_rank()
    OTHER = {
        "seed": {"seed": rank},
        "max_steps": {"max_steps": 4 + rank},
        "save_steps": {"save_steps": 2 + rank},
        "eval_steps": {"eval_steps": rank},
        "learning_rate": {"autoencoder_learning_rate": 0.01 + rank / 100},
        "vocab_size": {"vocab_size": 30 + rank},
        "evaluator": {"evaluator": weight_size if rank else None, "eval_steps": 1},
    }

    def refused(name, trainer):
        try:
            trainer.train()
        except ValueError as error:
            results["told"][name] = str(error)

    for name, changes in OTHER.items():
        rate = changes.pop("autoencoder_learning_rate", None)
        trainer = make_trainer(folder / name, **({"eval_steps": 0} | changes))
        if rate is not None:
            trainer.objective.settings.autoencoder_learning_rate = rate
            rows = trainer.train_dataset
            trainer = PhaseTrainer(trainer.model, trainer.objective, trainer.arguments, rows)
        refused(name, trainer)

    def with_rows(name, rows, **changes):
        made = make_trainer(folder / name, eval_steps=0, **changes)
        return PhaseTrainer(made.model, made.objective, made.arguments, TokenArrays(rows, 0))

    fewer = made_up_sentences(attributes=1, rows=64 - 16 * rank)
    refused("rows", with_rows("rows", fewer, max_steps=-1, num_train_epochs=2.0))

    # Sentences of the same lengths, in another order of their words.
    rows = made_up_sentences(attributes=1)
    turned = [[ids[0], *ids[1:-1][::-1], ids[-1]] if rank else ids for ids in rows["input_ids"]]
    refused("sentences", with_rows("sentences", rows.remove_columns("input_ids").add_column("input_ids", turned)))

    # A model that was made from another seed on each process is the main one's on both.
    trainer = make_trainer(folder / "weights", eval_steps=0)
    with torch.no_grad():
        for parameter in trainer.model.parameters():
            parameter.add_(0.01 * rank)
    trainer.train()
    mine = torch.cat([value.reshape(-1) for value in trainer.model.state_dict().values()])
    everyone = trainer.accelerator.gather(mine[None])
    results["weights_differ_by"] = (everyone[0] - everyone[1]).abs().max().item()

    class Parts(Objective):
        players = {"parts": ("encoder",)}

        def optimizers(self):
            return {"parts": OptimizerSettings("adam", 0.1)}

        def phases(self):
            return (Phase("move", "parts", self.move),)

        def move(self, batch):
            \"\"\"Both reach the first parameter, each one other; the last is reached at first alone.\"\"\"
            parts = self.parameters("parts")
            loss = parts[0].square().sum() + (1 + rank) * parts[1 + rank].sum()
            return {"loss": loss + parts[3].sum() if self.step == 0 else loss}

    made = make_trainer(folder / "parts", eval_steps=0)
    trainer = PhaseTrainer(made.model, Parts(made.model), made.arguments, made.train_dataset)
    parts = trainer.parameters["parts"]
    trainer.run_phase(trainer.phases[0], {})
    last, first = parts[3].clone(), [part.clone() for part in parts]
    trainer.objective.begin_iteration(1)
    trainer.run_phase(trainer.phases[0], {})
    results["unused"] = torch.equal(parts[3], last)
    results["moved"] = [not torch.equal(part, before) for part, before in zip(parts[:3], first)]
    moments = trainer.updates.optimizers["parts"].state
    # exp_avg after two equal gradients g is (1 - 0.9 ** 2) g: the mean over both, of which one has 0.
    results["gradients"] = [(moments[part]["exp_avg"] / 0.19).mean().item() for part in parts[1:3]]
    (folder / f"{rank}.json").write_text(json.dumps(results))
    torch.distributed.barrier()
"""


@pytest.fixture(scope="module")
def results(tmp_path_factory) -> list[dict]:
    folder = tmp_path_factory.mktemp("ranks")
    script = folder / "script.py"
    script.write_text(textwrap.dedent(SCRIPT))
    paths = os.pathsep.join(map(str, (ROOT, ROOT / "tests", ROOT / "tests" / "training")))
    environment = os.environ | {"PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}
    for done in run_distributed([script, folder], 2, env=environment):
        assert done.returncode == 0, done.stderr
    return [json.loads((folder / f"{rank}.json").read_text()) for rank in range(2)]


def test_what_differs_is_named_on_every_process_before_the_training(results):
    for rank in range(2):
        told = results[rank]["told"]
        assert told == results[0]["told"]
        for name in ("seed", "max_steps", "save_steps", "eval_steps", "learning_rate", "vocab_size", "evaluator"):
            assert name in told[name], name
        assert "data.contents" in told["sentences"] and "data.lengths" not in told["sentences"]
        assert "data.rows: 64 on process 0, 48 on process 1" in told["rows"]


def test_all_processes_begin_with_the_same_weights(results):
    assert results[0]["weights_differ_by"] <= 1e-6


def test_a_loss_that_reaches_other_parameters_on_each_process_is_averaged(results):
    for result in results:
        assert result["gradients"] == pytest.approx([0.5, 1.0], rel=1e-5)
        assert result["moved"] == [True, True, True]
        assert result["unused"], "what no process used must stay as it is, whatever its optimizer remembers"
