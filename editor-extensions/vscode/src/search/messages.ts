// What the search view's two sides tell each other. Pure.

import type { Cure } from "../webview/failure";
import type { Update } from "../webview/replica";
import type { Filters, SearchAction, SearchState } from "./state";

/** From the extension. `fill` puts words into the query box; `focus` moves the keyboard there. */
export type ToView = Update<SearchState, SearchAction> | { type: "fill"; query: string } | { type: "focus" };

/** From the webview. It names hits by the search that found them, so it can open nothing else. */
export type FromView =
  | { type: "ready" }
  | { type: "typed"; query: string; filters: Filters; pause: boolean }
  | { type: "open"; search: number; place: number; preserveFocus: boolean }
  | { type: "similar"; search: number; place: number }
  | { type: "more" }
  | { type: "cure"; cure: Cure };
