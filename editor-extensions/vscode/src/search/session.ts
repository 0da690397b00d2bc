// One search view's searches: as the user types, the newest wins, and the one before it is cancelled.

import type { Hit, Methods } from "../protocol";
import { failureOf } from "../webview/failure";
import { Replica, type Update } from "../webview/replica";
import {
  emptySearch,
  FIRST_LIMIT,
  type Filters,
  isAnswerable,
  LONGEST_QUERY,
  listed,
  reduceSearch,
  type SearchAction,
  type SearchState,
  type Subject,
} from "./state";

type SearchMethod = "lucastra/search" | "lucastra/related";

/** What a session needs of the daemon; aborting the signal cancels the request. */
export type Ask = <M extends SearchMethod>(
  method: M,
  params: Methods[M]["params"],
  signal: AbortSignal,
) => Promise<Methods[M]["result"]>;

export interface Surroundings {
  ask: Ask;
  /** Folders that are searched. */
  folders(): string[];
  /** Called with each search's filters, so that the next window begins with them. */
  remember(filters: Filters): void;
}

/** Pause in typing after which a search begins: shorter than between two words, longer than between two letters. */
const PAUSE_MS = 120;
/** How long an index that has not caught up is given before its results are asked for anew: ever longer. */
const FIRST_REFRESH_MS = 1_500;
const LONGEST_REFRESH_MS = 15_000;

export class SearchSession {
  readonly replica: Replica<SearchState, SearchAction>;
  private running: AbortController | undefined;
  private pause: ReturnType<typeof setTimeout> | undefined;
  private refreshing: ReturnType<typeof setTimeout> | undefined;
  private count = 0;
  private refreshMs = FIRST_REFRESH_MS;

  constructor(
    private readonly surroundings: Surroundings,
    filters: Filters,
  ) {
    this.replica = new Replica(reduceSearch, emptySearch(filters));
  }

  /** Search after a pause in typing. */
  typed(subject: Subject, filters: Filters): void {
    this.halt();
    this.pause = setTimeout(() => void this.search(subject, filters), PAUSE_MS);
  }

  /**
   * Search at once; returns when this search has ended, or another has taken its place.
   *
   * `question` is that of former results, where this asks for more of the same.
   */
  async search(subject: Subject, filters: Filters, limit = FIRST_LIMIT, question?: number): Promise<void> {
    this.halt();
    this.surroundings.remember(filters);
    if (!isAnswerable(subject)) {
      this.replica.dispatch({ type: "cleared", subject, filters });
      return;
    }
    const controller = new AbortController();
    this.running = controller;
    this.replica.dispatch({ type: "asked", subject, filters });
    const action = await this.answer(subject, filters, limit, controller.signal, question);
    if (!controller.signal.aborted) {
      this.running = undefined;
      this.replica.dispatch(action);
      this.refreshMs = FIRST_REFRESH_MS;
      this.refreshLater();
    }
  }

  /** A webview is there to be told of the results, from now until `replica.detach()`. */
  show(post: (update: Update<SearchState, SearchAction>) => void): void {
    this.replica.attach(post);
    this.refreshMs = FIRST_REFRESH_MS;
    this.refreshLater();
  }

  /** Ask the same again unseen, because what is searched has changed: the results stay until those that follow them. */
  async refresh(): Promise<void> {
    const { results, searching } = this.replica.state;
    if (results === null || searching || this.pause !== undefined) {
      return; // there is nothing yet, or something newer comes
    }
    this.halt();
    const controller = new AbortController();
    this.running = controller;
    const { subject, filters } = this.replica.state;
    const action = await this.answer(subject, filters, results.limit, controller.signal, results.question);
    if (controller.signal.aborted) {
      return;
    }
    this.running = undefined;
    if (action.type === "found") {
      const isSame = JSON.stringify(action.result.hits ?? []) === JSON.stringify(results.hits);
      this.replica.dispatch(isSame ? { ...action, search: results.search } : action);
    }
    this.refreshLater();
  }

  /** Ask the same again, for more hits or because the index has gone on. */
  async again(limit = this.replica.state.results?.limit ?? FIRST_LIMIT): Promise<void> {
    const { subject, filters, results } = this.replica.state;
    await this.search(subject, filters, limit, results?.question);
  }

  /** The hit that a view speaks of; undefined once other results have come. */
  hit(search: number, place: number): Hit | undefined {
    const results = this.replica.state.results;
    return results?.search === search ? results.hits[place] : undefined;
  }

  dispose(): void {
    this.halt();
    this.replica.detach();
  }

  /** While the index catches up and somebody looks, what is shown follows it. */
  private refreshLater(): void {
    clearTimeout(this.refreshing);
    const { results, searching } = this.replica.state;
    if (this.replica.isShown && !searching && results !== null && results.freshness !== "fresh") {
      this.refreshing = setTimeout(() => void this.refresh(), this.refreshMs);
      this.refreshMs = Math.min(this.refreshMs * 2, LONGEST_REFRESH_MS);
    }
  }

  private halt(): void {
    clearTimeout(this.pause);
    clearTimeout(this.refreshing);
    this.pause = undefined;
    this.running?.abort();
    this.running = undefined;
  }

  /** `question` is that of the results that the answer follows; without one, the search is a question of its own. */
  private async answer(
    subject: Subject,
    filters: Filters,
    limit: number,
    signal: AbortSignal,
    question?: number,
  ): Promise<SearchAction> {
    const workspaces = this.surroundings.folders();
    const shared = {
      limit,
      workspaces,
      languages: listed(filters.languages),
      paths: listed(filters.paths),
    };
    try {
      const result =
        subject.kind === "words"
          ? await this.surroundings.ask(
              "lucastra/search",
              { ...shared, query: subject.query.trim().slice(0, LONGEST_QUERY), mode: filters.mode },
              signal,
            )
          : await this.surroundings.ask(
              "lucastra/related",
              { ...shared, path: subject.uri, line: subject.line },
              signal,
            );
      this.count += 1;
      const folders = workspaces.length;
      return { type: "found", search: this.count, question: question ?? this.count, limit, folders, result };
    } catch (error) {
      return { type: "failed", failure: failureOf(error) };
    }
  }
}
