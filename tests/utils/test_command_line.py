"""The command line of scripts: flags of dataclasses and configs, presets under them, a message for what is wrong."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import pytest

from hf_arae.models.arae.configuration_arae import AraeConfig
from hf_arae.models.ursae.configuration_ursae import UrsaeConfig
from hf_arae.training.fingerprint import check_unchanged
from hf_arae.training.run_folder import RunFolder
from hf_arae.utils.command_line import first_flag, read_command_line, run_script
from hf_arae.utils.config_arguments import config_arguments


@dataclass
class Sizes:
    width: int = field(default=8, metadata={"help": "The width is in units. It may be 100 % of it."})
    rates: list[float] = field(default_factory=lambda: [0.5], metadata={"help": "Rates of the steps."})
    shared: bool = field(default=True, metadata={"help": "The table is shared."})
    best_by: str | None = field(default=None, metadata={"help": "The metric."})
    flag_groups: ClassVar[dict[str, str]] = {"best_by": "Choice"}

    def __post_init__(self):
        if self.width < 1:
            raise ValueError(f"width must be at least 1, got {self.width}")


@dataclass
class Places:
    kind: str = field(default="a", metadata={"help": "The kind.", "choices": ["a", "b"]})
    source: str = field(default="here", metadata={"help": "The source."})


@pytest.fixture
def script(tmp_path, monkeypatch):
    folder = tmp_path / "presets"
    folder.mkdir()
    (folder / "usual.yaml").write_text("# What it does.\nscript: do\nwidth: 16\nshared: false\n")
    (folder / "wide.yaml").write_text("extends: usual\nwidth: 32\nrates: [1.0e-3, 2]\nbest_by: bleu\nkind: b\n")
    (folder / "other.yaml").write_text("script: undo\nwidth: 1\n")
    monkeypatch.setattr("sys.argv", ["do.py"])
    return tmp_path / "do.py"


def read(script, *arguments, preset="usual", groups=None, **options):
    groups = groups or {"Sizes": Sizes, "Places": (Places,)}
    return read_command_line(script, "Does it.", groups, preset, arguments=arguments, **options)


def refusal(capsys, script, *arguments, **options) -> str:
    with pytest.raises(SystemExit) as ended:
        read(script, *arguments, **options)
    printed = capsys.readouterr()
    assert ended.value.code == 2 and printed.err.count("\n") == 1 and not printed.out
    return printed.err


def test_a_flag_wins_over_a_preset_and_a_preset_over_a_default(script):
    command = read(script)
    assert (command.preset, command.asked) == ("usual", frozenset())
    assert command.parts == (Sizes(16, [0.5], False, None), Places())
    command = read(script, "--preset", "wide", "--width", "64")
    assert command.parts == (Sizes(64, [0.001, 2.0], False, "bleu"), Places("b"))
    assert command.preset == "wide" and command.asked == {"width", "rates", "shared", "best_by", "kind"}
    assert read(script, preset=None).parts == (Sizes(), Places())


def test_flags_are_written_in_any_of_the_usual_ways(script):
    for flags, wanted in (
        (["--shared"], True),
        (["--shared", "False"], False),
        (["--no_shared"], False),
        (["--no-shared"], False),
        (["--shared=true"], True),
    ):
        assert read(script, *flags).parts[0].shared is wanted
    sizes = read(script, "--best-by", "none", "--rates", "1", "-2", "--width=1_000", "--preset=wide").parts[0]
    assert sizes == Sizes(1000, [1.0, -2.0], False, None)
    assert read(script, "--rates").parts[0].rates == []


def test_none_is_a_value_where_it_is_a_choice(script):
    @dataclass
    class Graphs:
        graphs: list[str] = field(default_factory=list, metadata={"help": "Graphs.", "choices": ["none", "learned"]})

    for given in (["none"], ["learned", "none"]):
        assert read(script, "--graphs", *given, preset=None, groups={"Graphs": Graphs}).parts[0].graphs == given


@pytest.mark.parametrize(
    ("text", "name", "wanted"),
    [
        ("width: 010", "width", 10),  # as --width 010, and no octal number
        ("source: 1.10", "source", "1.10"),
        ("source: off", "source", "off"),
        ("source: 2024-01-02", "source", "2024-01-02"),
        ("shared: off", "shared", False),
        ("shared: 'on'", "shared", True),
        ("rates: 1e-3", "rates", [0.001]),
        ("rates:", "rates", []),
        ("best_by:", "best_by", None),
        ("", "width", 8),
    ],
)
def test_a_preset_s_values_are_read_as_a_flag_s(script, tmp_path, text, name, wanted):
    own = tmp_path / "my own.yaml"
    own.write_text(text)
    found = [vars(part) for part in read(script, "--preset", str(own)).parts]
    assert (found[0] | found[1])[name] == wanted


def test_the_last_of_two_presets_counts_and_a_broken_one_is_in_no_other_s_way(script, capsys):
    (script.parent / "presets" / "broken.yaml").write_text("width: [")
    assert read(script, "--preset", "usual", "--preset", "wide").preset == "wide"
    assert "Presets of do.py: usual, wide." in refusal(capsys, script, "--preset", "widde")
    assert "no preset" in refusal(capsys, script, "--preset", "")


def test_a_preset_is_a_path_too_and_may_extend_a_named_one(script, tmp_path):
    own = tmp_path / "mine.yaml"
    own.write_text("extends: wide\nwidth: 5\n")
    command = read(script, "--preset", str(own))
    assert command.preset == "mine" and command.parts[0].width == 5 and command.parts[1].kind == "b"


@pytest.mark.parametrize(
    ("flags", "named"),
    [
        (["--widht", "3"], "did you mean --width?"),
        (["--width", "x"], "a whole number"),
        (["--rates", "1", "x"], "a number"),
        (["--shared", "perhaps"], "true or false"),
        (["--kind", "c"], "a, b"),
        (["--width", "0"], "at least 1"),
        (["--width"], "width"),
        (["stray"], "'stray'"),
        (["--preset", "widde"], "did you mean wide?"),
        (["--preset", "widde"], "Presets of do.py: usual, wide."),
        (["--preset", "other"], "undo.py"),
        (["--preset", "nowhere/x.yaml"], "no preset or file nowhere/x.yaml"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(script, capsys, flags, named):
    assert named in refusal(capsys, script, *flags)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("widht: 3", "did you mean width?"),
        ("width: [1, 2]", "takes one value"),
        ("width: 1.5", "own.yaml: --width must be a whole number"),
        ("width: 1:30", "a whole number"),
        ("width:", "takes one value"),
        ("width: {a: 1}", "takes one value"),
        ("rates: [1, null]", "a list of values"),
        ("rates: [[1]]", "a list of values"),
        ("rates: &a [*a]", "a list of values"),
        ("width: 1\nwidth: 2", "width stands there twice"),
        ("- width", "a line each"),
        ("width: [", "is no YAML"),
        ("extends: nothing", "is no preset."),
        ("extends: widde", "did you mean wide?"),
        ("extends: itself", "extends itself"),
    ],
)
def test_a_wrong_preset_is_said_in_one_line(script, capsys, text, named):
    own = script.parent / "own.yaml"
    own.write_text(text)
    if "itself" in text:
        own = (script.parent / "presets" / "itself.yaml").write_text(text) and "itself"
    assert named in refusal(capsys, script, "--preset", str(own))


def test_a_flag_without_a_default_must_be_given(script, capsys):
    @dataclass
    class Needs:
        model: str = field(metadata={"help": "The model."})

    with pytest.raises(SystemExit):
        read_command_line(script, "Does it.", {"Model": Needs}, arguments=[])
    assert "--model must be given" in capsys.readouterr().err
    assert "--preset" in refusal(capsys, script, "--preset", "usual", preset=None)


def test_help_says_what_the_script_does_and_shows_each_flag_once(script, capsys):
    with pytest.raises(SystemExit) as ended:
        read(script, "--help", "--preset", "wide")
    printed = capsys.readouterr().out
    assert ended.value.code == 0 and printed.startswith("Does it.\n")
    for flag in ("--width", "--rates", "--shared", "--best_by", "--kind", "--source", "--preset"):
        assert printed.count(f"  {flag} ") == 1
    assert printed.index("Sizes:") < printed.index("--width") < printed.index("Places:") < printed.index("--source")
    assert printed.index("Choice:") < printed.index("--best_by")
    assert "no_shared" not in printed and "--best-by" not in printed
    assert "100 % of it. (default: 32)" in printed and "(default: 0.001 2.0)" in printed and "usual, wide" in printed


def test_a_flag_can_be_left_to_its_default(script, capsys):
    assert read(script, without={Places: ("source",)}).parts[1] == Places()
    assert "no flag --source" in refusal(capsys, script, "--source", "x", without={Places: ("source",)})


def test_the_flag_that_decides_on_others_is_found_before_them(script, monkeypatch):
    for arguments, wanted in (
        ([], "c"),
        (["--kind", "a", "--preset", "wide"], "a"),
        (["--preset", "wide", "--x", "1"], "b"),
        (["--preset", "none"], "c"),
        (["--kind"], "c"),  # read_command_line says what is wrong with it
    ):
        monkeypatch.setattr("sys.argv", ["do.py", *arguments])
        assert first_flag(script, "kind", "c") == wanted


def test_a_config_class_has_a_flag_for_what_may_be_chosen():
    sizes = config_arguments(AraeConfig)(code_size=9, generator_sizes=[3])
    assert AraeConfig(**vars(sizes)) == AraeConfig(code_size=9, generator_sizes=[3])
    given = {"vocab_size", "max_sequence_length", "pad_token_id", "num_attributes", "id2label"}
    assert not given & vars(sizes).keys()
    assert "code_size" not in vars(config_arguments(AraeConfig, without=("code_size",))())


@pytest.mark.parametrize("config", [AraeConfig, UrsaeConfig])
def test_each_flag_of_a_config_is_explained(config):
    for one in config_arguments(config).__dataclass_fields__.values():
        assert len(one.metadata["help"]) > 5, one.name


def test_a_refusal_is_one_line_and_a_bug_keeps_its_traceback(capsys, tmp_path):
    def missing():
        (tmp_path / "nothing.csv").read_text()

    def refused():
        AraeConfig(code_size=0)

    def bug():
        return int("x")

    def refused_by_the_library():
        from hf_arae.utils.presets import read_preset

        read_preset("x", tmp_path / "do.py")

    def in_use():
        with RunFolder(tmp_path, True), RunFolder(tmp_path, True):
            pass

    for main, named in (
        (in_use, "in use"),
        (missing, "nothing.csv"),
        (refused, "code_size"),
        (refused_by_the_library, "no preset x"),
    ):
        with pytest.raises(SystemExit) as ended:
            run_script(main)
        printed = capsys.readouterr().err
        assert ended.value.code == 2 and named in printed and printed.count("\n") == 1
    with pytest.raises(ValueError):
        run_script(bug)


def test_a_refusal_that_lists_keeps_its_lines(capsys):
    def resumed():
        check_unchanged({"seed": 0, "max_steps": 8}, {"seed": 1, "max_steps": 9}, False)

    with pytest.raises(SystemExit):
        run_script(resumed)
    lines = capsys.readouterr().err.splitlines()
    assert [line.strip() for line in lines[1:3]] == ["seed: was 0, now is 1", "max_steps: was 8, now is 9"]
    assert len(lines) == 4
