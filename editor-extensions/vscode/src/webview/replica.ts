// State that the extension owns and a webview mirrors: both run the same reducer over the same actions.
//
// A hidden webview is thrown away by the editor; the next one asks for the whole state with `ready`.

/** What a mirror is sent: everything once, then each action. */
export type Update<State, Action> = { type: "state"; state: State } | { type: "action"; action: Action };

export type Reducer<State, Action> = (state: State, action: Action) => State;

/** The extension's side. */
export class Replica<State, Action> {
  private post: ((update: Update<State, Action>) => void) | undefined;

  constructor(
    private readonly reduce: Reducer<State, Action>,
    private current: State,
  ) {}

  get state(): State {
    return this.current;
  }

  /** Whether anybody looks. */
  get isShown(): boolean {
    return this.post !== undefined;
  }

  dispatch(action: Action): void {
    this.current = this.reduce(this.current, action);
    this.post?.({ type: "action", action });
  }

  /** A webview is there, and knows nothing yet. */
  attach(post: (update: Update<State, Action>) => void): void {
    this.post = post;
    post({ type: "state", state: this.current });
  }

  detach(): void {
    this.post = undefined;
  }
}

/** The webview's side: the state after `update`; actions before the first whole state say nothing. */
export function mirror<State, Action>(
  reduce: Reducer<State, Action>,
  state: State | undefined,
  update: Update<State, Action>,
): State | undefined {
  if (update.type === "state") {
    return update.state;
  }
  return state === undefined ? undefined : reduce(state, update.action);
}
