import assert from "node:assert/strict";
import { test } from "node:test";
import { withoutIcons, withoutLinks } from "../src/plain";

test("a message contains no link that VS Code would find", () => {
  const link = /\[([^\]]+)\]\(((?:https?:\/\/|command:|file:)[^)\s]+)(?: (["'])(.+?)(\3))?\)/i;
  for (const name of ["[x](command:workbench.action.terminal.new)", "a] [b](https://example.com 'c')", "[[x](file:///x)](command:x)"]) {
    assert.match(name, link);
    assert.doesNotMatch(withoutLinks(name), link);
  }
});

test("a label contains no icon", () => {
  assert.equal(withoutIcons("$(trash) a$(b).dll"), String.raw`\$(trash) a\$(b).dll`);
  assert.equal(withoutIcons("$a (b)"), "$a (b)");
});
