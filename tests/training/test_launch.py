"""Fewer processes than were asked for do not go unnoticed."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from hf_arae.training.launch import _wanted_processes

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("command", "wanted"),
    [
        ("python /bin/accelerate launch --cpu --num_processes 2 x.py", 2),
        ("/bin/accelerate launch --num_processes=3 x.py --num_processes 9", 3),
        ("accelerate launch --num-processes 2 x.py", 2),
        ("python x.py launch --num_processes 2", None),
        ("bash", None),
        ("", None),
    ],
)
def test_the_number_asked_for(command, wanted):
    assert _wanted_processes(command.split()) == wanted


def test_the_number_asked_for_in_a_configuration_file(tmp_path):
    file = tmp_path / "two.yaml"
    file.write_text(
        "compute_environment: LOCAL_MACHINE\ndistributed_type: MULTI_CPU\nnum_processes: 2\nuse_cpu: true\n"
    )
    assert _wanted_processes(["accelerate", "launch", "--config_file", str(file), "x.py"]) == 2


def test_accelerate_launch_on_cpus_is_told_to_have_started_one(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        textwrap.dedent(
            """
            from hf_arae.training.launch import warn_of_missing_processes
            warn_of_missing_processes(1)
            """
        )
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    launcher = [str(Path(sys.executable).with_name("accelerate")), "launch"]
    command = [*launcher, "--cpu", "--num_processes", "2", str(script)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=1200)
    assert done.returncode == 0, done.stderr
    assert "asked for 2 processes and started 1" in done.stderr
    assert "torchrun --nproc_per_node 2" in done.stderr
