"""The example that looks around in a latent space, from end to end on a small checkpoint."""

import runpy
from pathlib import Path

import pytest

SCRIPT = str(Path(__file__).parents[2] / "examples" / "explore_latent_space.py")
SMALL = ["--steps", "3", "--num_originals", "5", "--num_samples", "5", "--among", "20"]


@pytest.fixture
def explore(transfer_folder, tmp_path, monkeypatch, capsys):
    """Runs the script on the tiny checkpoint and a file of sentences; returns what it prints."""
    texts = [f"the {noun} was {word} ." for noun in ("food", "staff") for word in ("great", "awful", "lovely")]
    (tmp_path / "texts.txt").write_text("\n".join(texts * 4))

    def run(*arguments: str) -> str:
        own = ["--model", str(transfer_folder), "--train_file", str(tmp_path / "texts.txt")]
        own += ["--output_dir", str(tmp_path), *SMALL, *arguments]
        monkeypatch.setattr("sys.argv", [SCRIPT, *own])
        runpy.run_path(SCRIPT, run_name="__main__")
        return capsys.readouterr().out

    return run


def test_the_report_has_every_section(explore, tmp_path):
    printed = explore("--attribute", "1", "--num_sentences", "300", "--num_shown", "1", "--on_new_sentences")
    report = (tmp_path / "report.md").read_text()
    assert report.strip() == printed.strip()
    headings = [line for line in report.splitlines() if line.startswith("#")]
    assert [heading.split()[1] for heading in headings] == [
        "Latent",
        "New",
        "Between",
        "Between",
        "Between",
        "A",
        "Nearest",
        "Vector",
    ]
    assert "| match % |" in report and "300 new sentences, z" in report
    walk = report.split("## A walk")[1].split("```")[1].strip().splitlines()
    assert len(walk) == 3


def test_codes_of_real_sentences_and_chosen_transforms(explore):
    printed = explore("--attribute", "0", "--transforms", "subject:staff")
    assert "| subject | staff " in printed and "training sentences, codes" in printed and "temperature 0.5" in printed


@pytest.mark.parametrize("wrong", ["staff", "object:staff"])
def test_a_wrong_transform_ends_it_at_once(explore, tmp_path, wrong, capsys):
    with pytest.raises(SystemExit):
        explore("--attribute", "0", "--transforms", "subject:staff", wrong)
    assert not (tmp_path / "report.md").exists()
    assert "PART:WORD, with a PART of subject, verb, modifier" in capsys.readouterr().err
