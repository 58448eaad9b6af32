"""The command line of a script: flags from dataclasses, presets under them, one line for what is given wrong.

A script hands over its groups of flags, each a dataclass (or several) whose fields say in `metadata["help"]` what they
are; `config_arguments` makes one of a model's config class. Beside them stands `--preset`, where the script has any:
a YAML file of flags, which take the place of the dataclasses' defaults.
"""

from __future__ import annotations

import dis
import inspect
import sys
import textwrap
from argparse import SUPPRESS, ArgumentParser
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, NoReturn, Union, get_args, get_origin, get_type_hints

from hf_arae.utils.config_arguments import config_arguments, simple_type
from hf_arae.utils.presets import close_names, presets_for, read_preset

WRONG_USE = 2  # exit code, as argparse has it
_WIDTH = 110
_TRUE, _FALSE = ("true", "t", "yes", "y", "on", "1"), ("false", "f", "no", "n", "off", "0")
_KINDS = {int: "WHOLE NUMBER", float: "NUMBER", str: "TEXT", bool: "true|false"}
_RAISE = dis.opmap["RAISE_VARARGS"]


@dataclass(frozen=True)
class CommandLine:
    """What a command line said.

    Args:
        parts: an object of each dataclass, in the order in which they were given.
        preset: name of the preset that lay under the flags, if any.
        asked: flags that were given, or that stand in a preset which was named; all others are defaults.
    """

    parts: tuple[Any, ...]
    preset: str | None
    asked: frozenset[str]


def read_command_line(
    script: str | Path,
    about: str,
    groups: Mapping[str, type | Sequence[type]],
    preset: str | None = None,
    without: Mapping[type, Sequence[str]] | None = None,
    arguments: Sequence[str] | None = None,
) -> CommandLine:
    """Reads a script's flags, or says in one line what is wrong with them and exits with code 2.

    Args:
        script: the script's `__file__`. Its presets stand in the folder `presets` beside it.
        about: its docstring, with which `--help` begins.
        groups: headings of `--help`, and the classes of each: dataclasses, or config classes of models, whose part
            is one of `config_arguments`. A class with `flag_groups` puts some of its fields under other headings.
        preset: name of the preset that is used where none is given; `None`: the script has no presets.
        without: fields, of a class, that are no flags of this script and keep their defaults.
        arguments: the command line, by default that of this process.
    """
    script, without = Path(script), without or {}
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    classes, flags = [], {}
    for group, listed in groups.items():
        for cls in listed if isinstance(listed, (list, tuple)) else [listed]:
            left_out = without.get(cls, ())
            cls = config_arguments(cls, left_out) if hasattr(cls, "not_chosen") else cls
            classes.append(cls)
            _add_flags(flags, cls, group, left_out)
    parser = _Parser(about, flags, script.stem)
    name, asked = preset, frozenset()
    try:
        if preset is not None:
            parser.presets = (script, preset)
            named = _named_preset(arguments)
            name = preset if named is None else named
            values = read_preset(name, script, list(flags))
            for key, value in values.items():
                try:
                    flags[key].default = _from_preset(flags[key], value)
                except ValueError as error:
                    raise ValueError(f"the preset {name}: {error}") from error
            asked = frozenset(() if named is None else values)
        given = {key: _finished(flags[key], value) for key, value in parser.parse(arguments).items()}
        known = {key: flag.default for key, flag in flags.items()} | given
        missing = [f"--{key}" for key, value in known.items() if value is MISSING]
        if missing:
            raise ValueError(f"{', '.join(missing)} must be given")
        parts = []
        for cls in classes:
            own = [flag.name for flag in flags.values() if flag.of is cls]
            parts.append(cls(**{key: known[key] for key in own}))
    except (ValueError, OSError) as error:
        parser.error(str(error))
    return CommandLine(
        tuple(parts), None if name is None else Path(name).name.removesuffix(".yaml"), asked | frozenset(given)
    )


def first_flag(script: str | Path, name: str, default: str) -> str:
    """The value of a flag on which it depends what other flags there are: as given, of a named preset, or a default.

    Args:
        script: as in `read_command_line`, which says what is wrong with the value.
        name: of the flag.
        default: where neither has it.
    """
    parser = ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument(f"--{name}", nargs="?")
    parser.add_argument("--preset", nargs="?")
    given, _ = parser.parse_known_args()
    if getattr(given, name) is not None:
        return getattr(given, name)
    try:
        values = read_preset(given.preset, Path(script)) if given.preset else {}
    except (ValueError, OSError):
        values = {}
    return str(values.get(name, default))


