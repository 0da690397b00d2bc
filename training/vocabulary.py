"""The model's vocabulary: word pieces of the very parts that `lucastrad.text.words` cuts text into."""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final

from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.pre_tokenizers import WhitespaceSplit
from tokenizers.trainers import WordPieceTrainer

from lucastrad.text.words import parts_of, written
from training.pairs import Example

PIECES: Final = 32_000
_UNKNOWN: Final = "[UNK]"
_RARE: Final = 3
_COMMON: Final = 2_000
"""A part in more texts than this weighs no more: every such part becomes a piece anyway."""


def part_counts(examples: Iterable[Example]) -> Counter[str]:
    """In how many examples each part stands."""
    counts: Counter[str] = Counter()
    for example in examples:
        words = set(written(f"{example.question} {example.doc} {example.path} {example.symbol} {example.text}"))
        counts.update({part for word in words for part in parts_of(word)})
    return counts


def learn_tokenizer(counts: Counter[str], pieces: int = PIECES) -> Tokenizer:
    """A WordPiece tokenizer (Schuster and Nakajima, 2012) over parts, trained on their document frequencies."""
    tokenizer = Tokenizer(WordPiece(unk_token=_UNKNOWN, max_input_chars_per_word=40))
    tokenizer.pre_tokenizer = WhitespaceSplit()
    trainer = WordPieceTrainer(
        vocab_size=pieces, special_tokens=[_UNKNOWN], limit_alphabet=200, show_progress=False, min_frequency=2
    )
    tokenizer.train_from_iterator(_repeated(counts), trainer)
    return tokenizer


def _repeated(counts: Counter[str]) -> Iterator[str]:
    for part, count in sorted(counts.items()):
        if count >= _RARE:
            yield f"{part} " * min(count, _COMMON)
