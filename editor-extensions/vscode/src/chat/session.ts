// One window's chat: a conversation of the daemon, asked one question at a time.

import {
  type Conversation,
  type ConversationChangedParams,
  ErrorCode,
  type Method,
  type Methods,
  type Source,
  type Turn,
} from "../protocol";
import { codeOf, type Failure, failureOf, isCancellation, partialTextOf } from "../webview/failure";
import { Replica } from "../webview/replica";
import { type Attachment, withAttachments } from "./attachments";
import { type ChatAction, type ChatState, emptyChat, isAnswering, lastNumber, reduceChat } from "./state";

/** What a session needs of the daemon and the editor; aborting a signal cancels the request. */
export interface Surroundings {
  request<M extends Method>(method: M, params: Methods[M]["params"]): Promise<Methods[M]["result"]>;
  stream<M extends Method>(
    method: M,
    params: Methods[M]["params"],
    onEvent: (event: Methods[M]["events"]) => void,
    signal: AbortSignal,
  ): Promise<Methods[M]["result"]>;
  /** Folders that answers are looked for in. */
  folders(): string[];
  /** Called with the open conversation, and with the choice of a model, so that the next window begins with them. */
  remember(conversation: string | undefined, choice: string | null): void;
}

export const STOPPED = "Stopped. What had arrived is above.";

export class ChatSession {
  readonly replica: Replica<ChatState, ChatAction>;
  private answering: { controller: AbortController; key: number } | undefined;
  private opening: Promise<void> | undefined;
  /** The conversation whose news the daemon tells: the open one alone, as it tells those of so many only. */
  private followed: string | undefined;
  private keys = 0;
  /** Rises when another conversation is opened; what comes for an older one is dropped. */
  private epoch = 0;

  constructor(
    private readonly surroundings: Surroundings,
    choice: string | null,
  ) {
    this.replica = new Replica(reduceChat, emptyChat(choice));
  }

  get state(): ChatState {
    return this.replica.state;
  }

  /**
   * Ask, with what is attached, in the conversation that is open or is being opened; returns when the answer has ended.
   * While one is being written, nothing is asked.
   */
  async ask(text: string): Promise<void> {
    while (this.opening !== undefined) {
      await this.opening.catch(() => {});
    }
    const question = withAttachments(text, this.state.attachments);
    if (text.trim() !== "" && !isAnswering(this.state)) {
      await this.send(question);
    }
  }

  /** Ask a turn's question again, as a new turn; what had arrived before stays. */
  async retry(key: number): Promise<void> {
    while (this.opening !== undefined) {
      await this.opening.catch(() => {});
    }
    const turn = this.state.turns.find((one) => one.key === key);
    if (turn !== undefined && !isAnswering(this.state)) {
      await this.send(turn.question);
    }
  }

  /** Cancel the answer that is being written; the daemon closes its connection to the model. */
  stop(): void {
    this.answering?.controller.abort();
  }

  /** Begin a new conversation; the daemon learns of it with its first question. An answer under way is stopped. */
  clear(): void {
    this.leave();
    void this.follow(undefined);
    this.show(null, []);
  }

  /** Open a conversation of the daemon. An answer under way is stopped. */
  async open(id: string): Promise<void> {
    const opening = this.read(id, this.leave());
    this.opening = opening;
    try {
      await opening;
    } finally {
      if (this.opening === opening) {
        this.opening = undefined;
      }
    }
  }

  /** Show a conversation as the daemon has it, if none has taken its place meanwhile. */
  private async read(id: string, epoch: number): Promise<void> {
    try {
      // First, so that no change falls between the two.
      await this.follow(id);
      const { conversation, turns = [] } = await this.surroundings.request("lucastra/conversation/history", {
        conversation: id,
        limit: 1000,
      });
      if (epoch === this.epoch) {
        this.show(conversation, turns);
      }
    } catch (error) {
      if (codeOf(error) === ErrorCode.CONVERSATION_NOT_FOUND && epoch === this.epoch) {
        this.show(null, []);
      } else if (epoch === this.epoch) {
        this.replica.dispatch({ type: "failed", failure: failureOf(error) });
      }
    }
  }

  /** The daemon's news of a conversation: another window, or a shell, may have changed it. */
  async changed({ conversation, change, turns = 0 }: ConversationChangedParams): Promise<void> {
    if (conversation !== this.state.conversation?.id) {
      return;
    }
    if (change === "deleted") {
      this.clear();
    } else if (change === "renamed") {
      await this.readTitle(conversation);
    } else if (!isAnswering(this.state) && (turns > lastNumber(this.state) || this.isAnsweredElsewhere())) {
      await this.open(conversation);
    }
  }

  attach(attachment: Attachment): void {
    this.replica.dispatch({ type: "attached", attachment });
  }

  detach(place: number): void {
    this.replica.dispatch({ type: "detached", place });
  }

  /** Ask further questions of `choice`, or of the configured provider. */
  choose(choice: string | null): void {
    this.replica.dispatch({ type: "chose", choice });
    this.surroundings.remember(this.state.conversation?.id, choice);
  }

