"""What of a model's text is offered: nothing that stands there already, one block at most, indented as the file is.

Invariant: pure functions of text. Apart from indentation, what is offered is a beginning of what the model wrote.
"""

import re

from lucastrad.completion.brackets import CLOSERS, imbalance, scan
from lucastrad.completion.cursor import Trigger, Window

_CLOSES_LINE = re.compile(r"\s*[)\]}>\"'`]*\s*[:{;,]?\s*")
"""What may stand after the cursor while a line is still being written: what editors close by themselves."""
_OPENS = re.compile(r"(?:[:{(\[]|=>|->|\b(?:do|then|else|begin|repeat))\s*$")
_CONTINUES = re.compile(
    r"[)\]}]|(?:elif|else|elsif|except|finally|catch|rescue|ensure|case|default|when|end|fi|done|esac|until)\b"
)
"""Lines that belong to the block above them although they are not indented deeper than its first line."""
_CLOSING = re.compile(r"\s*(?:[)\]}]|end\b)")
_OVERLAP = 512
"""Characters after the cursor that a completion is compared with."""
_TAB = 4


def worth_asking(window: Window, trigger: Trigger) -> bool:
    """Whether a completion may be offered here: unasked, not within a word or a line, and not in an empty file."""
    if trigger is Trigger.INVOKED:
        return True
    if not window.prefix.strip() and not window.suffix.strip():
        return False
    return _CLOSES_LINE.fullmatch(window.rest) is not None


def may_span_lines(window: Window, trigger: Trigger) -> bool:
    """Whether more than the rest of the line may be offered.

    Unasked only where a block or a statement begins: a line that is half written is completed first.
    """
    rest, line = window.rest.strip(), window.line.strip()
    if rest:
        return bool(line) and _OPENS.search(line) is not None and set(rest) <= CLOSERS
    return trigger is Trigger.INVOKED or not line or _OPENS.search(line) is not None


