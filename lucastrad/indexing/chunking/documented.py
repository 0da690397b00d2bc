"""Definitions and what their authors say of them: pairs that a model learns from, and questions that it is judged by.

Definitions are found and named by the chunker's own tables, so `symbol` is what the index will hold. Pure: text in,
values out.
"""

import inspect
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

import semble_grammars
from tree_sitter import Node

from lucastrad.indexing.chunking import kinds, language_of
from lucastrad.indexing.chunking.grammars import Grammar, grammar_of
from lucastrad.indexing.chunking.lines import Lines
from lucastrad.indexing.chunking.rules import Role, Rule
from lucastrad.indexing.chunking.tree import ParseDeadline, Unparsable, parse

LANGUAGES: Final = frozenset({"c", "cpp", "go", "java", "javascript", "python", "rust", "tsx", "typescript"})
"""Where this module knows what a doc comment looks like."""

_KINDS: Final = frozenset((kinds.CALLABLE | kinds.CLASS_LIKE) - {kinds.TARGET, kinds.MACRO, kinds.IMPL})
_WRAPPER_DEPTH: Final = 4
_LARGEST_BYTES: Final = 1_000_000
_LONGEST_MEAN_LINE: Final = 300
"""Bytes; above it a file is minified or data."""

_BLOCK: Final = re.compile(r"/\*\*(?!/)|/\*!")
_PLAIN_BLOCK: Final = re.compile(r"/\*")
_LINE: Final = re.compile(r"//[/!](?!/)")
_PLAIN_LINE: Final = re.compile(r"//")
_DOC_COMMENT: Final = {
    # In C a plain block comment above a function is how most projects document it.
    "c": (_PLAIN_BLOCK, _LINE),
    "cpp": (_BLOCK, _LINE),
    "go": (_PLAIN_LINE, _PLAIN_BLOCK),
    "java": (_BLOCK,),
    "javascript": (_BLOCK,),
    "rust": (re.compile(r"///(?!/)"), re.compile(r"/\*\*(?!/)")),
    "tsx": (_BLOCK,),
    "typescript": (_BLOCK,),
}


@dataclass(frozen=True, slots=True)
class Documented:
    """A function, method or class."""

    path: str
    symbol: str
    """As the chunker names it: `Class.method`."""
    language: str
    doc: str
    """The description without comment marks and without tags (`@param` …); empty when there is none."""
    code: str
    """The definition's lines, decorators and attributes included, without its own documentation."""
    start_line: int
    """Of the code or, where it stands above, of the documentation; counted from 1."""
    head_line: int
    """Where the definition itself begins, below its documentation, decorators and attributes; counted from 1."""
    doc_bytes: tuple[int, int]
    """Where the documentation stands in the file's UTF-8, marks included, as [start, end); (0, 0) for none."""


class _Doc(NamedTuple):
    text: str
    start_byte: int
    end_byte: int


def documented(path: str, source: str, *, undocumented: bool = False) -> Iterator[Documented]:
    """The definitions of a file that have documentation, in the order of the text.

    With `undocumented` also the others that have a body (`doc` is empty), except those inside functions. Yields
    nothing for a file of another language than `LANGUAGES`, or one that cannot be parsed.
    """
    language = language_of(path, source[:400].partition("\n")[0])
    if language not in LANGUAGES or len(source) > _LARGEST_BYTES:
        return
    lines = Lines(source)
    if len(lines.data) > _LONGEST_MEAN_LINE * lines.count:
        return
    try:
        grammar = grammar_of(language)
        root = parse(lines.data, grammar, ParseDeadline()).root_node
    except (Unparsable, semble_grammars.GrammarLoadError, semble_grammars.LanguageNotFoundError):
        return
    yield from _Walk(path, language, lines, grammar, undocumented=undocumented).run(root)


