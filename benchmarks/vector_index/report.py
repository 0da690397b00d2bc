"""The report as text."""

from collections.abc import Iterable
from itertools import groupby

from benchmarks.vector_index import daemon_report
from benchmarks.vector_index.planning import SIGN_TARGET
from benchmarks.vector_index.results import Searched, VectorReport
from benchmarks.vector_index.thresholds import suggestions

Table = list[str]


def lines(report: VectorReport) -> list[str]:
    """The whole run."""
    text = [str(report.machine), f"instructions: {', '.join(report.cpu_levels)}"]
    if report.core is not None:
        text += [
            f"pinned to core {report.core}; processor time, medians",
            f"peers: {', '.join(report.versions)}",
        ]
    if report.quick:
        text.append("quick: fewer rows, peers, queries and rounds")
    text += _corpora(report)
    for part in (
        _graphs,
        _annoy,
        _scans,
        _missed,
        _built,
        _inserted,
        _levels,
        _planned,
        _others,
        _memory,
        _thresholds,
        _bars,
    ):
        if rows := part(report):
            text += ["", *rows]
    return text + daemon_report.lines(report.daemons)


def _corpora(report: VectorReport) -> Table:
    text: Table = []
    for corpus in report.corpora:
        text.append(
            f"{corpus.dimensions} dimensions: {corpus.real_rows:,} distinct vectors of real Python chunks; "
            f"{corpus.queries:,} queries of each kind (chunk: held out; question: docstring to its code)"
        )
        if corpus.dimensions == 384:
            text.append("  384 dimensions join 256 of a chunk's code and 128 of its path and symbol")
        if corpus.largest_rows > corpus.real_rows:
            text.append(
                f"  beyond {corpus.real_rows:,} and up to {corpus.largest_rows:,}, rows are real ones with noise added"
            )
        text.append(f"  {', '.join(corpus.packages)}")
    return text


def _graphs(report: VectorReport) -> Table:
    return _searches("queries a second at recall@10, one call each (times hnswlib)", report.searched)


def _annoy(report: VectorReport) -> Table:
    return _searches("the sealed graph beside Annoy: queries a second (times Annoy)", report.against_annoy)


def _scans(report: VectorReport) -> Table:
    return _searches("scans: queries a second (times numpy float32)", report.scanned)


def _searches(title: str, searched: list[Searched]) -> Table:
    if not searched:
        return []
    text = [title]
    for (rows, dimensions, asked, target), group in groupby(searched, _subject):
        text.append(f"  {rows:,} rows, {dimensions} dimensions, {asked} queries, recall >= {target:.2f}")
        for one in group:
            effort = f"{one.effort:,}" if one.effort else "all"
            batch = f"{one.batch_per_second:,.0f}/s ({one.batch_ratio:.2f})" if one.batch_ratio > 0 else "-"
            text.append(
                f"    {one.index:<20}{one.per_second:>10,.0f}/s ({one.ratio:>5.2f})   batch {batch:<20}"
                f"recall {one.recall:.4f}, effort {effort}, {one.queries:,} queries"
            )
    return text


def _subject(one: Searched) -> tuple[int, int, str, float]:
    return one.rows, one.dimensions, one.asked, one.target


def _missed(report: VectorReport) -> Table:
    return _table(
        "not reached, whatever the effort",
        (
            f"{one.index}: recall {one.target:.2f} ({one.asked} queries, {one.rows:,} rows, {one.dimensions} "
            f"dimensions); {one.recall:.4f} at most"
            for one in report.missed
        ),
    )


def _built(report: VectorReport) -> Table:
    return _table(
        "building, one thread",
        (
            f"{one.index:<20}{one.rows:>10,} rows, {one.dimensions} dimensions: {one.seconds:8.2f} s"
            for one in sorted(report.built, key=lambda one: (one.dimensions, one.rows))
        ),
    )


def _inserted(report: VectorReport) -> Table:
    return _table(
        "inserting, from empty, in turns (times hnswlib)",
        (
            f"{one.index:<20}{one.per_second:>8,.0f} rows/s ({one.ratio:.2f}), {one.rows:,} rows, "
            f"{one.dimensions} dimensions"
            for one in report.inserted
        ),
    )


def _levels(report: VectorReport) -> Table:
    return _table(
        "instructions (times the best)",
        (
            f"{one.level:<12}{one.asked:<10}graph {one.graph_per_second:>9,.0f}/s ({one.graph_ratio:.2f}), "
            f"int8 scan {one.scan_per_second:>8,.0f}/s ({one.scan_ratio:.2f})"
            for one in report.levels
        ),
    )


def _planned(report: VectorReport) -> Table:
    return _table(
        "the planner's own choice",
        (
            f"{one.rows:>9,} rows, {one.dimensions} dimensions, {one.asked:<10}{one.plan}: "
            f"recall {one.recall:.4f}, {one.search_us:,.0f} us"
            for one in report.planned
        ),
    )


def _others(report: VectorReport) -> Table:
    opened = [
        f"warm open of {one.rows:,} rows ({one.file_bytes / 1e6:,.1f} MB): {one.open_ms:.3f} ms, "
        f"first search {one.first_search_ms:.3f} ms"
        for one in report.opened
    ]
    dead = [
        f"half of {one.rows:,} rows dead, {one.asked} queries, ef {one.effort}: recall {one.recall_half:.4f}, "
        f"{one.recall_none:.4f} with none"
        for one in report.tombstoned
    ]
    return _table("opening and deleting", [*opened, *dead])


def _memory(report: VectorReport) -> Table:
    return _table(
        "memory of an index loaded from its file, in a process of its own",
        (
            f"{one.index:<20}own {one.anonymous_bytes / 1e6:>7,.1f} MB, mapped {one.mapped_bytes / 1e6:>7,.1f} MB, "
            f"file {one.file_bytes / 1e6:>7,.1f} MB ({one.rows:,} rows, {one.dimensions} dimensions)"
            for one in report.occupied
        ),
    )


def _thresholds(report: VectorReport) -> Table:
    text = _table(
        f"ways to search, by rows (microseconds; the sign scan at recall {SIGN_TARGET:.2f})",
        (
            f"{one.rows:>9,} rows, {one.asked:<10}{one.way:<28}{one.search_us:>9,.0f} us, recall {one.recall:.4f}"
            + (f", effort {one.effort:,}" if one.effort else "")
            for one in report.pathways
        ),
    )
    text += _table(
        "ways to search what a filter leaves",
        (
            f"{one.share:>6.0%} of {one.rows:,} rows, {one.asked:<10}{one.way:<28}{one.search_us:>9,.0f} us, "
            f"recall {one.recall:.4f}"
            for one in report.filtered
        ),
    )
    return text + _table("the planner's thresholds", suggestions(report))


def _bars(report: VectorReport) -> Table:
    return _table(
        "targets, beyond the bars below",
        (
            f"{'reached' if one.reached else 'not yet'}  {one.verdict.subject}: {one.verdict.name} = "
            f"{one.verdict.value:,.4g} (target: {one.verdict.demand} {one.target:g})"
            for one in report.held
        ),
    )


def _table(title: str, rows: Iterable[str]) -> Table:
    found = [f"  {row}" for row in rows]
    return [title, *found] if found else []
