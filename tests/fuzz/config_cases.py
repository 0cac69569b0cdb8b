"""Hostile configurations: bombs of aliases, deep nesting, huge numbers, bytes that are no text, and values of other types."""

from __future__ import annotations

import re
from collections.abc import Callable

from tests.fuzz.mutations import VALUES, Rng, mutated, pick
from tests.fuzz.seeds import CONFIG

SCALARS = (
    *VALUES, ".inf", "-.nan", "0x" + "f" * 400, "1:30:00", "1" + ":59" * 300, "0b1", "0o7", "1_000", "2026-13-45", "~", "~nobody/x", "yes",
    "!!python/object/apply:os.system [true]", "!!binary aGVsbG8=", "!!float x", "!!int ''", "!!bool x", "!!null x", "!!map x", "!!seq x",
    "!!timestamp 2026-99-99", "!!set {a}", "!!omap [a: 1]", "&a *a", "*a", "*missing", "&a [*a]", "&x {a: *x}", "|", ">", "|9", "'", '"',
    '"\\x"', '"\\U00110000"', '"\\ud800"', "? a", "- a", "{", "[", "}", "@", "`", "%", "<<: {a: 1}", "\t", "\ufeff", "a: b: c", "---",
    "...",    "{a: 1, a: 2}", "{[a]: b}", "{? [a, b] : c}", "{1: a}", "{null: a}", "{'': a}", "{<<: *a}", "0.0000000001", "+.5e+9999",
    "-" * 3000,
)  # fmt: skip


def config_case(rng: Rng) -> tuple[str, bytes]:
    """What was done, and the file."""
    kind: Callable[[Rng], bytes] = pick(rng, KINDS)
    return kind.__name__, kind(rng)


def damaged(rng: Rng) -> bytes:
    """Random bytes are wrong."""
    return mutated(rng, CONFIG.encode(), 6)


def scalar(rng: Rng) -> bytes:
    """One or two values are hostile ones."""
    text = CONFIG
    values = list(re.finditer(r"(?<=: )[^{}\[\],\n]+|\[[^]\n]*\]|(?<=: )\{[^}\n]*\}", CONFIG))
    chosen = rng.choice(len(values), int(rng.integers(1, 3)), replace=False)
    for index in sorted(chosen, reverse=True):  # from the last on, so that places before it stay
        text = text[: values[index].start()] + pick(rng, SCALARS) + text[values[index].end() :]
    return text.encode("utf-8", "surrogatepass")


def key(rng: Rng) -> bytes:
    """A key is a hostile one, or stands somewhere else."""
    found = pick(rng, list(re.finditer(r"[a-z_0-9]+(?=:)", CONFIG)))
    name: str = pick(
        rng,
        (
            "",
            "x" * 5000,
            "on",
            "1",
            "null",
            "\u00e9",
            "''",
            '"\\0"',
            "? ",
            "<<",
            "node",
            "pump1",
            "cmd",
            "- ",
            "!!str a",
            "*b",
            "a.b",
            "`",
            "`x` - at `$.y",
        ),
    )
    return (CONFIG[: found.start()] + name + CONFIG[found.end() :]).encode()


def bomb(rng: Rng) -> bytes:
    """A billion laughs, in lists or mappings, or an anchor within itself."""
    levels = int(rng.integers(4, 40))
    wide = int(rng.integers(2, 12))
    lines = ["a0: &a0 [lol, lol]"]
    for level in range(1, levels):
        inner = ", ".join(f"*a{level - 1}" if rng.random() < 0.9 else f"{{k{level}: *a{level - 1}}}" for _ in range(wide))
        lines.append(f"a{level}: &a{level} [{inner}]")
    return ("\n".join(lines) + "\n" + CONFIG).encode()


def deep(rng: Rng) -> bytes:
    """Nesting without end."""
    levels = int(pick(rng, (30, 40, 300, 900, 3000, 60_000)))
    opening, closing = pick(rng, (("[", "]"), ("{a: ", "}"), ("- ", ""), ("? ", ""), ("[{a: ", "}]")))
    tail = closing * levels if rng.random() < 0.7 else ""
    return (CONFIG.replace("workshop", opening * levels + "x" + tail) if rng.random() < 0.5 else opening * levels + "x" + tail).encode()


def large(rng: Rng) -> bytes:
    """Many keys, items, documents, long lines, and more than a configuration may have."""
    count = int(pick(rng, (500, 5000, 30_000)))
    part = pick(rng, ("k{}: 1\n", "- {}\n", "---\n", "&a{} x: 1\n", "  ", "# {}\n", '"k{}": "\\\n'))
    extra = "".join(part.replace("{}", str(number)) for number in range(count))
    return (CONFIG + extra if rng.random() < 0.5 else extra).encode()


def no_text(rng: Rng) -> bytes:
    """NUL, UTF-16, bad UTF-8, control characters, a BOM, odd line ends."""
    content = CONFIG.encode()
    place = int(rng.integers(len(content)))
    odd = pick(
        rng,
        (
            b"\0",
            b"\xff",
            b"\xc3\x28",
            b"\xed\xa0\x80",
            b"\x1b[2J",
            b"\xef\xbb\xbf",
            b"\r",
            b"\xe2\x80\xa8",
            b"\x7f",
            b"\xc2\x85",
            b"\xf4\x90\x80\x80",
        ),
    )
    whole = pick(rng, (CONFIG.encode("utf-16"), CONFIG.encode("utf-32"), b"", b"\0" * 1000, rng.bytes(2000), content.replace(b"\n", b"\r")))
    made: bytes = whole if rng.random() < 0.3 else content[:place] + odd + content[place:]
    return made


KINDS = (damaged, scalar, scalar, scalar, key, bomb, deep, large, no_text)
