// Which result the keyboard stands on, and which files are folded. Pure; the webview owns it.

import { groupByFile, type Results } from "./state";

export interface Selection {
  /** The search that it is of; another search's results begin anew. */
  search: number;
  /** A place in its hits. */
  place: number;
  /** URIs of files whose hits are not shown. */
  folded: string[];
}

export const NOTHING_SELECTED: Selection = { search: 0, place: 0, folded: [] };

/** The selection as it applies to `results`. */
export function within(selection: Selection, results: Results | null): Selection {
  return selection.search === results?.search ? selection : { ...NOTHING_SELECTED, search: results?.search ?? 0 };
}

/** `by` results further among those that are shown; it stops at either end. */
export function moved(selection: Selection, results: Results, by: number): Selection {
  const current = within(selection, results);
  const shown = groupByFile(results.hits)
    .filter((group) => !current.folded.includes(group.uri))
    .flatMap((group) => group.hits);
  const from = shown.indexOf(current.place);
  const to = from < 0 ? 0 : Math.max(0, Math.min(from + by, shown.length - 1));
  return { ...current, place: shown[to] ?? 0 };
}

/** With one file folded, or unfolded. */
export function toggled(selection: Selection, uri: string): Selection {
  const folded = selection.folded.includes(uri)
    ? selection.folded.filter((one) => one !== uri)
    : [...selection.folded, uri];
  return { ...selection, folded };
}
