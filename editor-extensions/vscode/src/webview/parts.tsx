// Parts that both views are built of. Pure: what they show is text, never markup.

import type { ComponentChildren } from "preact";
import { CURE_LABELS, type Cure, type Failure } from "./failure";

/** A failure, and a button for each cure. */
export function FailureBox({ failure, onCure }: { failure: Failure; onCure(cure: Cure): void }) {
  return (
    <div class="failure" role="alert">
      <p>{failure.message}</p>
      {failure.cures.length > 0 && (
        <p class="cures">
          {failure.cures.map((cure, place) => (
            <button type="button" key={cure} class={place === 0 ? "primary" : "secondary"} onClick={() => onCure(cure)}>
              {CURE_LABELS[cure]}
            </button>
          ))}
        </p>
      )}
    </div>
  );
}

/** What a user should know, and need not act on. */
export function Notices({ notices }: { notices: readonly string[] }) {
  return (
    <>
      {notices.map((notice) => (
        <p key={notice} class="notice">
          {notice.charAt(0).toUpperCase() + notice.slice(1)}
        </p>
      ))}
    </>
  );
}

/** A button with a drawing instead of words, which its title says. */
export function IconButton(props: {
  title: string;
  pressed?: boolean;
  disabled?: boolean;
  onClick(): void;
  children: ComponentChildren;
}) {
  return (
    <button
      type="button"
      class="icon"
      title={props.title}
      aria-label={props.title}
      aria-pressed={props.pressed}
      disabled={props.disabled ?? false}
      onClick={props.onClick}
    >
      {props.children}
    </button>
  );
}

/** What an index that has not caught up means for what is shown. */
export const FRESHNESS: Record<"fresh" | "pending" | "stale", { label: string; explanation: string }> = {
  fresh: { label: "Up to date", explanation: "Every known change is indexed." },
  stale: { label: "Indexing changes", explanation: "Changed files wait to be indexed; search again in a moment." },
  pending: {
    label: "Embedding",
    explanation: "Some passages have no vector yet, so they are found by their words only.",
  },
};

/** Drawings of 16 by 16. */
export function Icon({ path }: { path: string }) {
  return (
    <svg viewBox="0 0 16 16" width="16" height="16" aria-hidden="true">
      <path
        d={path}
        fill="none"
        stroke="currentColor"
        stroke-width="1.2"
        stroke-linecap="round"
        stroke-linejoin="round"
      />
    </svg>
  );
}
