// What the daemon finds when it examines itself, as Markdown.

import type { DoctorResult } from "./protocol";

const MARKS = { ok: "✓", warning: "⚠", error: "✗" } as const;

/** The checks, worst first; each with its cure. */
export function reportOf(result: DoctorResult, server?: { server: string; version: string }): string {
  const order = ["error", "warning", "ok"];
  const checks = [...(result.checks ?? [])].sort((a, b) => order.indexOf(a.status) - order.indexOf(b.status));
  const lines = checks.flatMap(({ name, status, detail, cure }) => [
    `- ${MARKS[status]} **${name}**: ${detail}`,
    ...(cure ? [`  - Cure: ${cure}`] : []),
  ]);
  const about = server === undefined ? [] : [`Server: ${server.server}, version ${server.version}`, ""];
  return ["# LucAstra Doctor", "", ...about, ...lines, ""].join("\n");
}
