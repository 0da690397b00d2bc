// The search view in its webview: keeps what only the view knows, and draws.

import { h, render } from "preact";
import { mirror } from "../webview/replica";
import type { FromView, ToView } from "./messages";
import { chosen, moved, NOTHING_SELECTED, type Selection, toggled, within } from "./selection";
import { emptySearch, type Filters, NO_FILTERS, reduceSearch, type SearchState } from "./state";
import { SearchView } from "./view";

interface Kept {
  query: string;
  filters: Filters;
  showFilters: boolean;
  selection: Selection;
  scrollTop: number;
}

declare function acquireVsCodeApi(): {
  postMessage(message: FromView): void;
  getState(): Kept | undefined;
  setState(kept: Kept): void;
};

const editor = acquireVsCodeApi();
const root = document.getElementById("root") as HTMLElement;
let state: SearchState | undefined;
let kept: Kept = editor.getState() ?? {
  query: "",
  filters: NO_FILTERS,
  showFilters: false,
  selection: NOTHING_SELECTED,
  scrollTop: 0,
};

function keep(change: Partial<Kept>): void {
  kept = { ...kept, ...change };
  editor.setState(kept);
  draw();
}

function ask(change: Partial<Pick<Kept, "query" | "filters">>, pause: boolean): void {
  keep(change);
  editor.postMessage({ type: "typed", query: kept.query, filters: kept.filters, pause });
}

function open(place: number, preserveFocus: boolean): void {
  const results = state?.results;
  if (results) {
    keep({ selection: chosen(kept.selection, results, place) });
    editor.postMessage({ type: "open", search: results.search, place, preserveFocus });
  }
}

function draw(): void {
  render(
    h(SearchView, {
      state: state ?? emptySearch(kept.filters),
      query: kept.query,
      filters: kept.filters,
      showFilters: kept.showFilters,
      selection: kept.selection,
      onQuery: (query) => ask({ query }, true),
      onFilters: (filters) => ask({ filters }, filters.mode === kept.filters.mode),
      onToggleFilters: () => keep({ showFilters: !kept.showFilters }),
      onSearch: () => editor.postMessage({ type: "cure", cure: "retry" }),
      onOpen: open,
      onSimilar: (place) => {
        const search = state?.results?.search;
        if (search !== undefined) {
          editor.postMessage({ type: "similar", search, place });
        }
      },
      onFold: (uri) => keep({ selection: toggled(within(kept.selection, state?.results ?? null), uri) }),
      onMore: () => editor.postMessage({ type: "more" }),
      onCure: (cure) => editor.postMessage({ type: "cure", cure }),
    }),
    root,
  );
}

/** The page is new: either it was hidden, and the extension knows all, or the window is, and only `kept` is left. */
function takeOver({ subject, filters, results, searching }: SearchState): void {
  const query = subject.kind === "words" && subject.query !== "" ? subject.query : kept.query;
  keep({ filters, query });
  if (results === null && !searching && query.trim() !== "") {
    keep({ selection: NOTHING_SELECTED });
    ask({}, false);
  }
  window.scrollTo(0, kept.scrollTop);
}

function move(by: number): void {
  if (state?.results) {
    keep({ selection: moved(kept.selection, state.results, by) });
    document.getElementById(`hit-${kept.selection.place}`)?.scrollIntoView({ block: "nearest" });
  }
}

/**
 * The hit that is to stay where it is, and where that is: the chosen one if it is seen, else the topmost.
 *
 * None at the very top, while none is chosen: there the best hits are to be seen.
 */
function anchored(): { name: string; top: number } | undefined {
  const under = document.querySelector(".query")?.getBoundingClientRect().bottom ?? 0;
  const shown = [...document.querySelectorAll<HTMLElement>(".hit")].filter((hit) => {
    const { top } = hit.getBoundingClientRect();
    return top >= under && top < window.innerHeight;
  });
  const chosenHit = kept.selection.hit === null ? undefined : shown.find((hit) => hit.classList.contains("chosen"));
  const hit = chosenHit ?? (window.scrollY > 0 ? shown[0] : undefined);
  const name = hit?.dataset["name"];
  return hit === undefined || name === undefined ? undefined : { name, top: hit.getBoundingClientRect().top };
}

/** Scroll so that the hit stands where it stood, if it is still there. */
function hold({ name, top }: { name: string; top: number }): void {
  const shown = document.querySelector(`.hit[data-name="${CSS.escape(name)}"]`);
  if (shown !== null) {
    window.scrollBy(0, shown.getBoundingClientRect().top - top);
  }
}

function typedInto(target: EventTarget | null): boolean {
  return target instanceof HTMLInputElement && target.type === "text" && target.id !== "query";
}

document.addEventListener("keydown", (event) => {
  const steps: Record<string, number> = { ArrowDown: 1, ArrowUp: -1, PageDown: 5, PageUp: -5 };
  const step = steps[event.key];
  if (event.isComposing || event.target instanceof HTMLButtonElement || typedInto(event.target)) {
    return;
  }
  if (step !== undefined && !(event.target instanceof HTMLInputElement && event.target.type === "radio")) {
    event.preventDefault();
    move(step);
  } else if (event.key === "Enter" && state !== undefined) {
    event.preventDefault();
    if (state.subject.kind === "words" && state.subject.query !== kept.query) {
      ask({}, false);
    } else if (state.results?.hits.length && !state.searching) {
      open(within(kept.selection, state.results).place, event.altKey);
    }
  }
});

window.addEventListener("scroll", () => {
  kept = { ...kept, scrollTop: window.scrollY };
  editor.setState(kept);
});

// The editor has moved the keyboard into the view, without saying where.
window.addEventListener("focus", () => {
  if (document.activeElement === document.body) {
    document.getElementById("query")?.focus();
  }
});

window.addEventListener("message", (event: MessageEvent<ToView>) => {
  const message = event.data;
  if (message.type === "focus") {
    const input = document.getElementById("query") as HTMLInputElement | null;
    input?.focus();
    input?.select();
  } else if (message.type === "fill") {
    keep({ query: message.query });
  } else {
    const first = state === undefined;
    const former = state?.results;
    const anchor = anchored();
    state = mirror(reduceSearch, state, message);
    if (first && state !== undefined) {
      takeOver(state);
    }
    draw();
    if (!first && state?.results?.question !== former?.question) {
      window.scrollTo(0, 0);
    } else if (anchor !== undefined) {
      hold(anchor);
    }
  }
});

draw();
editor.postMessage({ type: "ready" });
