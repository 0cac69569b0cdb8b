"""YAML for a configuration: every value knows its line, and anything ambiguous is an error.

The document is composed to nodes and walked here rather than constructed by PyYAML, which silently keeps the last of two equal keys,
forgets line numbers, and expands nested aliases without a bound.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path

import yaml

from edge.errors import ConfigError, unreadable

MAXIMUM_BYTES = 256 * 1024
MAXIMUM_VALUES = 20_000  # after aliases are expanded: a "billion laughs" file is tiny on disk
MAXIMUM_DEPTH = 32

KeyPath = tuple[str | int, ...]  # ("sources", "pump1", "files", "paths", 0)

_PLAIN_TAGS = {f"tag:yaml.org,2002:{kind}" for kind in ("map", "seq", "str", "int", "float", "bool", "null")}


@dataclass(frozen=True, slots=True)
class Mark:
    """Where a value stands in the file, and how it is written there."""

    line: int
    text: str  # a scalar as written; empty for a mapping or list


@dataclass(frozen=True, slots=True)
class Document:
    """A parsed YAML file."""

    path: Path
    data: object
    marks: dict[KeyPath, Mark]  # a mapping's value is marked with the line of its key

    def line(self, path: KeyPath) -> int:
        """Line of a key, or of the nearest section that exists."""
        while path and path not in self.marks:
            path = path[:-1]
        return self.marks[path].line if path in self.marks else 1

    def error(self, path: KeyPath, problem: str) -> ConfigError:
        """A ConfigError that names file, line and dotted key."""
        key = dotted(path)
        return ConfigError(f"{self.path}:{self.line(path)}", f"{key}: {problem}" if key else problem)


def dotted(path: KeyPath) -> str:
    """`sources.pump1.files.paths[0]`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


class _Loader(yaml.SafeLoader):
    """SafeLoader in which a number is what a reader takes for one, and a date stays text.

    To YAML 1.1 060 is 48 and 1:30 is 90; here both are text, as is 0x3c. No setting is a date, and an impossible one (2026-13-45) raises
    deep inside PyYAML.
    """


