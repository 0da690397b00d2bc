import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { commands, EventEmitter, type LogOutputChannel, window } from "vscode";
import { announce } from "./announcements";
import type { LucAstra, State } from "./daemon";
import { endDaemon } from "./daemon_process";

vi.mock("./daemon_process", () => ({ endDaemon: vi.fn(async () => {}) }));
vi.mock("./surroundings", () => ({ serverEnvironment: () => ({}) }));

const SILENT: State = { kind: "reconnecting", message: "it said nothing for 10 s", silent: 4711 };
const READY: State = { kind: "ready", server: "/bin/lucastrad", version: "1.1.0" };
const INCOMPATIBLE: State = { kind: "incompatible", message: "update the server", outdated: "server" };

/** How each offer to end the daemon is answered, in order. */
let answer: ((chosen: string | undefined) => void)[];
let enter: (state: State) => Promise<void>;

beforeEach(() => {
  answer = [];
  const offer = vi.fn(() => new Promise((resolve) => answer.push(resolve)));
  window.showWarningMessage = offer as never;
  window.showErrorMessage = vi.fn(async () => undefined) as never;
  window.showInformationMessage = vi.fn(async () => undefined) as never;
  commands.executeCommand = vi.fn(async () => undefined) as never;
  const changed = new EventEmitter<State>();
  const lucastra = { state: { kind: "starting" } as State, onDidChangeState: changed.event };
  announce(lucastra as LucAstra, { info: () => {} } as unknown as LogOutputChannel);
  enter = async (state) => {
    lucastra.state = state;
    changed.fire(state);
    await settled();
  };
});
afterEach(() => {
  vi.clearAllMocks();
});

async function settled(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

async function choose(chosen: string | undefined): Promise<void> {
  answer.at(-1)?.(chosen);
  await settled();
}

test.each([READY, INCOMPATIBLE, { kind: "starting" } as State])(
  "a silent daemon is offered to be ended once, until it was $kind again",
  async (up) => {
    await enter(SILENT);
    await choose(undefined);
    await enter(SILENT);
    expect(answer).toHaveLength(1);
    await enter(up);
    await enter(SILENT);
    expect(answer).toHaveLength(2);
  },
);

test("the offer stands while the user looks at the log", async () => {
  await enter(SILENT);
  await choose("Show Logs");
  expect(commands.executeCommand).toHaveBeenCalledWith("lucastra.showLogs");
  expect(answer).toHaveLength(2);
});

test("a daemon that is still silent is ended, and another started", async () => {
  await enter(SILENT);
  await choose("End Process 4711");
  expect(endDaemon).toHaveBeenCalledWith(4711, {});
  expect(commands.executeCommand).toHaveBeenCalledWith("lucastra.restart");
});

test.each([READY, INCOMPATIBLE])("a daemon that is $kind by then is left alone", async (up) => {
  await enter(SILENT);
  await enter(up);
  await choose("End Process 4711");
  expect(endDaemon).not.toHaveBeenCalled();
});

test("a failure is told where no offer is open", async () => {
  await enter(SILENT);
  await enter({ ...SILENT, kind: "failed" });
  expect(window.showErrorMessage).not.toHaveBeenCalled();
  await choose(undefined);
  await enter({ ...SILENT, kind: "failed" });
  expect(window.showErrorMessage).toHaveBeenCalledOnce();
});
