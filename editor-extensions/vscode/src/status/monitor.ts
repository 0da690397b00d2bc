// Keeps what the daemon says about itself current, as often as somebody could notice.

import { Disposable, type Event, EventEmitter, type LogOutputChannel, window, workspace } from "vscode";
import type { LucAstra } from "../daemon";
import type { StatusResult } from "../protocol";
import { folderPaths } from "../surroundings";
import { isBusy, workspacesOf } from "./describe";

const BUSY_MS = 1_000;
const IDLE_MS = 15_000;

/** The daemon answers within milliseconds; one that has not by then is stopped, or hangs. */
const SILENT_MS = 10_000;

/** The daemon indexes a saved file within this. */
const AFTER_SAVE_MS = 500;

/** Asks for the status while the window is focused: often while something goes on, else rarely. */
export class StatusMonitor implements Disposable {
  readonly #lucastra: LucAstra;
  readonly #log: LogOutputChannel;
  readonly #changed = new EventEmitter<StatusResult | undefined>();
  readonly #subscriptions: Disposable;
  #timer: NodeJS.Timeout | undefined;
  #asking = false;
  #silent = false;
  #current: StatusResult | undefined;

  /** Fires with each answer, with undefined when the connection has ended, and when `isSilent` changes. */
  readonly onDidChange: Event<StatusResult | undefined> = this.#changed.event;

  constructor(lucastra: LucAstra, log: LogOutputChannel) {
    this.#lucastra = lucastra;
    this.#log = log;
    this.#subscriptions = Disposable.from(
      lucastra.onDidChangeState((state) => (state.kind === "ready" ? this.refresh() : this.#take(undefined))),
      window.onDidChangeWindowState(({ focused }) => focused && this.refresh()),
      workspace.onDidSaveTextDocument(() => this.#schedule(AFTER_SAVE_MS)),
      workspace.onDidChangeWorkspaceFolders(() => this.#schedule(AFTER_SAVE_MS)),
    );
  }

  get current(): StatusResult | undefined {
    return this.#current;
  }

  /** Whether the daemon is connected and does not answer. */
  get isSilent(): boolean {
    return this.#silent;
  }

  /** Ask now. */
  refresh(): void {
    void this.#refresh();
  }

  dispose(): void {
    clearTimeout(this.#timer);
    this.#subscriptions.dispose();
    this.#changed.dispose();
  }

  async #refresh(): Promise<void> {
    if (this.#asking || this.#lucastra.state.kind !== "ready") {
      return;
    }
    this.#asking = true;
    const silence = setTimeout(() => this.#hear(false), SILENT_MS);
    try {
      this.#take(await this.#lucastra.request("lucastra/status", {}));
    } catch (error) {
      this.#log.warn(`status: ${error instanceof Error ? error.message : String(error)}`);
    } finally {
      this.#asking = false;
      clearTimeout(silence);
      this.#hear(true);
    }
    const settled = this.#current !== undefined && !workspacesOf(this.#current, folderPaths()).some(isBusy);
    this.#schedule(settled ? IDLE_MS : BUSY_MS);
  }

  #schedule(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      // An unfocused window goes on while it has progress to show.
      if (window.state.focused || ms !== IDLE_MS) {
        this.refresh();
      }
    }, ms);
  }

  #hear(answered: boolean): void {
    if (this.#silent === answered) {
      this.#silent = !answered;
      this.#changed.fire(this.#current);
    }
  }

  #take(status: StatusResult | undefined): void {
    this.#current = status;
    this.#changed.fire(status);
  }
}
