// What the chat view shows. Pure: a tree of state and callbacks.

import type { Source } from "../protocol";
import type { Cure } from "../webview/failure";
import { lineLabel } from "../webview/lines";
import { FailureBox, FRESHNESS, Icon, IconButton, Notices } from "../webview/parts";
import { rootNames } from "../webview/roots";
import { Citation, Markdown } from "./markdown";
import { type ChatState, type ChatTurn, isAnswering } from "./state";

export interface ChatViewProps {
  state: ChatState;
  /** What the question box holds. */
  draft: string;
  onDraft(draft: string): void;
  onAsk(): void;
  onStop(): void;
  onRetry(key: number): void;
  onOpen(key: number, number: number, preserveFocus: boolean): void;
  onCopy(text: string): void;
  onInsert(text: string): void;
  onAttach(): void;
  onDetach(place: number): void;
  onChoose(): void;
  onRetrieve(retrieve: boolean): void;
  onCure(cure: Cure, key: number | null): void;
}

const PAPERCLIP = "M13 7.5l-5 5a3.2 3.2 0 0 1-4.5-4.5l5.5-5.5a2.1 2.1 0 0 1 3 3l-5.5 5.5a1 1 0 0 1-1.5-1.5l5-5";
const SEND = "M3 8h10 M9 4l4 4-4 4";
const STOP = "M4 4h8v8H4z";
const COPY = "M5.5 5.5h8v8h-8z M2.5 10.5v-8h8";
const AGAIN = "M13 8a5 5 0 1 1-1.5-3.6 M13 2v3h-3";
const MAGNIFIER = "M7 11.5a4.5 4.5 0 1 0 0-9a4.5 4.5 0 0 0 0 9z M10.5 10.5l3 3";

export function ChatView(props: ChatViewProps) {
  const { turns, failure } = props.state;
  const last = turns.at(-1);
  return (
    <>
      <div class="turns" role="log" aria-label="Conversation" aria-busy={isAnswering(props.state)}>
        {turns.length === 0 && <Welcome {...props} />}
        {turns.map((turn) => (
          <Turn key={turn.key} {...props} turn={turn} isLast={turn === last} />
        ))}
        {failure !== null && <FailureBox failure={failure} onCure={(cure) => props.onCure(cure, null)} />}
      </div>
      <Composer {...props} />
    </>
  );
}

function Welcome({ state, onCure }: ChatViewProps) {
  return (
    <div class="welcome">
      <h2>Ask about this code</h2>
      <p>Answers are written from passages of the workspace, and cite them. A citation opens its lines.</p>
      {state.configured === null && state.choice === null && (
        <p class="notice">
          No language model is configured, so a question shows the passages that an answer would be written from.{" "}
          <button type="button" class="link" onClick={() => onCure("configure", null)}>
            Open Configuration
          </button>
        </p>
      )}
    </div>
  );
}

type TurnProps = ChatViewProps & { turn: ChatTurn; isLast: boolean };

function Turn(props: TurnProps) {
  const { turn, isLast, state } = props;
  const titles = new Map(turn.passages.map((one) => [one.number, `${one.path}:${lineLabel(one.range)}`]));
  const isRunning = turn.phase === "retrieving" || turn.phase === "writing" || turn.phase === "elsewhere";
  const markdown = { onCopy: props.onCopy, onInsert: props.onInsert };
  return (
    <article class="turn">
      <div class="question">
        <Markdown text={turn.question} passages={NO_PASSAGES} onCitation={ignore} {...markdown} />
      </div>
      {(turn.passages.length > 0 || turn.freshness !== "fresh") && <Passages {...props} />}
      <div class="answer">
        <Markdown
          text={turn.answer}
          passages={titles}
          onCitation={(number) => props.onOpen(turn.key, number, false)}
          {...markdown}
        />
      </div>
      {isRunning && <p class="progress">{PROGRESS[turn.phase]}</p>}
      {turn.failure !== null && (
        <FailureBox
          failure={isLast ? turn.failure : { ...turn.failure, cures: [] }}
          onCure={(cure) => props.onCure(cure, turn.key)}
        />
      )}
      <Notices notices={turn.notices} />
      {!isRunning && <Footer {...props} canRetry={isLast && !isAnswering(state)} />}
    </article>
  );
}

const NO_PASSAGES: ReadonlyMap<number, string> = new Map();
const PROGRESS: Record<string, string> = {
  retrieving: "Searching the workspace…",
  writing: "Writing…",
  elsewhere: "Being answered in another window…",
};

function ignore(): void {}