  retrieve(retrieve: boolean): void {
    this.replica.dispatch({ type: "retrieving", retrieve });
  }

  /** Learn what answers where nothing is chosen. */
  async readConfigured(): Promise<void> {
    try {
      const { providers = [] } = await this.surroundings.request("lucastra/providers", {});
      const found = providers.find((one) => one.default && one.configured);
      const configured = found === undefined ? null : [found.kind, found.model].filter(Boolean).join("/");
      this.replica.dispatch({ type: "configured", configured });
    } catch {
      // The label stays as it was; whoever asks a question is told what is wrong.
    }
  }

  /** A passage of a turn. */
  passage(key: number, number: number): Source | undefined {
    return this.state.turns.find((one) => one.key === key)?.passages.find((one) => one.number === number);
  }

  dispose(): void {
    this.leave();
    this.replica.detach();
  }

  private async send(question: string): Promise<void> {
    const epoch = this.epoch;
    const controller = new AbortController();
    this.keys += 1;
    const key = this.keys;
    this.answering = { controller, key };
    const dispatch = (action: ChatAction): void => {
      if (epoch === this.epoch) {
        this.replica.dispatch(action);
      }
    };
    const { retrieve, choice } = this.state;
    const folders = this.surroundings.folders();
    dispatch({ type: "asked", key, question, retrieve });
    try {
      const conversation = await this.conversation(epoch);
      controller.signal.throwIfAborted();
      const result = await this.surroundings.stream(
        "lucastra/conversation/send",
        // Without a folder, every indexed project would be read.
        {
          conversation,
          text: question,
          retrieve: retrieve && folders.length > 0,
          provider: choice,
          workspaces: folders,
        },
        (event) => dispatch(actionOf(key, event)),
        controller.signal,
      );
      dispatch({ type: "answered", key, result });
      await this.nameIfUnnamed(conversation, epoch);
    } catch (error) {
      const failure = controller.signal.aborted || isCancellation(error) ? stopped() : failureOf(error);
      dispatch({ type: "broke", key, failure, partialText: partialTextOf(error) });
    } finally {
      if (this.answering?.key === key) {
        this.answering = undefined;
      }
    }
  }

  /** The open conversation, or a new one. */
  private async conversation(epoch: number): Promise<string> {
    const open = this.state.conversation?.id;
    if (open !== undefined) {
      return open;
    }
    const conversation = await this.surroundings.request("lucastra/conversation/start", {});
    if (epoch === this.epoch) {
      this.replica.dispatch({ type: "started", conversation });
      this.surroundings.remember(conversation.id, this.state.choice);
      await this.follow(conversation.id);
    } else {
      // The user has left before anything was asked in it: nobody is to find it in the list.
      await this.surroundings.request("lucastra/conversation/delete", { conversation: conversation.id });
    }
    return conversation.id;
  }

  /** The first question gives a conversation its title. */
  private async nameIfUnnamed(id: string, epoch: number): Promise<void> {
    if (epoch === this.epoch && this.state.conversation?.title === "") {
      await this.readTitle(id);
    }
  }

  private async readTitle(id: string): Promise<void> {
    const { conversation } = await this.surroundings.request("lucastra/conversation/history", {
      conversation: id,
      after: lastNumber(this.state),
      limit: 1,
    });
    if (conversation.id === this.state.conversation?.id) {
      this.replica.dispatch({ type: "renamed", title: conversation.title });
    }
  }

  private isAnsweredElsewhere(): boolean {
    return this.state.turns.at(-1)?.phase === "elsewhere";
  }

  /** Be told of `id`, and no longer of the conversation before it. */
  private async follow(id: string | undefined): Promise<void> {
    const former = this.followed;
    this.followed = id;
    if (former !== undefined && former !== id) {
      // Where the daemon cannot be told, it has forgotten the connection, and whom it followed.
      this.surroundings
        .request("lucastra/conversation/follow", { conversation: former, follow: false })
        .catch(() => {});
    }
    if (id !== undefined) {
      await this.surroundings.request("lucastra/conversation/follow", { conversation: id });
    }
  }

  /** Stop the answer under way, and let nothing more of it in. */
  private leave(): number {
    const running = this.answering;
    this.answering = undefined;
    if (running !== undefined) {
      running.controller.abort();
      // Now, as its own end comes too late: else it would seem to be written on until the next conversation is there.
      this.replica.dispatch({ type: "broke", key: running.key, failure: stopped(), partialText: "" });
    }
    this.epoch += 1;
    return this.epoch;
  }

  private show(conversation: Conversation | null, turns: Turn[]): void {
    const firstKey = this.keys + 1;
    this.keys += turns.length;
    this.replica.dispatch({ type: "opened", conversation, turns, firstKey });
    this.surroundings.remember(conversation?.id, this.state.choice);
  }
}

function stopped(): Failure {
  return { message: STOPPED, cures: ["retry"] };
}

function actionOf(key: number, event: Methods["lucastra/conversation/send"]["events"]): ChatAction {
  switch (event.kind) {
    case "passages":
      return { type: "passages", key, event };
    case "delta":
      return { type: "delta", key, text: event.text };
    case "usage":
      return { type: "usage", key, event };
  }
}
