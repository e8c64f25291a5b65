import { expect, test } from "vitest";
import { splitLinks } from "./links.ts";

test("web addresses become links, without the punctuation around them", () => {
  expect(splitLinks("see https://example.com/a?b=1. Then (http://x.test)")).toEqual([
    { text: "see ", href: null },
    { text: "https://example.com/a?b=1", href: "https://example.com/a?b=1" },
    { text: ". Then (", href: null },
    { text: "http://x.test", href: "http://x.test" },
    { text: ")", href: null },
  ]);
});

test.each([
  "javascript:alert(1)",
  "data:text/html,<script>",
  "vbscript:x",
  "//evil.test",
  "ftp://x.test/",
  "mailto:a@b.c",
])("%s stays text", (text) => {
  expect(splitLinks(text)).toEqual([{ text, href: null }]);
});
