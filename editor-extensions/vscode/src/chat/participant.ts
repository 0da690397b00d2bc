// `@lucastra` in the editor's own chat: each chat of the editor is a conversation of the daemon.

import {
  type CancellationToken,
  type ChatContext,
  type ChatRequest,
  type ChatResponseStream,
  ChatResponseTurn,
  type ChatResult,
  chat,
  type Disposable,
  Location,
  Range,
  type TextDocument,
  ThemeIcon,
  Uri,
  workspace,
} from "vscode";
import type { LucAstra } from "../daemon";
import { ErrorCode, type Hit, type PassagesEvent, type SendResult } from "../protocol";
import { folderPaths } from "../surroundings";
import { codeOf, failureOf, isCancellation } from "../webview/failure";
import { lineLabel, wholeLines } from "../webview/lines";
import { placeName } from "../webview/roots";
import { type Attachment, LONGEST_ATTACHMENT, withAttachments } from "./attachments";
import { CitationCutter, type Part } from "./citations";
import { choiceOf, VENDOR } from "./models";

const PARTICIPANT = "lucastra.participant";

/** Register the participant. */
export function registerParticipant(lucastra: LucAstra): Disposable {
  const participant = chat.createChatParticipant(PARTICIPANT, (request, context, stream, token) =>
    request.command === "search"
      ? searchFor(lucastra, request, stream, token)
      : answer(lucastra, request, context, stream, token),
  );
  participant.iconPath = new ThemeIcon("search-sparkle");
  return participant;
}

async function answer(
  lucastra: LucAstra,
  request: ChatRequest,
  context: ChatContext,
  stream: ChatResponseStream,
  token: CancellationToken,
): Promise<ChatResult> {
  stream.progress("Searching the workspace");
  let conversation: string | undefined;
  try {
    conversation = await conversationOf(lucastra, context, token);
    const writer = new AnswerWriter(stream);
    const result = await lucastra.stream(
      "lucastra/conversation/send",
      {
        conversation,
        text: withAttachments(request.prompt, await attachmentsOf(request)),
        provider: request.model.vendor === VENDOR ? choiceOf(request.model.id) : null,
        // Without a folder, every indexed project would be read.
        retrieve: folderPaths().length > 0,
        workspaces: folderPaths(),
      },
      (event) => {
        if (event.kind === "passages") {
          writer.passages(event);
        } else if (event.kind === "delta") {
          writer.write(event.text);
        }
      },
      token,
    );
    writer.end(result);
    return { metadata: { conversation } };
  } catch (error) {
    // The next question goes on with this conversation, unless it is gone.
    const next = codeOf(error) === ErrorCode.CONVERSATION_NOT_FOUND ? GONE : conversation;
    return { ...failed(error), metadata: { conversation: next } };
  }
}

async function searchFor(
  lucastra: LucAstra,
  request: ChatRequest,
  stream: ChatResponseStream,
  token: CancellationToken,
): Promise<ChatResult> {
  try {
    const { hits = [], notices = [] } = await lucastra.request(
      "lucastra/search",
      { query: request.prompt, workspaces: folderPaths() },
      token,
    );
    stream.markdown(hits.length === 0 ? "Nothing found." : `${hits.length} passages:\n\n`);
    for (const hit of hits) {
      stream.markdown("- ");
      stream.anchor(locationOf(hit), labelOf(hit));
      stream.markdown("\n");
    }
    tell(stream, notices);
    return {};
  } catch (error) {
    return failed(error);
  }
}

/** Writes an answer as it arrives; its citations become links. */
class AnswerWriter {
  private readonly cited = new Map<number, Hit>();
  private readonly cutter = new CitationCutter(() => new Set(this.cited.keys()));
  private isEmpty = true;

  constructor(private readonly stream: ChatResponseStream) {}

  passages({ citations = [] }: PassagesEvent): void {
    for (const { number, hit } of citations) {
      this.cited.set(number, hit);
      this.stream.reference(locationOf(hit));
    }
  }

  write(text: string): void {
    this.put(this.cutter.feed(text));
  }

  end({ notices = [], citations = [] }: SendResult): void {
    this.put(this.cutter.end());
    if (this.isEmpty) {
      // No model answered: the passages are the answer.
      for (const { number, hit } of citations) {
        this.stream.markdown(`${number}. `);
        this.stream.anchor(locationOf(hit), labelOf(hit));
        this.stream.markdown("\n");
      }
    }
    tell(this.stream, notices);
  }

  private put(parts: readonly Part[]): void {
    for (const part of parts) {
      this.isEmpty = false;
      if (part.numbers === undefined) {
        this.stream.markdown(part.text);
        continue;
      }
      for (const number of part.numbers) {
        const hit = this.cited.get(number);
        if (hit !== undefined) {
          this.stream.anchor(locationOf(hit), `[${number}]`);
        }
      }
    }
  }
}

/** In the place of a conversation that was deleted meanwhile. */
const GONE = "";

/** The conversation that this chat has been so far, or a new one. */
async function conversationOf(lucastra: LucAstra, context: ChatContext, token: CancellationToken): Promise<string> {
  for (const turn of context.history.toReversed()) {
    const known = turn instanceof ChatResponseTurn ? turn.result.metadata?.["conversation"] : undefined;
    if (known === GONE) {
      break;
    }
    if (typeof known === "string") {
      return known;
    }
  }
  return (await lucastra.request("lucastra/conversation/start", {}, token)).id;
}

/** The files and selections that the user attached to the request. */
async function attachmentsOf(request: ChatRequest): Promise<Attachment[]> {
  const places = request.references.map((reference) => reference.value);
  const attachments = await Promise.all(
    places.map(async (place): Promise<Attachment | undefined> => {
      if (typeof place === "string") {
        return { label: "attached text", language: "", text: place };
      }
      const uri = place instanceof Location ? place.uri : place;
      if (!(uri instanceof Uri)) {
        return undefined;
      }
      const document = await openText(uri);
      if (document === undefined) {
        return undefined;
      }
      const range = place instanceof Location ? place.range : undefined;
      const lines = range === undefined ? "" : `:${range.start.line + 1}`;
      return {
        label: workspace.asRelativePath(uri) + lines,
        language: document.languageId,
        text: document.getText(range),
      };
    }),
  );
  return attachments
    .filter((one) => one !== undefined)
    .map((one) => ({ ...one, text: one.text.slice(0, LONGEST_ATTACHMENT) }));
}

/** The document; undefined for a folder, and for what is no text. */
async function openText(uri: Uri): Promise<TextDocument | undefined> {
  try {
    return await workspace.openTextDocument(uri);
  } catch {
    return undefined;
  }
}

function labelOf(hit: Hit): string {
  return `${placeName(hit, folderPaths())}:${lineLabel(hit.range)}`;
}

function locationOf({ uri, range }: Hit): Location {
  const { first, last } = wholeLines(range);
  return new Location(Uri.parse(uri), new Range(first, 0, last, 0));
}

function tell(stream: ChatResponseStream, notices: readonly string[]): void {
  for (const notice of notices) {
    stream.markdown(`\n\n> ${notice}\n`);
    if (notice.includes("no language model is configured")) {
      stream.button({ command: "lucastra.openConfig", title: "Open Configuration" });
    }
  }
}

function failed(error: unknown): ChatResult {
  return isCancellation(error) ? {} : { errorDetails: { message: failureOf(error).message } };
}
