// The search view's state: what was asked, and what came of it. Pure; the extension owns it and the webview mirrors it.

import type { Hit, SearchResult } from "../protocol";
import type { Failure } from "../webview/failure";

export type Mode = "hybrid" | "keyword" | "vector";

/** What is searched for: words, or passages like the one at a place. */
export type Subject = { kind: "words"; query: string } | { kind: "similar"; uri: string; line: number; label: string };

/** What a user narrows a search with; `languages` and `paths` are as typed. */
export interface Filters {
  mode: Mode;
  languages: string;
  paths: string;
}

export interface Results {
  /** Which search found them; hits are named by it and their place in `hits`. */
  search: number;
  /** The first search for the same: what the index has meanwhile added to its results is no other question. */
  question: number;
  hits: Hit[];
  freshness: "fresh" | "pending" | "stale";
  elapsedMs: number;
  notices: string[];
  limit: number;
  /** How many folders were searched. */
  folders: number;
}

export interface SearchState {
  subject: Subject;
  filters: Filters;
  searching: boolean;
  /** Those of the last search that ended; they stay while the next one runs. */
  results: Results | null;
  failure: Failure | null;
}

export type SearchAction =
  | { type: "asked"; subject: Subject; filters: Filters }
  | { type: "cleared"; subject: Subject; filters: Filters }
  | { type: "found"; search: number; question: number; limit: number; folders: number; result: SearchResult }
  | { type: "failed"; failure: Failure };

export const FIRST_LIMIT = 20;
export const MOST = 100;
/** As the contract limits it. */
export const LONGEST_QUERY = 4096;

export const NO_FILTERS: Filters = { mode: "hybrid", languages: "", paths: "" };

export function emptySearch(filters: Filters = NO_FILTERS): SearchState {
  return { subject: { kind: "words", query: "" }, filters, searching: false, results: null, failure: null };
}

export function reduceSearch(state: SearchState, action: SearchAction): SearchState {
  switch (action.type) {
    case "asked":
      return { ...state, subject: action.subject, filters: action.filters, searching: true, failure: null };
    case "cleared":
      return { ...emptySearch(action.filters), subject: action.subject };
    case "found":
      return {
        ...state,
        searching: false,
        failure: null,
        results: {
          search: action.search,
          question: action.question,
          limit: action.limit,
          folders: action.folders,
          hits: action.result.hits ?? [],
          freshness: action.result.freshness ?? "fresh",
          elapsedMs: action.result.elapsedMs ?? 0,
          notices: action.result.notices ?? [],
        },
      };
    case "failed":
      return { ...state, searching: false, results: null, failure: action.failure };
  }
}

/** Whether there is anything to search for. */
export function isAnswerable(subject: Subject): boolean {
  return subject.kind === "similar" || subject.query.trim() !== "";
}

/** What was typed into a filter, as a list: split at commas and blanks. */
export function listed(typed: string): string[] {
  return typed.split(/[\s,]+/u).filter((one) => one !== "");
}

/** What a hit is known by in the results of later searches: a place in a file. */
export function nameOf({ uri, range }: Pick<Hit, "uri" | "range">): string {
  return `${uri}#${range.start.line}-${range.end.line}`;
}

/** The hits of one file; `hits` are places in the result, best first. */
export interface FileGroup {
  uri: string;
  /** The file's name, and the folder that it is in, relative to its workspace. */
  name: string;
  folder: string;
  workspace: string;
  hits: number[];
}

/** Hits by file; files come in the order of their best hits. */
export function groupByFile(hits: readonly Hit[]): FileGroup[] {
  const groups = new Map<string, FileGroup>();
  hits.forEach((hit, place) => {
    const group = groups.get(hit.uri);
    if (group !== undefined) {
      group.hits.push(place);
      return;
    }
    const slash = hit.path.lastIndexOf("/");
    groups.set(hit.uri, {
      uri: hit.uri,
      name: hit.path.slice(slash + 1),
      folder: slash < 0 ? "" : hit.path.slice(0, slash),
      workspace: hit.workspace,
      hits: [place],
    });
  });
  return [...groups.values()];
}