def without_docs(source: str, definitions: Iterable[Documented]) -> str:
    """The text of a file without the documentation of these definitions, each line where it was."""
    data = bytearray(source.encode("utf-8", "replace"))
    for definition in definitions:
        start, end = definition.doc_bytes
        blanks = _NOT_LINE_END.sub(b" ", data[start:end])
        # A docstring may be all that a function has: what stays must be a body.
        data[start:end] = b"..." + blanks[3:] if definition.language == "python" and definition.doc else blanks
    return data.decode("utf-8", "replace")


_NOT_LINE_END: Final = re.compile(rb"[^\n]")


def first_sentence(doc: str) -> str:
    """The first sentence of a description, on one line; the whole first paragraph when it does not end before."""
    paragraph = re.sub(r"\s+", " ", doc.strip().partition("\n\n")[0]).strip()
    end = _SENTENCE_END.search(paragraph)
    return paragraph[: end.start() + 1] if end else paragraph


_SENTENCE_END: Final = re.compile(r"(?<!\be\.g)(?<!\bi\.e)(?<!\betc)(?<!\bvs)(?<!\bcf)[.!?](?=\s+[A-Z`\"'(\[*]|$)")


class _Walk:
    """One walk over one file's tree; without recursion, as the chunker's."""

    def __init__(self, path: str, language: str, lines: Lines, grammar: Grammar, *, undocumented: bool) -> None:
        self._path = path
        self._language = language
        self._lines = lines
        self._rules = grammar.rules
        self._undocumented = undocumented

    def run(self, root: Node) -> Iterator[Documented]:
        stack = [(iter(self._with_leads(root)), "", "")]
        while stack:
            nodes, symbol, owner = stack[-1]
            for node, leads in nodes:
                inner, rule = self._unwrapped(node)
                named = None
                if rule is not None and rule.role is Role.DEFINITION:
                    named = rule.namer(inner, self._lines.data)
                if named is not None and rule is not None and named[0]:
                    name, kind = named[0], named[1] or rule.kind
                    below = f"{symbol}.{name}" if symbol else name
                    if kind in _KINDS:
                        yield from self._found(node, inner, leads, below, owner)
                    if kind in _KINDS or kind in kinds.OPEN:
                        stack.append((iter(self._with_leads(inner)), below, kind))
                        break
                if node.end_point[0] > node.start_point[0]:
                    stack.append((iter(self._with_leads(node)), symbol, owner))
                    break
            else:
                stack.pop()

    def _with_leads(self, parent: Node) -> list[tuple[Node, list[Node]]]:
        """The children with the comments and attributes that stand directly above each."""
        found: list[tuple[Node, list[Node]]] = []
        leads: list[Node] = []
        done = -1
        for node in parent.named_children:
            rule = self._rules.get(node.kind_id)
            first = node.start_point[0]
            if rule is not None and rule.role is Role.LEAD:
                if first == done:
                    continue  # behind code, on its line
                if leads and _next_line(leads[-1]) < first:
                    leads = []
                leads.append(node)
                continue
            if leads and _next_line(leads[-1]) < first:
                leads = []
            found.append((node, leads))
            leads, done = [], node.end_point[0]
        return found

    def _unwrapped(self, node: Node) -> tuple[Node, Rule | None]:
        rule = self._rules.get(node.kind_id)
        for _ in range(_WRAPPER_DEPTH):
            if rule is None or rule.role is not Role.WRAPPER:
                break
            inside = [
                (child, below)
                for child in node.named_children
                if (below := self._rules.get(child.kind_id)) is not None
                and below.role in (Role.DEFINITION, Role.WRAPPER)
            ]
            if len(inside) != 1:
                return node, None
            node, rule = inside[0]
        return node, rule

    def _found(self, node: Node, inner: Node, leads: list[Node], symbol: str, owner: str) -> Iterator[Documented]:
        doc = self._docstring(inner) if self._language == "python" else self._comment(leads)
        if doc is None and (not self._undocumented or owner in kinds.CALLABLE or not _has_body(inner)):
            return
        start = min([node.start_byte, *(lead.start_byte for lead in leads)])
        data = self._lines.data
        start_line = self._lines.line_at(start)
        start = self._lines.starts[start_line]
        if doc is None:
            code = data[start : node.end_byte]
        else:
            after = doc.end_byte
            if data[after : after + 1] == b"\n":
                after += 1
            code = data[start : doc.start_byte].rstrip(b" \t") + data[after : node.end_byte]
        text = code.decode("utf-8", "replace").strip("\n")
        if doc is None or doc.text:
            yield Documented(
                self._path,
                symbol,
                self._language,
                doc.text if doc else "",
                text,
                start_line + 1,
                inner.start_point[0] + 1,
                (doc.start_byte, doc.end_byte) if doc else (0, 0),
            )

    def _docstring(self, node: Node) -> _Doc | None:
        body = node.child_by_field_name("body")
        first = next((child for child in body.named_children if child.type != "comment"), None) if body else None
        if first is not None and first.type == "expression_statement" and first.named_child_count == 1:
            first = first.named_children[0]
        if first is None or first.type != "string":
            return None
        literal = _QUOTED.fullmatch(self._lines.data[first.start_byte : first.end_byte].decode("utf-8", "replace"))
        if literal is None:
            return None
        return _Doc(inspect.cleandoc(literal["text"]), first.start_byte, first.end_byte)

    def _comment(self, leads: list[Node]) -> _Doc | None:
        """The last run of doc comments among the leads; attributes may stand around it."""
        marks = _DOC_COMMENT[self._language]
        run: list[tuple[Node, str]] = []
        for lead in reversed(leads):
            text = self._lines.data[lead.start_byte : lead.end_byte].decode("utf-8", "replace")
            if any(mark.match(text) for mark in marks):
                run.append((lead, text))
                if text.startswith("/*"):
                    break
            elif run:
                break
        if not run:
            return None
        run.reverse()
        text = "\n".join(_uncommented(text) for _, text in run)
        return _Doc(_description(inspect.cleandoc(text)), run[0][0].start_byte, run[-1][0].end_byte)


