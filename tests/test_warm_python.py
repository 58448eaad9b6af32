"""A warm process is to a test what a new one would be."""

import json
import os
import signal
import subprocess

import pytest
from warm_python import run_distributed, run_python


def test_streams_arguments_folder_and_exit_code_are_its_own(tmp_path):
    script = tmp_path / "script.py"
    script.write_text("import sys, os; print(sys.argv[1:], os.getcwd(), input()); sys.exit(sys.path[0])")
    done = run_python([script, "a b", "--c"], cwd=tmp_path, input="typed\n")
    assert done.stdout == f"['a b', '--c'] {tmp_path} typed\n"
    assert (done.returncode, done.stderr) == (1, f"{tmp_path}\n")
    failed = run_python(["-c", "1 / 0"])
    assert failed.returncode == 1 and failed.stderr.splitlines()[-1] == "ZeroDivisionError: division by zero"
    assert run_python(["-c", "import os; os.kill(os.getpid(), 9)"]).returncode == -signal.SIGKILL
    assert run_python(["-m", "json.tool"], input="[1]").stdout.split() == ["[", "1", "]"]


def test_nothing_of_one_process_is_in_the_next(tmp_path):
    code = "import sys, os; print('hf_arae' in sys.modules, os.environ.get('LEFT')); "
    code += "os.environ['LEFT'] = 'here'; sys.modules['hf_arae'] = None"
    assert [run_python(["-c", code]).stdout for _ in range(2)] == ["False None\n"] * 2
    (tmp_path / "sitecustomize.py").write_text("print('customized')")
    environment = os.environ | {"PYTHONPATH": str(tmp_path), "HF_HOME": str(tmp_path / "home")}
    code = "from huggingface_hub import constants; print(constants.HF_HUB_CACHE, constants.HF_HUB_OFFLINE)"
    done = run_python(["-c", code], env=environment)
    assert done.stdout == f"customized\n{tmp_path / 'home' / 'hub'} True\n"


def test_what_hangs_is_killed_and_the_next_one_runs():
    with pytest.raises(subprocess.TimeoutExpired):
        run_python(["-c", "import time; print('begun', flush=True); time.sleep(600)"], timeout=0.5)
    assert run_python(["-c", "print(1)"]).stdout == "1\n"


def test_processes_of_a_group_find_each_other():
    code = """
import json, torch
torch.distributed.init_process_group("gloo")
mine = torch.tensor([1.0 + torch.distributed.get_rank()])
torch.distributed.all_reduce(mine)
print(json.dumps([torch.distributed.get_rank(), mine.item()]))
torch.distributed.destroy_process_group()
"""
    done = run_distributed(["-c", code], 2)
    assert [json.loads(one.stdout) for one in done] == [[0, 3.0], [1, 3.0]], done
