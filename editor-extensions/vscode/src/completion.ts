// When inline completions are offered. The completions themselves come through the language client.

import {
  commands,
  type Disposable,
  type Event,
  EventEmitter,
  type InlineCompletionItem,
  type InlineCompletionList,
  InlineCompletionTriggerKind,
  type Position,
  type TextDocument,
  window,
  workspace,
} from "vscode";
import type { Middleware } from "vscode-languageclient/node";
import type { ClientNotification, ClientNotifications } from "./protocol";

const SNOOZED_CONTEXT = "lucastra.completionSnoozed";

/** The command of the daemon's items, which the editor runs when one is accepted. */
const ACCEPTED_COMMAND = "lucastra.completion.accepted";

type Tell = <N extends ClientNotification>(method: N, params: ClientNotifications[N]) => void;

/** Per-language settings, the snooze, why the last completion failed, and telling the daemon what became of each. */
export class Completion implements Disposable {
  readonly #tell: Tell;
  readonly #accepted: Disposable;
  readonly #changed = new EventEmitter<void>();
  #snooze: { until: Date; timer: NodeJS.Timeout } | undefined;
  #problem = "";

  /** Fires when any of what is asked for here has changed. */
  readonly onDidChange: Event<void> = this.#changed.event;

  /** What the language client asks before each request. */
  readonly middleware: Middleware = {
    provideInlineCompletionItems: async (document, position, context, token, next) => {
      const asked = context.triggerKind === InlineCompletionTriggerKind.Invoke;
      if (!this.isEnabledFor(document) || (this.snoozedUntil !== undefined && !asked)) {
        return undefined;
      }
      try {
        const items = await next(document, position, context, token);
        this.#note("");
        if (!token.isCancellationRequested && isAtCursor(document, position)) {
          this.#reportShown(items);
        }
        return items;
      } catch (error) {
        if (!token.isCancellationRequested) {
          this.#note(error instanceof Error ? error.message : String(error));
        }
        return undefined;
      }
    },
  };

  /** `tell` is how the daemon learns what was shown and accepted. */
  constructor(tell: Tell) {
    this.#tell = tell;
    this.#accepted = commands.registerCommand(ACCEPTED_COMMAND, ({ id }: { id: string }) =>
      tell("lucastra/completion/accepted", { id }),
    );
  }

  /** Why the last completion failed; empty when it did not. */
  get problem(): string {
    return this.#problem;
  }

  /** When the snooze ends; undefined when there is none. */
  get snoozedUntil(): Date | undefined {
    return this.#snooze?.until;
  }

  isEnabledFor(document: Pick<TextDocument, "uri" | "languageId">): boolean {
    return workspace.getConfiguration("lucastra", document).get<boolean>("completion.enabled", true);
  }

  /** Offer nothing for `minutes`, unless a completion is asked for. */
  snooze(minutes: number): void {
    this.#endSnooze();
    const timer = setTimeout(() => this.resume(), minutes * 60_000);
    this.#snooze = { until: new Date(Date.now() + minutes * 60_000), timer };
    this.#announce();
  }

  resume(): void {
    this.#endSnooze();
    this.#announce();
  }

  dispose(): void {
    this.#endSnooze();
    this.#accepted.dispose();
    this.#changed.dispose();
  }

  /** The editor shows the first of the items that it is given at the cursor, and tells of it to nobody. */
  #reportShown(items: InlineCompletionItem[] | InlineCompletionList | null | undefined): void {
    const [first] = Array.isArray(items) ? items : (items?.items ?? []);
    const id: unknown = first?.command?.arguments?.[0]?.id;
    if (typeof id === "string") {
      this.#tell("lucastra/completion/didShow", { id });
    }
  }

  #endSnooze(): void {
    clearTimeout(this.#snooze?.timer);
    this.#snooze = undefined;
  }

  #note(problem: string): void {
    if (problem !== this.#problem) {
      this.#problem = problem;
      this.#changed.fire();
    }
  }

  #announce(): void {
    void commands.executeCommand("setContext", SNOOZED_CONTEXT, this.#snooze !== undefined);
    this.#changed.fire();
  }
}

function isAtCursor(document: TextDocument, position: Position): boolean {
  const editor = window.activeTextEditor;
  return editor?.document === document && editor.selection.active.isEqual(position);
}
