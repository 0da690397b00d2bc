// Which result the keyboard stands on, and which files are folded. Pure; the webview owns it.

import { groupByFile, nameOf, type Results } from "./state";

export interface Selection {
  /** The question that it is of; another question's results begin anew. */
  question: number;
  /** Its name, once the user has chosen one: it stays chosen wherever the index's news move it. */
  hit: string | null;
  /** Where it was when it was chosen. */
  place: number;
  /** URIs of files whose hits are not shown. */
  folded: string[];
}

export const NOTHING_SELECTED: Selection = { question: 0, hit: null, place: 0, folded: [] };

/** The selection as it applies to `results`: `place` is one of its hits, if it has any. */
export function within(selection: Selection, results: Results | null): Selection {
  if (results === null || selection.question !== results.question) {
    return { ...NOTHING_SELECTED, question: results?.question ?? 0 };
  }
  const place = results.hits.findIndex((hit) => nameOf(hit) === selection.hit);
  const former = Math.max(0, Math.min(selection.place, results.hits.length - 1));
  return { ...selection, place: place < 0 ? former : place };
}

/** With the hit at `place` chosen. */
export function chosen(selection: Selection, results: Results, place: number): Selection {
  const hit = results.hits[place];
  return { ...within(selection, results), place, hit: hit === undefined ? null : nameOf(hit) };
}

/** `by` results further among those that are shown; it stops at either end. */
export function moved(selection: Selection, results: Results, by: number): Selection {
  const current = within(selection, results);
  const shown = groupByFile(results.hits)
    .filter((group) => !current.folded.includes(group.uri))
    .flatMap((group) => group.hits);
  const from = shown.indexOf(current.place);
  const to = from < 0 ? 0 : Math.max(0, Math.min(from + by, shown.length - 1));
  return chosen(current, results, shown[to] ?? 0);
}

/** With one file folded, or unfolded. */
export function toggled(selection: Selection, uri: string): Selection {
  const folded = selection.folded.includes(uri)
    ? selection.folded.filter((one) => one !== uri)
    : [...selection.folded, uri];
  return { ...selection, folded };
}
