"""Anyone's outputs: files are read whole, in order, or refused with the number that is wrong."""

from __future__ import annotations

import json

import pytest

from hf_arae.evaluation.transfer_outputs import SystemOutputs, published_outputs, read_outputs_files

SOURCES = ["the soup was cold .", "bad service !", "i hate it ."]


@pytest.fixture
def written(tmp_path):
    def write(name: str, text: str) -> str:
        (tmp_path / name).write_text(text, encoding="utf-8", newline="")
        return f"mine={tmp_path / name}"

    return write


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_blank_lines_keep_their_places_and_are_counted(written, end):
    text = end.join(["the soup was hot .", "", "i love it ."])
    for last in ("", end):
        (file,) = read_outputs_files([written("mine.txt", text + last)])
        outputs = file.check(SOURCES)
        assert outputs == ["the soup was hot .", "", "i love it ."] and file.system == "mine"
        assert SystemOutputs("mine", outputs, [0, 1, 2]).blank == 1


def test_what_the_script_writes_is_read_back(written):
    rows = [{"source": source, "label": "bad", "target": "good", "output": f"good {at}"} for at, source in
            enumerate(SOURCES)]  # fmt: skip
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (file,) = read_outputs_files([written("mine.jsonl", lines)])
    assert file.check(SOURCES) == ["good 0", "good 1", "good 2"]
    with pytest.raises(ValueError, match="row 0"):
        file.check(SOURCES[::-1])
    file.outputs[1] += " <eos>"
    with pytest.raises(ValueError, match="<eos>"):
        file.check(SOURCES)


@pytest.mark.parametrize("text", ["one\ntwo\n", "one\ntwo\nthree\nfour\n", "one\ntwo\nthree\n\n"])
def test_fewer_or_more_outputs_than_sources_are_refused_with_both_numbers(written, text):
    (file,) = read_outputs_files([written("mine.txt", text)])
    with pytest.raises(ValueError, match=f"{len(text.splitlines())} outputs for 3 "):
        file.check(SOURCES)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.txt", "", "empty"),
        ("a.jsonl", '{"output": "x"}\n{"outputs": "y"}\n', "line 2"),
        ("a.jsonl", '{"output": "x"}\n{"output": null}\n', "line 2"),
        ("a.jsonl", '{"output": "x"\n', "line 1"),
        ("a.jsonl", '"x"\n', "line 1"),
    ],
)
def test_a_file_that_holds_no_outputs_is_refused(written, name, text, said):
    with pytest.raises(ValueError, match=said):
        read_outputs_files([written(name, text)])


def test_names_and_files_must_be_there_once(written, tmp_path):
    whole = written("mine.txt", "x\n")
    for wrong in ("mine", "=mine.txt", "mine="):
        with pytest.raises(ValueError, match="NAME=FILE"):
            read_outputs_files([wrong])
    with pytest.raises(ValueError, match="'mine'"):
        read_outputs_files([whole, whole])
    with pytest.raises(FileNotFoundError, match=r"none\.txt"):
        read_outputs_files([f"mine={tmp_path / 'none.txt'}"])


def test_outputs_of_earlier_systems_are_put_to_their_sentences():
    rows = {
        "system": ["B", "Human0", "A", "B", "B", "A"],
        "source": [SOURCES[2], SOURCES[0], SOURCES[0], SOURCES[0], "of another split", SOURCES[0]],
        "label": [0, 0, 0, 0, 0, 1],
        "output": ["b2", "h0", "a0", "b0", "b", "a1"],
    }
    found = published_outputs(rows, SOURCES, [0, 0, 0])
    assert found == [SystemOutputs("B", ["b2", "b0"], [2, 0]), SystemOutputs("A", ["a0"], [0])]
    with pytest.raises(ValueError, match="none of the 6"):
        published_outputs(rows, ["something else"], [0])
    with pytest.raises(ValueError, match="missing: output"):
        published_outputs({name: rows[name] for name in ("system", "source", "label")}, SOURCES, [0, 0, 0])
