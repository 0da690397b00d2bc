// The status bar item, and the menu that a click on it opens.

import {
  Disposable,
  MarkdownString,
  StatusBarAlignment,
  type StatusBarItem,
  ThemeColor,
  window,
  workspace,
} from "vscode";
import type { Completion } from "../completion";
import type { LucAstra } from "../daemon";
import { folderPaths } from "../surroundings";
import { describe } from "./describe";
import type { StatusMonitor } from "./monitor";

export class StatusItem implements Disposable {
  readonly #item: StatusBarItem;
  readonly #subscriptions: Disposable;

  constructor(lucastra: LucAstra, monitor: StatusMonitor, completion: Completion) {
    this.#item = window.createStatusBarItem("lucastra.status", StatusBarAlignment.Right, 100);
    this.#item.name = "LucAstra";
    this.#item.command = "lucastra.showMenu";
    const show = (): void => this.#show(lucastra, monitor, completion);
    this.#subscriptions = Disposable.from(
      lucastra.onDidChangeState(show),
      monitor.onDidChange(show),
      completion.onDidChange(show),
      window.onDidChangeActiveTextEditor(show),
      workspace.onDidChangeConfiguration((change) => change.affectsConfiguration("lucastra") && show()),
    );
    show();
    this.#item.show();
  }

  dispose(): void {
    this.#subscriptions.dispose();
    this.#item.dispose();
  }

  #show(lucastra: LucAstra, monitor: StatusMonitor, completion: Completion): void {
    const document = window.activeTextEditor?.document;
    const { text, severity, lines } = describe({
      state: lucastra.state,
      status: monitor.current,
      silent: monitor.isSilent,
      folders: folderPaths(),
      completion: {
        enabled: document === undefined || completion.isEnabledFor(document),
        snoozedUntil: completion.snoozedUntil,
        problem: completion.problem,
      },
    });
    this.#item.text = text;
    this.#item.tooltip = new MarkdownString();
    for (const line of lines) {
      // As text: paths and messages are not ours to be rendered.
      this.#item.tooltip.appendText(line).appendMarkdown("\n\n");
    }
    this.#item.accessibilityInformation = { label: `LucAstra: ${lines.join("; ")}` };
    this.#item.backgroundColor =
      severity === "normal" ? undefined : new ThemeColor(`statusBarItem.${severity}Background`);
  }
}