_NUMBERS = {
    "tag:yaml.org,2002:int": re.compile(r"[-+]?(0|[1-9][0-9]*)\Z"),
    "tag:yaml.org,2002:float": re.compile(
        r"[-+]?((0|[1-9][0-9]*)\.[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?\Z|[-+]?\.(inf|Inf|INF)\Z|\.(nan|NaN|NAN)\Z"
    ),
}
_Loader.yaml_implicit_resolvers = {
    first: [(tag, _NUMBERS.get(tag, pattern)) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def read_yaml(path: Path) -> Document:
    """Read a YAML file.

    Raises
    ------
    ConfigError
        Missing or unreadable file, not UTF-8, larger than `MAXIMUM_BYTES`, not YAML, duplicate keys, keys that are not text,
        tags, more than one document, or nesting and aliases beyond the bounds above.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAXIMUM_BYTES + 1)
    except FileNotFoundError:
        raise ConfigError(path, "no such file; copy config.yaml from the project and edit it, or name yours with --config") from None
    except OSError as error:
        raise ConfigError(path, unreadable(error)) from error
    if len(content) > MAXIMUM_BYTES:
        raise ConfigError(path, f"larger than {MAXIMUM_BYTES // 1024} KB; this does not look like a configuration")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{path}:{line}", "not UTF-8 text; save the file as UTF-8") from error
    return parse_yaml(text, path)


def parse_yaml(text: str, path: Path) -> Document:
    """Parse YAML text that came from `path`; see `read_yaml`."""
    try:
        loader = _Loader(text)
        try:
            root = _root(loader, path)
            walk = _Walk(path, loader)
            data = walk.value(root, ()) if root is not None else None
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = error.problem or error.context or "not valid YAML"
        hint = "; write spaces in place of the tab" if "'\\t'" in problem else ""
        raise ConfigError(f"{path}:{mark.line + 1 if mark else 1}", f"not valid YAML: {problem}{hint}") from error
    except yaml.YAMLError as error:  # a ReaderError: control characters
        line = text.count("\n", 0, getattr(error, "position", 0)) + 1
        raise ConfigError(f"{path}:{line}", "not valid YAML: a control character; is this a text file?") from error
    except RecursionError as error:
        raise ConfigError(path, "not valid YAML: nested too deeply") from error
    return Document(path=path, data=data, marks=walk.marks)


def _root(loader: _Loader, path: Path) -> yaml.Node | None:
    """The one document of a file."""
    try:
        root: yaml.Node | None = loader.get_single_node()
    except (ValueError, OverflowError) as error:  # PyYAML's scanner takes any number for a character: \\UFFFFFFFF
        line = loader.line + 1
        raise ConfigError(f"{path}:{line}", "not valid YAML: an escaped character that does not exist; write it out") from error
    return root


class _Walk:
    """Turns PyYAML nodes into plain values, and remembers where each was."""

    def __init__(self, path: Path, loader: _Loader) -> None:
        self._path = path
        self._loader = loader
        self._values = 0
        self.marks: dict[KeyPath, Mark] = {}

    def value(self, node: yaml.Node, path: KeyPath, line: int | None = None) -> object:
        """The plain value of a node; `line` is that of its key, if it has one."""
        line = line or node.start_mark.line + 1
        self._values += 1
        if self._values > MAXIMUM_VALUES or len(path) > MAXIMUM_DEPTH:
            raise self._error(node, "too large or nested too deeply once aliases are expanded; this does not look like a configuration")
        self.marks[path] = Mark(line, node.value if isinstance(node, yaml.ScalarNode) else "")
        if node.tag not in _PLAIN_TAGS:
            raise self._error(node, f"the tag {node.tag} means nothing here; remove it")
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, (*path, index)) for index, item in enumerate(node.value)]
        try:
            value: object = self._loader.construct_object(node)
        except (ValueError, OverflowError, IndexError, KeyError) as error:  # the last two of `!!int ''` and `!!bool maybe`
            raise self._error(node, f"'{node.value[:40]}' is not a value; put it in quotes if it is text") from error
        if isinstance(value, str) and isinstance(node, yaml.ScalarNode):
            self._check_text(node)
        if isinstance(value, float) and not math.isfinite(value):  # .nan would pass every range check
            raise self._error(node, f"{dotted(path)}: {node.value} is not a finite number")
        return value

    def _mapping(self, node: yaml.MappingNode, path: KeyPath) -> dict[str, object]:
        """A mapping whose keys are text and stand once."""
        values: dict[str, object] = {}
        lines: dict[str, int] = {}
        for key_node, value_node in node.value:
            key = self._key(key_node)
            line = key_node.start_mark.line + 1
            if key in values:
                raise ConfigError(
                    f"{self._path}:{line}", f"{dotted((*path, key))}: written twice (first on line {lines[key]}); keep one of them"
                )
            lines[key] = line
            values[key] = self.value(value_node, (*path, key), line)
        return values

    def _key(self, node: yaml.Node) -> str:
        """A key, which must be text: YAML 1.1 reads on, off, yes and no as true or false, and 1 as a number."""
        if not isinstance(node, yaml.ScalarNode):
            raise self._error(node, "a key must be text")
        if node.tag == "tag:yaml.org,2002:merge":
            raise self._error(node, "merge keys (<<) are not supported; write the keys out")
        if node.tag != "tag:yaml.org,2002:str":
            raise self._error(node, f'the key {node.value} is not text to YAML; write "{node.value}" in quotes')
        self._check_text(node)
        return str(node.value)

    def _check_text(self, node: yaml.ScalarNode) -> None:
        """Half of a pair of UTF-16 is no character, and can stand in no file name, topic or message."""
        if any("\ud800" <= character <= "\udfff" for character in node.value):
            raise self._error(node, "an escaped character that does not exist (\\ud800 to \\udfff); write it out")

    def _error(self, node: yaml.Node, problem: str) -> ConfigError:
        return ConfigError(f"{self._path}:{node.start_mark.line + 1}", problem)
