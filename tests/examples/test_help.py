"""Every example explains its arguments, those of each family too."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.py"))
# What papers have is said by the presets and by docstrings: a help says what a flag does.
REMARKS = re.compile(r"Published\b|[(,] ?(as )?published[),:.]|[Nn]ot (published|in the thesis)|\[[~\w.]+\]")


@pytest.mark.parametrize("script", EXAMPLES, ids=lambda path: path.stem)
def test_help_is_printed_and_says_what_flags_do(script, monkeypatch, capsys):
    text = printed_help(script, [], monkeypatch, capsys)
    assert "usage:" in text
    families = re.search(r"--family ([\w|]+)\n", text)
    texts = {family: printed_help(script, ["--family", family], monkeypatch, capsys) for family in choices(families)}
    for family, one in {"the default": text, **texts}.items():
        flags = " ".join(one.partition("usage:")[2].split())
        assert not [flags[found.start() - 100 : found.end() + 20] for found in REMARKS.finditer(flags)], family


def choices(families: re.Match | None) -> list[str]:
    return families[1].split("|") if families else []


def printed_help(script: Path, flags: list[str], monkeypatch, capsys) -> str:
    monkeypatch.setattr("sys.argv", [str(script), "--help", *flags])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(script), run_name="__main__")
    assert ended.value.code == 0
    return capsys.readouterr().out
