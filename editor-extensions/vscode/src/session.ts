// What the rest of the extension asks of one connection, in terms of JSON-RPC.

import type { CancellationToken, Disposable } from "vscode";
import { ErrorCodes, ProgressType } from "vscode-jsonrpc";
import { ConnectionLost, type Session } from "./daemon";

/** As a language client has it, and the bare connection beneath it. */
export interface Connection {
  sendRequest(method: string, params: unknown, token?: CancellationToken): Promise<unknown>;
  sendNotification(method: string, params: unknown): Promise<void>;
  onNotification(method: string, handler: (params: unknown) => void): Disposable;
  onProgress(type: ProgressType<unknown>, token: string, handler: (value: unknown) => void): Disposable;
}

const PROGRESS = new ProgressType<unknown>();

/** The codes with which vscode-jsonrpc itself ends a request whose connection has gone. */
const GONE: readonly number[] = [
  ErrorCodes.MessageWriteError,
  ErrorCodes.MessageReadError,
  ErrorCodes.PendingResponseRejected,
  ErrorCodes.ConnectionInactive,
];

/** A session on `connection`; `closed` resolves once it is gone, and `dispose` ends it. */
export function sessionOn(connection: Connection, closed: Promise<string>, dispose: () => Promise<void>): Session {
  return {
    closed,
    request: async (method, params, token) => {
      try {
        // An undefined token would be taken for a second parameter, and both be sent as a list.
        return await (token === undefined
          ? connection.sendRequest(method, params)
          : connection.sendRequest(method, params, token));
      } catch (error) {
        const code = error instanceof Error && "code" in error ? error.code : undefined;
        throw typeof code === "number" && GONE.includes(code) ? new ConnectionLost() : error;
      }
    },
    notify: (method, params) => connection.sendNotification(method, params),
    onNotification: (method, handler) => connection.onNotification(method, handler),
    onProgress: (token, handler) => connection.onProgress(PROGRESS, token, handler),
    dispose,
  };
}