function Passages({ turn, onOpen }: TurnProps) {
  const freshness = FRESHNESS[turn.freshness];
  const count = turn.passages.length;
  const roots = rootNames(turn.passages.map((passage) => passage.workspace));
  return (
    <details class="passages" open>
      <summary>
        {count === 0 ? "No" : count} {count === 1 ? "passage" : "passages"}
        {turn.freshness !== "fresh" && (
          <span class={`freshness ${turn.freshness}`} title={freshness.explanation}>
            {freshness.label}
          </span>
        )}
      </summary>
      <ol>
        {turn.passages.map((passage) => (
          <Passage
            key={passage.number}
            passage={passage}
            root={roots.size > 1 ? (roots.get(passage.workspace) ?? "") : ""}
            onOpen={(preserveFocus) => onOpen(turn.key, passage.number, preserveFocus)}
          />
        ))}
      </ol>
    </details>
  );
}

interface PassageProps {
  passage: Source;
  /** Its workspace's name, where the answer has passages of several. */
  root: string;
  onOpen(preserveFocus: boolean): void;
}

function Passage({ passage, root, onOpen }: PassageProps) {
  const slash = passage.path.lastIndexOf("/");
  const folder = slash < 0 ? "" : passage.path.slice(0, slash);
  return (
    <li>
      <Citation number={passage.number} title={passage.path} onOpen={() => onOpen(false)} />
      <button type="button" class="passage" title={passage.path} onClick={(event) => onOpen(event.altKey)}>
        <span class="filename">
          {passage.path.slice(slash + 1)}:{lineLabel(passage.range)}
        </span>
        {passage.symbol && <span class="symbol">{passage.symbol}</span>}
        <span class="folder">{[root, folder].filter((one) => one !== "").join(" · ")}</span>
      </button>
    </li>
  );
}

function Footer({ turn, canRetry, onCopy, onRetry }: TurnProps & { canRetry: boolean }) {
  const tokens = turn.tokens === null ? "" : `, ${turn.tokens} tokens`;
  return (
    <div class="footer">
      <span class="by">{turn.answeredBy === "" ? "" : `${turn.answeredBy}${tokens}`}</span>
      {turn.answer !== "" && (
        <IconButton title="Copy the answer" onClick={() => onCopy(turn.answer)}>
          <Icon path={COPY} />
        </IconButton>
      )}
      {canRetry && (
        <IconButton title="Ask again" onClick={() => onRetry(turn.key)}>
          <Icon path={AGAIN} />
        </IconButton>
      )}
    </div>
  );
}

function Composer(props: ChatViewProps) {
  const { state, draft } = props;
  const answering = isAnswering(state);
  return (
    <div class="composer">
      <div class="box">
        {state.attachments.length > 0 && (
          <ul class="attachments">
            {state.attachments.map((attachment, place) => (
              <li key={attachment.label}>
                <span>{attachment.label}</span>
                <IconButton title={`Remove ${attachment.label}`} onClick={() => props.onDetach(place)}>
                  <Icon path="M4.5 4.5l7 7 M11.5 4.5l-7 7" />
                </IconButton>
              </li>
            ))}
          </ul>
        )}
        <textarea
          id="question"
          rows={Math.min(10, Math.max(2, draft.split("\n").length))}
          aria-label="Question"
          placeholder={state.turns.length === 0 ? "Ask about this code" : "Ask on"}
          value={draft}
          onInput={(event) => props.onDraft(event.currentTarget.value)}
          onKeyDown={(event) => {
            if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
              event.preventDefault();
              props.onAsk();
            } else if (event.key === "Escape" && answering) {
              props.onStop();
            }
          }}
        />
        <div class="tools">
          <IconButton title="Attach the selection of the active editor" onClick={props.onAttach}>
            <Icon path={PAPERCLIP} />
          </IconButton>
          <IconButton
            title={
              state.retrieve ? "Answers from the workspace (on)" : "Answers from the workspace (off: the model alone)"
            }
            pressed={state.retrieve}
            onClick={() => props.onRetrieve(!state.retrieve)}
          >
            <Icon path={MAGNIFIER} />
          </IconButton>
          <button type="button" class="model" title="Choose the model" onClick={props.onChoose}>
            {state.choice ?? state.configured ?? "No model: passages only"}
          </button>
          {answering ? (
            <IconButton title="Stop (Escape)" onClick={props.onStop}>
              <Icon path={STOP} />
            </IconButton>
          ) : (
            <IconButton title="Ask (Enter)" disabled={draft.trim() === ""} onClick={props.onAsk}>
              <Icon path={SEND} />
            </IconButton>
          )}
        </div>
      </div>
    </div>
  );
}
