"""Parse a file and walk its syntax tree to cuts.

Invariant: no Python recursion, and a parse that takes too long is given up, so no file's nesting or
ambiguity can exhaust the stack or hold a worker.
"""

import re
import time
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from tree_sitter import Node, Parser, Range, Tree

from lucastrad.indexing.chunking import kinds
from lucastrad.indexing.chunking.cuts import Cut
from lucastrad.indexing.chunking.grammars import Grammar, grammar_of
from lucastrad.indexing.chunking.limits import Limits
from lucastrad.indexing.chunking.lines import Lines
from lucastrad.indexing.chunking.rules import ERROR_ID, HOLDER, LEAD, Role, Rule

PARSE_SECONDS: Final = 5.0
_UNWATCHED_BYTES: Final = 65_536
"""Up to this a parse runs without a progress callback, which costs a fifth of the time (2.9 s for 2.4 s)."""
_WRAPPER_DEPTH: Final = 4
_LONGEST_MEAN_LINE: Final = 1000
"""Bytes. Cuts fall between lines: a minified file has none, and 2 MB on one line took 4 s and 270 MB to walk."""
_ERROR_SHARE: Final = 0.5
_DEFINED_SHARE: Final = 0.25

# Scanners keep their state in tree-sitter's 1,024 bytes and these overrun it, which kills the process: YAML from
# 256 levels on (indentation or `- - -`), Ruby's and Perl's here-documents with a name of some 256 letters.
_HEREDOC: Final = re.compile(rb"<<[~-]?[\"'`]?\w{200}")
_HAZARDS: Final = {
    "yaml": re.compile(rb"^[ \t]{120}|(?:[-?:][ \t]+){80}", re.MULTILINE),
    "ruby": _HEREDOC,
    "perl": _HEREDOC,
}


class Unparsable(Exception):
    """The tree would say nothing about the text; the message tells why."""


