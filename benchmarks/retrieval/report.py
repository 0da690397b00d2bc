"""The report as text."""

from benchmarks.retrieval.results import RetrievalReport, Summary


def lines(report: RetrievalReport) -> list[str]:
    """The whole run."""
    text = [str(report.machine), f"model: {report.model}", *(f"left out: {note}" for note in report.notes)]
    for name in dict.fromkeys(one.set for one in report.summaries):
        text += ["", *_set(report, name)]
    for part in (_speed, _agreements, _ablation, _folds):
        if rows := part(report):
            text += ["", *rows]
    return text


def _set(report: RetrievalReport, name: str) -> list[str]:
    mine = [one for one in report.summaries if one.set == name]
    corpora = {one.corpus for one in report.judged if one.set == name}
    asked = next(one.mean.questions for one in mine if not one.part)
    text = [f"{name}: {asked:,} questions over {len(corpora)} corpora"]
    text.append(f"  {'':<16}{'NDCG@10':>16}{'MRR@10':>16}{'recall@10':>11}{'index':>10}{'query p50/p99':>19}")
    costs = {one.system: one for one in report.costs if one.set == name}
    for one in (one for one in mine if not one.part):
        cost = costs.get(one.system)
        index = "-" if cost is None or cost.index_seconds is None else f"{cost.index_seconds:.1f} s"
        query = "-" if cost is None else f"{cost.query_ms.p50:.2f}/{cost.query_ms.p99:.2f} ms"
        text.append(
            f"  {one.system:<16}{one.mean.ndcg:>8.3f} ± {one.mean.ndcg_error:.3f}"
            f"{one.mean.mrr:>8.3f} ± {one.mean.mrr_error:.3f}{one.mean.recall:>11.3f}{index:>10}{query:>19}"
        )
    return text + _parts(mine)


def _parts(mine: list[Summary]) -> list[str]:
    """NDCG@10 of each category and language beside each other."""
    systems = list(dict.fromkeys(one.system for one in mine))
    parts = list(dict.fromkeys(one.part for one in mine if one.part))
    if not parts:
        return []
    values = {(one.system, one.part): one.mean for one in mine}
    text = ["", f"  NDCG@10 by part (questions){'':<9}" + "".join(f"{system:>15}" for system in systems)]
    for part in parts:
        asked = next(one.mean.questions for one in mine if one.part == part)
        row = "".join(
            f"{found.ndcg:>15.3f}" if (found := values.get((system, part))) is not None else f"{'-':>15}"
            for system in systems
        )
        text.append(f"  {f'{part} ({asked})':<36}{row}")
    return text


def _speed(report: RetrievalReport) -> list[str]:
    speed = report.speed
    if speed is None:
        return []
    return [
        f"{speed.model}, one core",
        f"  load {speed.load_seconds:.3f} s; query p50 {speed.query_ms.p50:.4f} ms, p99 {speed.query_ms.p99:.4f} ms",
        f"  {speed.chunks:,} windows of 30 lines: {speed.chunks_per_second:,.0f}/s",
        f"  memory added: {speed.query_memory_mb:.0f} MB for queries, {speed.passage_memory_mb:.0f} MB for passages",
    ]


def _agreements(report: RetrievalReport) -> list[str]:
    return [
        f"{one.what}: {one.questions - len(one.differing)} of {one.questions} questions have the same first ten"
        + "".join(f"\n    otherwise: {question}" for question in one.differing[:5])
        for one in report.agreements
    ]


def _ablation(report: RetrievalReport) -> list[str]:
    if not report.ablated:
        return []
    categories = list(report.ablated[0].categories)
    text = [
        "Each weight set to zero, NDCG@10 of hybrid search lost on the tuning set; repositories that get better/worse",
        "without it; and what leaving it free is worth on repositories that the weights were not fitted to",
        f"  {'':<18}{'shipped':>9}{'gain':>18}{'better':>8}{'worse':>7}{'held out':>10}"
        + "".join(f"{category:>15}" for category in categories),
    ]
    for one in report.ablated:
        text.append(
            f"  {one.weight:<18}{one.shipped:>9.3f}{one.gain:>+9.4f} ± {one.gain_error:.4f}"
            f"{one.repositories_better:>8}{one.repositories_worse:>7}{one.held_out_gain:>+10.4f}"
            + "".join(f"{gain:>+15.4f}" for gain in one.categories.values())
        )
    return text


def _folds(report: RetrievalReport) -> list[str]:
    found = report.cross_validated
    if found is None:
        return []
    text = [
        "Leave one repository out: weights fitted to the others by coordinate search, NDCG@10 of hybrid search",
        f"  shipped {found.shipped.ndcg:.4f}; fitted, on those left out {found.fitted.ndcg:.4f}, "
        f"on those fitted to {found.overfit:.4f}",
    ]
    for weight, values in found.chosen.items():
        counts = ", ".join(f"{value:g} ({values.count(value)}x)" for value in sorted(set(values)))
        text.append(f"  {weight:<18}{counts}")
    return text
