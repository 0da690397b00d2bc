"""Real queries: what a corpus's own authors wrote about its code, and what they called it."""

import ast
import random
import re
import warnings
from pathlib import Path

from benchmarks.errors import BenchmarkError

SEED = 20_250_402
_MAX_FILES = 1_500
_MIN_NAME_CHARACTERS = 4
_WORDS = range(3, 31)
_SENTENCE_END = re.compile(r"(?<=[.!?])\s")


def sample_queries(tree: Path, count: int, *, seed: int = SEED) -> list[str]:
    """`count` queries drawn from the Python sources of `tree`: half first sentences of docstrings, half identifiers.

    The same tree and seed give the same queries. Raises BenchmarkError when the tree has too few.
    """
    chance = random.Random(seed)
    files = sorted(path for path in tree.rglob("*.py") if ".git" not in path.parts and path.is_file())
    sentences: dict[str, None] = {}
    names: dict[str, None] = {}
    for path in chance.sample(files, min(_MAX_FILES, len(files))):
        found_sentences, found_names = material(path.read_text("utf-8", "replace"))
        sentences |= dict.fromkeys(found_sentences)
        names |= dict.fromkeys(found_names)
    half = count // 2
    if len(sentences) < half or len(names) < count - half:
        raise BenchmarkError(
            f"{tree} has {len(sentences)} documented definitions and {len(names)} names; "
            f"{count} queries need half as many of each: ask for fewer, or take a larger corpus"
        )
    queries = chance.sample(list(sentences), half) + chance.sample(list(names), count - half)
    chance.shuffle(queries)
    return queries


def material(source: str) -> tuple[list[str], list[str]]:
    """(first sentences of docstrings, names) of the definitions in a Python source; nothing if it has no syntax."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # invalid escapes in test data
            module = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError):
        return [], []
    sentences: list[str] = []
    names: list[str] = []
    for node in ast.walk(module):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        if is_telling_name(node.name):
            names.append(node.name)
        if (sentence := first_sentence(ast.get_docstring(node) or "")) is not None:
            sentences.append(sentence)
    return sentences, names


def is_telling_name(name: str) -> bool:
    """Whether someone would search for it: no dunder, no test, not too short."""
    bare = name.strip("_")
    return len(bare) >= _MIN_NAME_CHARACTERS and not name.startswith("__") and not bare.lower().startswith("test")


def first_sentence(docstring: str) -> str | None:
    """The first sentence of the first paragraph on one line; None unless it has 3 to 30 words."""
    paragraph = " ".join(docstring.strip().split("\n\n")[0].split())
    sentence = _SENTENCE_END.split(paragraph)[0].rstrip(".")
    return sentence if len(sentence.split()) in _WORDS and sentence.isprintable() else None