class ParseDeadline:
    """Ends a parse that runs longer than `seconds` on the given clock."""

    def __init__(self, seconds: float = PARSE_SECONDS, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._end = clock() + seconds
        self.seconds = seconds

    def passed(self, _offset: int = 0, _has_error: bool = False) -> bool:
        return self._clock() > self._end


def parse(data: bytes, grammar: Grammar, deadline: ParseDeadline, ranges: list[Range] | None = None) -> Tree:
    """The tree of the whole text, or of the given ranges of it.

    Raises `Unparsable` at the deadline, and for text known to crash the parser.
    """
    if (hazard := _HAZARDS.get(grammar.name)) and hazard.search(data):
        raise Unparsable(f"nested too deeply, or named too long, for the parser of {grammar.name}")
    parser = Parser(grammar.language, included_ranges=ranges)
    if len(data) <= _UNWATCHED_BYTES:
        return parser.parse(data)
    view = memoryview(data)
    try:
        return parser.parse(lambda offset, _point: view[offset:], progress_callback=deadline.passed)
    except ValueError:  # what the binding raises for a parse that the callback ended
        raise Unparsable(f"parsing as {grammar.name} took over {deadline.seconds:g} s") from None


def cuts_of(lines: Lines, language: str, limits: Limits, deadline: ParseDeadline | None = None) -> list[Cut]:
    """The cuts of a text; raises `Unparsable`."""
    if len(lines.data) > _LONGEST_MEAN_LINE * lines.count:
        raise Unparsable("its lines are too long to cut between them")
    deadline = deadline or ParseDeadline()
    grammar = grammar_of(language)
    root = parse(lines.data, grammar, deadline).root_node
    walk = _Walk(lines, limits, deadline)
    walk.run(root, grammar)
    broken = root.kind_id == ERROR_ID or walk.error_bytes > _ERROR_SHARE * len(lines.data)
    # One missing brace can put a whole file into an ERROR node: what counts is what was still recognised.
    if broken and walk.defined_cost < _DEFINED_SHARE * lines.sums[-1]:
        raise Unparsable(f"most of the text is not valid {language}")
    return walk.cuts or [Cut(0, "", kinds.BLOCK, 0, 0)]


class _Walk:
    """One walk over a tree, top down, in the order of the text."""

    def __init__(self, lines: Lines, limits: Limits, deadline: ParseDeadline) -> None:
        self.cuts: list[Cut] = []
        self.error_bytes = 0
        self.defined_cost = 0
        """What the outermost definitions cost."""
        self._lines = lines
        self._limits = limits
        self._deadline = deadline
        self._scopes = 0
        self._lead: tuple[int, int] | None = None
        """The lines of comments and the like that wait for what follows them."""
        self._done = 0
        """The line after the last node visited; a comment before it stands behind code."""
        self._error_end = 0
        self._defined_end = 0
        self._definition: tuple[str, str] = ("", "")
        """Symbol and kind of the last definition."""

    def run(self, root: Node, grammar: Grammar, symbol: str = "", scope: int = 0) -> None:
        """Cut at the definitions and statements below `root`.

        Only nodes that can hold definitions, or are larger than a chunk, are entered: Python objects for nodes
        are what a walk costs.
        """
        rules, target = grammar.rules, self._limits.target
        sums, line_at, end_line = self._lines.sums, self._lines.line_at, self._lines.end_line
        stack = [_Frame(iter(root.named_children), symbol, "", scope)]
        while stack:
            frame = stack[-1]
            for node in frame.nodes:
                start, stop = node.byte_range
                first, end = line_at(start), end_line(stop)
                rule = rules.get(node.kind_id)
                if rule is LEAD:
                    self._keep_lead(first, end, frame)
                    continue
                begin = first if self._lead is None else self._begin(first, frame)
                self._done = end
                span = _Span(begin, end, end - first > 1, sums[end] - sums[first] > target)
                if rule is None:
                    below = self._statement(node, span, frame)
                else:
                    below = self._visit(node, rule, rules, span, frame)
                if below is not None:
                    if below.nodes is frame.nodes:
                        stack[-1] = below
                    else:
                        stack.append(below)
                    break
            else:
                if self._lead is not None:
                    self._begin(self._lines.count + 1, frame)
                stack.pop()

    def _cut(self, line: int, symbol: str, kind: str, outer: int, inner: int) -> None:
        cuts = self.cuts
        if not cuts:
            line = 0
        elif line <= cuts[-1].line:
            # Two nodes on one line: a definition says more than the statement before it.
            if cuts[-1].kind == kinds.BLOCK and kind != kinds.BLOCK:
                cuts[-1] = Cut(cuts[-1].line, symbol, kind, cuts[-1].outer, inner)
            return
        cuts.append(Cut(line, symbol, kind, outer, inner))

    def _keep_lead(self, first: int, end: int, frame: "_Frame") -> None:
        if first < self._done:
            return
        if self._lead is not None:
            first = self._begin(first, frame)
        self._lead = (first, end)

    def _begin(self, first: int, frame: "_Frame") -> int:
        """Where the node at `first` begins, with its lead; a lead above a blank line stands alone."""
        lead, self._lead = self._lead, None
        if lead is None:
            return first
        if lead[1] >= first:
            return lead[0]
        self._cut(lead[0], frame.symbol, kinds.BLOCK, frame.scope, frame.scope)
        return first

    def _statement(self, node: Node, span: "_Span", frame: "_Frame") -> "_Frame | None":
        self._cut(span.begin, frame.symbol, kinds.BLOCK, frame.scope, frame.scope)
        if span.large and span.multiline:
            return frame._replace(nodes=iter(node.named_children))
        return None

    def _visit(self, node: Node, rule: Rule, rules: dict[int, Rule], span: "_Span", frame: "_Frame") -> "_Frame | None":
        """Cut at a node that has a rule; return the frame to go on with, if it is another."""
        role = rule.role
        if role is Role.DEFINITION or role is Role.WRAPPER:
            inner, rule = _unwrap(node, rule, rules, span.multiline)
            if rule.role is Role.DEFINITION:
                named = rule.namer(inner, self._lines.data)
                if named is not None and named[0]:
                    kind = named[1] or rule.kind
                    if frame.owner not in kinds.CALLABLE or kind in kinds.CALLABLE or kind in kinds.CLASS_LIKE:
                        return self._define(inner, named[0], kind, span, frame)
            role = rule.role
        elif role is Role.HEADING:
            named = rule.namer(node, self._lines.data)
            if named is not None:
                self._scopes += 1
                self._cut(span.begin, named[0], rule.kind, -1, self._scopes)
                return _Frame(frame.nodes, named[0], rule.kind, self._scopes)
        elif role is Role.TAIL:
            if span.large and span.multiline:
                self._scopes += 1
                return _Frame(iter(node.named_children), *self._definition, self._scopes)
            return None
        elif role is Role.EMBEDDED:
            self._cut(span.begin, frame.symbol, kinds.BLOCK, frame.scope, frame.scope)
            self._embedded(node, rule.language, frame)
            return None
        if role is not Role.HOLDER:
            return self._statement(node, span, frame)
        if node.kind_id == ERROR_ID and node.start_byte >= self._error_end:
            self._error_end = node.end_byte
            self.error_bytes += node.end_byte - node.start_byte
        self._cut(span.begin, frame.symbol, kinds.BLOCK, frame.scope, frame.scope)
        if span.multiline and (span.large or frame.owner not in kinds.CALLABLE):
            return frame._replace(nodes=iter(node.named_children))
        return None

    def _define(self, node: Node, name: str, kind: str, span: "_Span", frame: "_Frame") -> "_Frame | None":
        if kind == kinds.FUNCTION and frame.owner in kinds.CLASS_LIKE:
            kind = kinds.METHOD
        symbol = f"{frame.symbol}.{name}" if frame.symbol else name
        self._definition = (symbol, kind)
        if span.begin >= self._defined_end:
            self._defined_end = span.end
            self.defined_cost += self._lines.cost(span.begin, span.end)
        if not (span.multiline and self._opens(kind, self._lines.cost(span.begin, span.end))):
            self._cut(span.begin, symbol, kind, frame.scope, frame.scope)
            return None
        self._scopes += 1
        self._cut(span.begin, symbol, kind, frame.scope, self._scopes)
        return _Frame(iter(node.named_children), symbol, kind, self._scopes)

    def _opens(self, kind: str, cost: int) -> bool:
        """Whether a definition is cut at its members."""
        if kind in kinds.OPEN:
            return True
        if kind in kinds.CLASS_LIKE:
            return cost > self._limits.whole_class
        return cost > (self._limits.whole_function if kind in kinds.SOLO else self._limits.target)

    def _embedded(self, node: Node, language: str, frame: "_Frame") -> None:
        """Walk another language's text, at its place in this file."""
        for child in node.named_children:
            if child.type not in ("raw_text", "frontmatter_js_block"):
                continue
            grammar = grammar_of(language)
            tree = parse(self._lines.data, grammar, self._deadline, [child.range])
            errors = self.error_bytes  # a template's placeholders in a script are no fault of the file
            self.run(tree.root_node, grammar, frame.symbol, frame.scope)
            self.error_bytes = errors


class _Frame(NamedTuple):
    """Nodes still to visit, and the symbol, kind and scope that they stand in."""

    nodes: Iterator[Node]
    symbol: str
    owner: str
    scope: int


class _Span(NamedTuple):
    """The lines [begin, end) of a node with its lead; `large` is more than a chunk's target."""

    begin: int
    end: int
    multiline: bool
    large: bool


def _unwrap(node: Node, rule: Rule, rules: dict[int, Rule], multiline: bool) -> tuple[Node, Rule]:
    """The one definition inside a wrapper; several on several lines make the wrapper a holder."""
    for _ in range(_WRAPPER_DEPTH):
        if rule.role is not Role.WRAPPER:
            break
        inside = [
            (child, found)
            for child in node.named_children
            if (found := rules.get(child.kind_id)) is not None and found.role in _UNWRAPPED
        ]
        if not inside:
            break
        if len(inside) > 1 and multiline:
            return node, HOLDER
        node, rule = inside[0]
    return node, rule


_UNWRAPPED: Final = frozenset({Role.DEFINITION, Role.WRAPPER})
