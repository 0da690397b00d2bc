"""`python -m benchmarks.indexing [--quick] [--check] [--json FILE]`"""

import sys
import tempfile
from pathlib import Path

from benchmarks.command import Options, main
from benchmarks.corpora import CORPORA, DJANGO
from benchmarks.indexing.bars import verdicts
from benchmarks.indexing.results import IndexingReport
from benchmarks.indexing.suite import FULL, QUICK, measure_corpus
from benchmarks.machine import Machine


def measure(options: Options) -> IndexingReport:
    """Measure every corpus (with --quick: Django), and hold what was measured against the bars."""
    report = IndexingReport(Machine.here(), options.quick)

    async def run(scratch: Path) -> None:
        for corpus in (DJANGO,) if options.quick else CORPORA:
            with tempfile.TemporaryDirectory(dir=scratch, ignore_cleanup_errors=True) as folder:
                found = await measure_corpus(
                    corpus, QUICK if options.quick else FULL, cache=options.cache, scratch=Path(folder)
                )
            report.corpora.append(found)
            report.verdicts += verdicts(found)

    options.run(run)
    return report


if __name__ == "__main__":
    sys.exit(main("benchmarks.indexing", "Measure indexing, search and freshness on real code.", measure))
