// The daemon's part of a transcript, played to the extension's client over a pair of streams.

import { PassThrough } from "node:stream";
import { isDeepStrictEqual } from "node:util";
import {
  createMessageConnection,
  type Message,
  type MessageConnection,
  StreamMessageReader,
  StreamMessageWriter,
} from "vscode-jsonrpc/node";
import type { Session } from "../src/daemon";
import { sessionOn } from "../src/session";
import { filled } from "./shapes";
import type { Id, Line, Said } from "./transcripts";

/** What the client says must be the transcript's next line, and is answered by those after it. */
export class DaemonPart {
  /** What the client said that it ought not to have said. */
  failure: Error | undefined;
  /** How many messages of the client were as they ought to be. */
  heard = 0;
  /** What the extension has of a relay. */
  readonly session: Session;
  readonly connection: MessageConnection;

  readonly #lines: Line[];
  readonly #toClient = new PassThrough();
  readonly #writer = new StreamMessageWriter(this.#toClient);
  /** The client's own ids and tokens, by the transcript's. */
  readonly #ids = new Map<Id, Id>();
  readonly #tokens = new Map<Id, Id>();

  constructor(lines: readonly Line[]) {
    const fromClient = new PassThrough();
    this.#lines = [...lines];
    new StreamMessageReader(fromClient).listen((message) => this.#take(message as Said));
    const connection = createMessageConnection(
      new StreamMessageReader(this.#toClient),
      new StreamMessageWriter(fromClient),
    );
    const closed = new Promise<string>((resolve) => {
      connection.onClose(() => {
        connection.dispose(); // as the language client does, so that no request waits for ever
        resolve("the daemon closed the connection");
      });
    });
    this.connection = connection;
    this.session = sessionOn(connection, closed, async () => connection.dispose());
    connection.listen();
  }

  /** Throws unless the client has said all that it says in the transcript, and nothing else. */
  end(): void {
    if (this.failure !== undefined) {
      throw this.failure;
    }
    const unsaid = this.#lines.find(({ from }) => from === "client");
    if (unsaid !== undefined) {
      throw new Error(`the client has not said ${JSON.stringify(unsaid.message)}`);
    }
  }

  #take(said: Said): void {
    if (this.failure !== undefined) {
      return;
    }
    const expected = this.#lines.shift();
    try {
      this.#compare(expected?.message, said);
    } catch (error) {
      this.failure = error as Error;
      this.#toClient.end();
      return;
    }
    this.heard += 1;
    while (this.#lines[0]?.from === "daemon") {
      const message = this.#lines.shift()?.message;
      if (message === undefined) {
        this.#toClient.end();
      } else {
        void this.#writer.write(this.#translated(message) as unknown as Message);
      }
    }
  }

  #compare(expected: Said | undefined, said: Said): void {
    if (expected === undefined) {
      throw new Error(`the client said ${JSON.stringify(said)}, and nothing was expected`);
    }
    if (expected.id !== undefined && said.id !== undefined && expected.method !== undefined) {
      this.#ids.set(expected.id, said.id);
    }
    const wanted = comparable(expected, this.#ids);
    const came = comparable(said);
    for (const token of ["partialResultToken", "workDoneToken"]) {
      if (wanted.params?.[token] != null && came.params?.[token] != null) {
        this.#tokens.set(wanted.params[token], came.params[token]);
        wanted.params = { ...wanted.params, [token]: came.params[token] };
      }
    }
    if (!isDeepStrictEqual(wanted, came)) {
      throw new Error(`the client said ${JSON.stringify(came)} in place of ${JSON.stringify(wanted)}`);
    }
  }

  #translated(message: Said): Said {
    if (message.method === "$/progress") {
      const { token } = message.params;
      return { ...message, params: { ...message.params, token: this.#tokens.get(token) ?? token } };
    }
    return message.method === undefined && message.id !== undefined
      ? { ...message, id: this.#ids.get(message.id) ?? message.id }
      : message;
  }
}

/** What counts: neither a request's own id, nor which defaults are left out, nor what the client calls itself. */
function comparable({ id, method, params, result }: Said, ids?: Map<Id, Id>): Said {
  if (method === undefined) {
    return { id: id as Id, result };
  }
  if (method === "$/cancelRequest") {
    return { method, params: { id: ids?.get(params.id) ?? params.id } };
  }
  const whole = filled(method, params) as object;
  return { method, params: method === "lucastra/hello" ? { ...whole, clientName: "", clientVersion: "" } : whole };
}
