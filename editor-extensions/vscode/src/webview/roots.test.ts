import { expect, test } from "vitest";
import { placeName, rootNames } from "./roots";

test.each([
  [
    ["/src/shop", "/src/garden", "/src/shop"],
    ["shop", "garden"],
  ],
  [
    ["/home/ada/api/app", "/home/ada/web/app", "/home/ada/docs"],
    ["api/app", "web/app", "docs"],
  ],
  [
    ["/app", "/web/app"],
    ["/app", "web/app"],
  ],
  [["/"], ["/"]],
])("%o are called %o", (roots, names) => {
  expect([...rootNames(roots).values()]).toEqual(names);
});

test("a place is told with its folder where there are several", () => {
  const place = { path: "src/retry.py", workspace: "/src/shop" };
  expect(placeName(place, ["/src/shop"])).toBe("src/retry.py");
  expect(placeName(place, ["/src/shop", "/src/garden"])).toBe("shop/src/retry.py");
  expect(placeName(place, ["/src/shop/web", "/old/shop"])).toBe("src/shop/src/retry.py");
});
