// Bundles the extension, and each view's `src/<view>/webview.ts` or `.tsx`, into dist/.
import { cp, mkdir, readdir, rm } from "node:fs/promises";
import { argv } from "node:process";
import esbuild from "esbuild";

const production = argv.includes("--production");
const shared = {
  bundle: true,
  minify: production,
  sourcemap: production ? false : "linked",
  logLevel: "warning",
  legalComments: "linked",
};
const webviews = {};
for (const path of await readdir("src", { recursive: true })) {
  const view = /^([^/]+)\/webview\.tsx?$/.exec(path)?.[1];
  if (view !== undefined) {
    webviews[view] = `src/${path}`;
  }
}

await rm("dist", { recursive: true, force: true });
await mkdir("dist");
await cp("../../protocol/schema/config.schema.json", "dist/config.schema.json");
const contexts = [
  await esbuild.context({
    ...shared,
    entryPoints: { extension: "src/extension.ts" },
    outdir: "dist",
    platform: "node",
    format: "cjs",
    target: "node22",
    external: ["vscode"],
  }),
  await esbuild.context({
    ...shared,
    entryPoints: webviews,
    outdir: "dist/webviews",
    platform: "browser",
    format: "iife",
    target: "chrome130",
  }),
];
for (const context of contexts) {
  if (argv.includes("--watch")) {
    await context.watch();
  } else {
    await context.rebuild();
    await context.dispose();
  }
}
