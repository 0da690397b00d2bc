// When inline completions are offered. The completions themselves come through the language client.

import {
  commands,
  type Disposable,
  type Event,
  EventEmitter,
  InlineCompletionTriggerKind,
  type TextDocument,
  workspace,
} from "vscode";
import type { Middleware } from "vscode-languageclient/node";

const SNOOZED_CONTEXT = "lucastra.completionSnoozed";

/** Per-language settings, the snooze, and why the last completion failed. */
export class Completion implements Disposable {
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
        return items;
      } catch (error) {
        if (!token.isCancellationRequested) {
          this.#note(error instanceof Error ? error.message : String(error));
        }
        return undefined;
      }
    },
  };

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
    this.#tell();
  }

  resume(): void {
    this.#endSnooze();
    this.#tell();
  }

  dispose(): void {
    this.#endSnooze();
    this.#changed.dispose();
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

  #tell(): void {
    void commands.executeCommand("setContext", SNOOZED_CONTEXT, this.#snooze !== undefined);
    this.#changed.fire();
  }
}
