import { expect, test } from "vitest";
import { reportOf } from "./doctor";

test("the worst comes first, with its cure", () => {
  const report = reportOf({
    checks: [
      { name: "store", status: "ok", detail: "3 files" },
      { name: "disk", status: "error", detail: "full", cure: "free space" },
    ],
  });
  expect(report).toBe("# LucAstra Doctor\n\n- ✗ **disk**: full\n  - Cure: free space\n- ✓ **store**: 3 files\n");
});
