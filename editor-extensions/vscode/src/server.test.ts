import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { ServerMissing } from "./daemon";
import { candidates, expand, findServer, type Surroundings } from "./server";

let root: string;
const never = new AbortController().signal;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "lucastra-server-"));
});
afterEach(() => rm(root, { recursive: true }));

/** Write a program that says `version` when it is started. */
async function program(path: string, says = "lucastrad 1.1.0"): Promise<string> {
  const whole = join(root, path);
  await mkdir(dirname(whole), { recursive: true });
  await writeFile(whole, `#!/bin/sh\necho '${says}'\n`);
  await chmod(whole, 0o755);
  return whole;
}

function window(changes: Partial<Surroundings> = {}): Surroundings {
  return {
    configured: "",
    folders: [join(root, "project")],
    trusted: true,
    environment: { PATH: `${join(root, "bin")}:/usr/bin:/bin`, HOME: join(root, "home") },
    python: undefined,
    ...changes,
  };
}

test("the setting decides, also against a server on PATH", async () => {
  await program("bin/lucastrad");
  const chosen = await program("own/lucastrad", "lucastrad 9.0");
  expect(await findServer(window({ configured: chosen }), never)).toEqual({ path: chosen, version: "9.0" });
});

test("a setting that is wrong is not passed over", async () => {
  await program("bin/lucastrad");
  const finding = findServer(window({ configured: join(root, "nowhere") }), never);
  await expect(finding).rejects.toThrow(/lucastra\.server\.path is .*nowhere.*no such program.*Correct the setting/);
});

test("the selected Python environment comes before the workspace's own, and that before PATH", async () => {
  const onPath = await program("bin/lucastrad");
  expect((await findServer(window(), never)).path).toBe(onPath);
  const own = await program("project/.venv/bin/lucastrad");
  expect((await findServer(window(), never)).path).toBe(own);
  const selected = await program("envs/app/bin/lucastrad");
  const python = join(root, "envs/app/bin/python");
  expect((await findServer(window({ python }), never)).path).toBe(selected);
});

test("nothing of an untrusted workspace is run", async () => {
  const inside = await program("project/.venv/bin/lucastrad");
  const environment = { PATH: dirname(inside), HOME: join(root, "home") };
  const python = join(dirname(inside), "python");
  const untrusted = window({ trusted: false, environment, python });
  expect(candidates(untrusted)).toEqual([join(root, "home/.local/bin/lucastrad")]);
  await expect(findServer(untrusted, never)).rejects.toBeInstanceOf(ServerMissing);
});

test("relative folders of PATH are not looked in", () => {
  const environment = { PATH: `.::node_modules/.bin:/usr/bin`, HOME: "/home/ada" };
  expect(candidates(window({ environment, trusted: false }))).toEqual([
    "/usr/bin/lucastrad",
    "/home/ada/.local/bin/lucastrad",
  ]);
});

test("a program that is something else is passed over, and named when nothing else is found", async () => {
  const other = await program("bin/lucastrad", "another program");
  await expect(findServer(window(), never)).rejects.toThrow(`${other} does not run: it does not say that it is`);
  const good = await program("home/.local/bin/lucastrad");
  expect((await findServer(window(), never)).path).toBe(good);
});

test("a missing server names the install command", async () => {
  await expect(findServer(window(), never)).rejects.toThrow('pipx install ".[mcp]"');
});

test.each([
  ["~/bin/lucastrad", "/home/ada/bin/lucastrad"],
  ["${workspaceFolder}/.venv/bin/lucastrad", "/src/app/.venv/bin/lucastrad"],
  ["tools/lucastrad", "/src/app/tools/lucastrad"],
  ["/opt/lucastrad", "/opt/lucastrad"],
  ["lucastrad", "lucastrad"],
])("expands %s", (path, expected) => {
  expect(expand(path, { folders: ["/src/app"], environment: { HOME: "/home/ada" } })).toBe(expected);
});
