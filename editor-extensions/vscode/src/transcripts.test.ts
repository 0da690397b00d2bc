// Every golden transcript of the contract has the shapes of the generated types, and is spoken by the extension's client.

import { describe, expect, it } from "vitest";
import { replay } from "../test/client_part";
import { areParams, checkError, checkEvent, checkNotification, checkResult } from "../test/shapes";
import { type Line, type Said, transcripts } from "../test/transcripts";

describe.each(transcripts())("the transcript $name", ({ lines }) => {
  it("has the shapes of the generated types", () => {
    for (const { from, message } of lines) {
      if (from === "daemon" && message !== undefined) {
        checkShape(lines, message);
      }
    }
  });

  it("is spoken by the extension's client", async () => {
    await replay(lines);
  });

  it("is not spoken where a word of it is another", async () => {
    const unnoticed: Said[] = [];
    for (const [place, { from, message }] of lines.entries()) {
      const others = lines.with(place, { from, message: message && changed(message) });
      if (message !== undefined && (await noticed(replay(lines, others))) === undefined) {
        unnoticed.push(message);
      }
    }
    expect(unnoticed).toEqual([]);
  });
});

/** Throws unless the contract's types describe what the daemon says. */
function checkShape(lines: readonly Line[], { id, method, params, result, error }: Said): void {
  if (method === "$/progress") {
    const asked = lines.find((line) => line.from === "client" && hasToken(line.message, params.token));
    checkEvent(asked?.message?.method ?? "", params.value);
  } else if (method !== undefined) {
    checkNotification(method, params);
  } else {
    const asked = lines.find((line) => line.from === "client" && line.message?.id === id)?.message;
    if (error === undefined) {
      expect(areParams(asked?.method ?? "", asked?.params)).toBe(true);
      checkResult(asked?.method ?? "", result);
    } else {
      checkError(asked?.method ?? "", error.code);
    }
  }
}

function hasToken(message: Said | undefined, token: unknown): boolean {
  return message?.params?.partialResultToken === token || message?.params?.workDoneToken === token;
}

/** The same message with another value in one place. */
function changed(message: Said): Said {
  const copy = structuredClone(message);
  const body = copy.method === "$/progress" ? copy.params.value : (copy.params ?? copy.result ?? copy.error);
  if (body?.protocolVersion !== undefined) {
    body.protocolVersion += 1; // of a hello, that alone is what a client goes by
  } else if (!changeIn(body)) {
    if (copy.method !== undefined) {
      copy.method += "/other";
    } else {
      copy.result = { ...copy.result, other: true };
    }
  }
  return copy;
}

// biome-ignore lint/suspicious/noExplicitAny: any JSON
function changeIn(value: any): boolean {
  for (const [name, item] of Object.entries(value ?? {})) {
    if (TOKENS.includes(name)) {
      continue;
    }
    if (typeof item !== "object" || item === null) {
      value[name] = typeof item === "number" ? item + 1 : typeof item === "boolean" ? !item : `${item}, or not`;
      return true;
    }
    if (changeIn(item)) {
      return true;
    }
  }
  return false;
}

/** Each client has its own. */
const TOKENS = ["partialResultToken", "workDoneToken"];

function noticed(replaying: Promise<void>): Promise<Error | undefined> {
  return replaying.then(
    () => undefined,
    (error: Error) => error,
  );
}