_QUOTED: Final = re.compile(r"[rRuUbB]{0,2}(?P<quote>\"\"\"|'''|\"|')(?P<text>.*)(?P=quote)", re.DOTALL)


def _next_line(node: Node) -> int:
    """The line after a node; some grammars' line comments hold their line's end."""
    row, column = node.end_point
    return row if column == 0 else row + 1


def _has_body(node: Node) -> bool:
    return node.end_point[0] > node.start_point[0] and (
        node.child_by_field_name("body") is not None or any(child.named_child_count for child in node.named_children)
    )


_STAR: Final = re.compile(r"^[ \t]*\*+(?: |$)?|^[ \t]*\*(?=\S)", re.MULTILINE)
_TAG: Final = re.compile(r"^[ \t]*[@\\](?!link|code|c\b|p\b|ref\b|em\b|a\b|b\b|e\b)[a-zA-Z]+", re.MULTILINE)
_DESCRIBING: Final = re.compile(
    r"^[ \t]*[@\\](?:brief|short|details|summary|description|desc|classdesc|fileoverview|overview|doc)\b[ \t:]*",
    re.MULTILINE,
)
_INLINE: Final = re.compile(r"\{@\w+\s+([^}]*)\}|[@\\](?:c|p|ref|em|a|b|e|link|code)\s+(?=\S)")
_HTML: Final = re.compile(r"</?[a-zA-Z][^<>\n]{0,80}>")


def _uncommented(comment: str) -> str:
    text = comment.strip()
    if text.startswith("/*"):
        body = re.sub(r"^/\*+!?<?|\*+/$", "", text)
        return _STAR.sub("", body)
    return re.sub(r"^//[/!]?<?", "", text, count=1)


def _description(text: str) -> str:
    """What stands before the first tag that is not itself a description."""
    text = _INLINE.sub(lambda match: match[1] or "", _DESCRIBING.sub("", text))
    tag = _TAG.search(text)
    if tag is not None:
        text = text[: tag.start()]
    return _HTML.sub(" ", text).strip()
