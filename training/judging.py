"""Mean reciprocal rank of documentation sentences among the definitions of the dev packages."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from training.dataset import LANGUAGES, Dataset
from training.learning import Index, Recipe, Table, vectors_of

_QUESTIONS: Final = 1_500
_CUTOFF: Final = 10
_SETS: Final = {
    "Python": ("python",),
    "JavaScript and TypeScript": ("javascript", "typescript", "tsx"),
    "other languages": ("go", "rust", "java", "c", "cpp"),
}


def judge(table: Table, data: Dataset, recipe: Recipe) -> str:
    """The figures by group of languages, as one line."""
    rng = np.random.default_rng(5)
    said = []
    for name, languages in _SETS.items():
        pool = np.flatnonzero(np.isin(data.language, [LANGUAGES.index(language) for language in languages]))
        if len(pool):
            asked = rng.choice(len(pool), min(_QUESTIONS, len(pool)), replace=False)
            said.append(f"{name} {reciprocal_rank(table, data, pool, asked, recipe).mean():.3f}")
    return ", ".join(said)


def reciprocal_rank(table: Table, data: Dataset, pool: Index, asked: Index, recipe: Recipe) -> NDArray[np.float64]:
    """Of each question `pool[asked]` among the passages of `pool`; 0 beyond the tenth."""
    questions, passages = vectors_of(table, data, pool, recipe)
    scores = questions[asked] @ passages.T
    above = (scores > scores[np.arange(len(asked)), asked][:, None]).sum(axis=1)
    found: NDArray[np.float64] = np.where(above < _CUTOFF, 1.0 / (above + 1), 0.0)
    return found