def fit(text: str, window: Window, *, lines: bool, cut_short: bool = False) -> str:
    """What is offered of `text`; empty where nothing of it is of use.

    `lines` allows more than one; `cut_short` says that the model was stopped in the middle of its last one.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if not lines:
        text = text.partition("\n")[0]
    elif cut_short and "\n" in text.strip("\n"):
        text = text[: text.rindex("\n")]
    text = _without_typed_indentation(text, window)
    text = _indented_as(text, window)
    text = _one_block(text, window)
    text = _without_following_lines(text, window)
    text = _without_overlap(text, window)
    text = _without_surplus_closers(text, window)
    if not text.strip():
        return ""
    return text if window.rest.strip() else text.rstrip()


def is_complete(text: str, window: Window) -> bool:
    """Whether a model that is still writing has left the block, so that `fit` will not offer more.

    Only whole lines tell: `el` may become an `else` that belongs to the block.
    """
    whole, line_feed, _ = text.replace("\r\n", "\n").rpartition("\n")
    if not line_feed or not whole.strip():
        return False
    whole = _without_typed_indentation(whole, window)
    return _one_block(whole, window) != whole or _without_following_lines(whole, window) != whole


# --- indentation ---------------------------------------------------------------------------------


def _indentation(line: str) -> str:
    return line[: len(line) - len(line.lstrip(" \t"))]


def _width(line: str) -> int:
    return len(_indentation(line).expandtabs(_TAB))


def _without_typed_indentation(text: str, window: Window) -> str:
    """Models often begin a line anew although its indentation is typed already."""
    typed = window.line
    if not typed or typed.strip() or not text.startswith(typed):
        return text
    above = next((line for line in reversed(window.prefix.split("\n")[:-1]) if line.strip()), "")
    if _OPENS.search(above) and _width(typed) <= _width(above):
        return text  # a block begins here, and this indentation is what it lacks
    return text[len(typed) :]


def _indented_as(text: str, window: Window) -> str:
    """`text` with the tabs, or the spaces, that the file is indented with."""
    starts = [
        line[0] for line in (window.prefix + window.suffix).split("\n") if line[:1] in (" ", "\t") if line.strip()
    ]
    if not starts or "\n" not in text:
        return text
    lines = text.split("\n")
    tabs = starts.count("\t") * 2 > len(starts)
    if not any(_indentation(line).count(" " if tabs else "\t") for line in lines[1:]):
        return text
    if tabs:
        widths = [_width(line) for line in lines[1:] if line.startswith(" ") and line.strip()]
        unit = 2 if any(width % 4 for width in widths) else 4
    else:
        widths = [
            len(_indentation(line)) for line in window.prefix.split("\n") if line.startswith(" ") and line.strip()
        ]
        unit = 2 if any(width % 4 == 2 for width in widths) else 4
    return "\n".join([lines[0], *(_converted(line, unit, tabs=tabs) for line in lines[1:])])


def _converted(line: str, unit: int, *, tabs: bool) -> str:
    indentation = _indentation(line)
    width = len(indentation.expandtabs(unit))
    return ("\t" * (width // unit) + " " * (width % unit) if tabs else " " * width) + line[len(indentation) :]


def _one_block(text: str, window: Window) -> str:
    """`text` up to where it leaves the block of the cursor, or the one that it begins."""
    lines = text.split("\n")
    first = window.line + lines[0]
    if not first.strip():  # the first line with something on it decides
        first = next((line for line in lines[1:] if line.strip()), "")
    base = _width(first)
    opens = _OPENS.search(first) is not None
    closing = False
    for number, line in enumerate(lines[1:], start=1):
        if not line.strip():
            two_blank = number + 1 < len(lines) and not lines[number + 1].strip()
            if two_blank and any(map(str.strip, lines[:number])):
                return "\n".join(lines[:number])
            continue
        width = _width(line)
        leaves = width < base or (opens and width == base and line != first and not _CONTINUES.match(line.strip()))
        if (leaves or closing) and not _CLOSING.match(line):
            return "\n".join(lines[:number])
        closing = closing or width < base
    return text


# --- what follows the cursor ---------------------------------------------------------------------


def _without_following_lines(text: str, window: Window) -> str:
    """`text` up to a line that stands below the cursor already."""
    following = window.following
    if not following:
        return text
    lines = text.split("\n")
    for number, line in enumerate(lines):
        whole = line if number else window.line + line
        if whole.rstrip() == following and (number or not window.rest.strip()):
            kept = "\n".join(lines[:number])
            if imbalance(kept) <= imbalance(text):
                return kept
    return text


def _without_overlap(text: str, window: Window) -> str:
    """`text` without an end that the text after the cursor begins with, unless brackets or quotes need it."""
    after = window.suffix[:_OVERLAP]
    for size in range(min(len(text), len(after)), 0, -1):
        shared = after[:size]
        if not shared.strip() or not text.endswith(shared):
            continue
        kept = text[:-size]
        if _joins_word(window.line + kept, shared) or _joins_word(shared, after[size:]):
            continue
        if imbalance(kept) <= imbalance(text):
            return kept
    return text


def _joins_word(left: str, right: str) -> bool:
    """Whether a word goes on from `left` to `right`."""
    return _is_word(left[-1:]) and _is_word(right[:1])


def _is_word(character: str) -> bool:
    return character == "_" or character.isalnum()


def _without_surplus_closers(text: str, window: Window) -> str:
    """`text` up to a bracket that closes what nothing has opened, or what is closed right after the cursor."""
    surplus = scan(text).surplus
    if not surplus:
        return text
    awaited = scan(window.prefix).pending
    closed = [character for character in window.suffix[:_OVERLAP].lstrip() if not character.isspace()]
    taken = 0
    while taken < len(closed) and awaited and closed[taken] == awaited[-1]:
        awaited.pop()
        taken += 1
    for offset, closer in surplus:
        if awaited and awaited[-1] == closer:
            awaited.pop()
        elif awaited or taken or window.from_start:
            return text[:offset]
        else:
            return text  # opened above the window, perhaps
    return text