def run_script(main: Callable[[], None]) -> None:
    """Runs a script's `main`; what the user gave wrong ends it with its message on stderr and exit code 2.

    That is what this package or a script refuses by a `raise` of its own (a value, a package that is not installed, or
    by an error class of its own), and every file that is missing or cannot be read or written. Any other error is a
    bug and keeps its traceback.
    """
    try:
        main()
    except OSError as error:
        _end(error)
    except Exception as error:
        wrong = getattr(error, "__cause__", None) if type(error).__module__.startswith("huggingface_hub") else error
        own = type(wrong).__module__.partition(".")[0] == "hf_arae"
        if not (own or isinstance(wrong, (ValueError, ImportError))) or not _refused(wrong):
            raise
        _end(wrong)


# --------------------------------------------------------------------------------------------------------- flags


@dataclass
class _Flag:
    name: str
    group: str
    of: type  # the dataclass that has it
    kind: type
    several: bool
    optional: bool
    choices: tuple[str, ...]
    help: str
    default: Any


def _add_flags(flags: dict[str, _Flag], cls: type, group: str, left_out: Sequence[str]) -> None:
    hints = get_type_hints(cls)
    for one in fields(cls):
        if not one.init or one.name in left_out:
            continue
        if one.name in flags:
            raise TypeError(f"{cls.__name__} and {flags[one.name].of.__name__} both have the flag --{one.name}")
        kind, several, optional = _parts(simple_type(hints[one.name]))
        default = one.default_factory() if one.default_factory is not MISSING else one.default
        choices, about = tuple(one.metadata.get("choices", ())), one.metadata.get("help", "")
        place = getattr(cls, "flag_groups", {}).get(one.name, group)
        flags[one.name] = _Flag(one.name, place, cls, kind, several, optional, choices, about, default)


def _parts(hint: Any) -> tuple[type, bool, bool]:
    optional = get_origin(hint) in (Union, UnionType)
    kind = next(one for one in get_args(hint) if one is not NoneType) if optional else hint
    several = get_origin(kind) is list
    return (get_args(kind)[0] if several else kind), several, optional


def _read(flag: _Flag, text: str) -> Any:
    """One value of a flag. Raises ValueError with what is accepted."""
    if flag.choices and text not in flag.choices:
        raise ValueError(f"--{flag.name} must be one of {', '.join(flag.choices)}; got {text!r}")
    if flag.kind is bool:
        if text.lower() in (*_TRUE, *_FALSE):
            return text.lower() in _TRUE
    else:
        try:
            return flag.kind(text.replace("_", "") if flag.kind is not str else text)
        except ValueError:
            pass
    wanted = {bool: "true or false", int: "a whole number", float: "a number"}[flag.kind]
    raise ValueError(f"--{flag.name} must be {wanted}, got {text!r}")


def _finished(flag: _Flag, value: Any) -> Any:
    texts = value if isinstance(value, list) else [value]
    empty = [text.lower() for text in texts] == ["none"] and "none" not in flag.choices
    if empty and (flag.optional or flag.several):
        return None if flag.optional else []
    return [_read(flag, text) for text in texts] if flag.several else _read(flag, texts[0])


def _from_preset(flag: _Flag, value: Any) -> Any:
    """What the text, or the list of texts, or `None` of a preset means."""
    if value is None and (flag.optional or flag.several):
        return None if flag.optional else []
    if not isinstance(value, str) and not flag.several:
        raise ValueError(f"--{flag.name} takes one value, got {value!r}")
    if not isinstance(value, str) and not (isinstance(value, list) and all(isinstance(one, str) for one in value)):
        raise ValueError(f"--{flag.name} takes a list of values, got {value!r}")
    return _finished(flag, value)


def _named_preset(arguments: Sequence[str]) -> str | None:
    """The last one, as of every flag that is given twice."""
    found = None
    for place, argument in enumerate(arguments):
        if argument == "--preset" and place + 1 < len(arguments):
            found = arguments[place + 1]
        if argument.startswith("--preset="):
            found = argument.partition("=")[2]
    return found


class _Parser(ArgumentParser):
    """Reads texts only; what they mean is read later, of flags and presets alike."""

    def __init__(self, about: str, flags: dict[str, _Flag], script: str):
        super().__init__(prog=f"{script}.py", add_help=False, allow_abbrev=False, argument_default=SUPPRESS)
        self.about, self.flags = about, flags
        self.presets: tuple[Path, str] | None = None  # the script, and the preset that it has by default
        self.add_argument("--help", "-h", action="help")
        self.add_argument("--preset")
        for flag in flags.values():
            names = dict.fromkeys((f"--{flag.name}", f"--{flag.name.replace('_', '-')}"))
            if flag.several:
                self.add_argument(*names, dest=flag.name, nargs="*")
            elif flag.kind is bool:
                self.add_argument(*names, dest=flag.name, nargs="?", const="true")
                no = dict.fromkeys((f"--no_{flag.name}", f"--no-{flag.name.replace('_', '-')}"))
                self.add_argument(*no, dest=flag.name, action="store_const", const="false")
            else:
                self.add_argument(*names, dest=flag.name)

    def parse(self, arguments: Sequence[str]) -> dict[str, Any]:
        found, unknown = self.parse_known_args(arguments)
        for argument in unknown:
            if not argument.startswith("-"):
                raise ValueError(f"{argument!r} belongs to no flag")
            name = argument.partition("=")[0].lstrip("-").replace("-", "_")
            raise ValueError(f"there is no flag --{name}{close_names(name, [*self.flags, 'preset'], '--')}")
        given = vars(found)
        if given.pop("preset", None) is not None and self.presets is None:
            raise ValueError("there is no flag --preset: this script has no presets")
        return given

    def error(self, message: str) -> NoReturn:
        self.exit(WRONG_USE, f"{self.prog}: {_one_line(message)}\n")

    def format_help(self) -> str:
        lines = [inspect.cleandoc(self.about), "", f"usage: python {sys.argv[0]} [--flag value] ..."]
        lines += ["", "A flag that ends in ... takes several values; none stands for no value."]
        if self.presets is not None:
            script, default = self.presets
            about = "Settings under the flags: a name, or the path of a YAML file with a flag a line."
            listed = f"{about} Names: {', '.join(presets_for(script))}. (default: {default})"
            lines += ["", "Preset:", "  --preset NAME_OR_PATH", *_wrapped(listed)]
        for group in dict.fromkeys(flag.group for flag in self.flags.values()):
            lines += ["", f"{group}:"]
            for flag in self.flags.values():
                if flag.group == group:
                    kind = "|".join(flag.choices) or _KINDS[flag.kind]
                    lines.append(f"  --{flag.name} {kind}{' ...' if flag.several else ''}")
                    lines += _wrapped(f"{flag.help} ({_shown(flag.default)})".lstrip())
        return "\n".join([*lines, ""])


def _shown(default: Any) -> str:
    if default is MISSING:
        return "required"
    values = default if isinstance(default, (list, tuple)) else [default]
    texts = [
        "none" if value is None else str(value).lower() if isinstance(value, bool) else str(value) for value in values
    ]
    return f"default: {' '.join(texts) or 'no value'}"


def _wrapped(text: str, indent: str = "      ") -> list[str]:
    return textwrap.wrap(text, _WIDTH, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False)


# -------------------------------------------------------------------------------------------------------- errors


def _refused(error: BaseException) -> bool:
    """Whether a raise statement of this package, or of a script, is where an error comes from."""
    trace = error.__traceback__
    if trace is None:
        return False
    while trace.tb_next is not None:
        trace = trace.tb_next
    code = trace.tb_frame.f_code
    module = trace.tb_frame.f_globals.get("__name__", "")
    return code.co_code[trace.tb_lasti] == _RAISE and module.partition(".")[0] in ("hf_arae", "__main__")


def _end(error: BaseException) -> NoReturn:
    # A list of things that are wrong keeps its lines.
    lines = [line.rstrip() for line in str(error).splitlines() if line.strip()]
    print(f"{Path(sys.argv[0]).name}: " + "\n".join(lines), file=sys.stderr)
    raise SystemExit(WRONG_USE) from None


def _one_line(text: str) -> str:
    return " ".join(text.split())
