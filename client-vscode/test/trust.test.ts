/** An untrusted folder can't select a program, an interpreter, or a machine. */

import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { describe, test } from "node:test";

interface Setting {
  type: string | string[];
  enum?: string[];
  scope?: string;
}
interface Manifest {
  capabilities: { untrustedWorkspaces: { supported: unknown; restrictedConfigurations: string[] } };
  contributes: { configuration: { properties: Record<string, Setting> } };
}

/** The settings that even an untrusted folder may set: fixed values, and names that are only compared with others. */
const HARMLESS = ["whydll.packages", "whydll.severity", "whydll.showNotifications", "whydll.logLevel", "whydll.trace.server"];

// The tests run in the extension's folder.
const { capabilities, contributes } = JSON.parse(readFileSync("package.json", "utf8")) as Manifest;
const settings = Object.entries(contributes.configuration.properties);
const { supported, restrictedConfigurations } = capabilities.untrustedWorkspaces;

describe("in an untrusted folder", () => {
  test("support is limited", () => assert.equal(supported, "limited"));

  for (const [name, { scope }] of settings) {
    if (HARMLESS.includes(name)) continue;
    test(`${name} has no effect, and is never synchronized between machines`, () => {
      assert.ok(restrictedConfigurations.includes(name), "add it to restrictedConfigurations, or to the harmless ones if it can do no harm");
      assert.match(scope ?? "", /^machine/);
    });
  }

  test("all restricted and harmless settings exist", () => {
    const names = settings.map(([name]) => name);
    assert.deepEqual([...restrictedConfigurations, ...HARMLESS].filter((name) => !names.includes(name)), []);
  });

  test("no harmless setting could be a path", () => {
    const texts = settings.filter(([name, { type, enum: words }]) => HARMLESS.includes(name) && type === "string" && !words);
    assert.deepEqual(texts, []);
  });
});

test("only the status bar's tooltip has links that run commands, and nothing supports HTML", () => {
  const files = readdirSync("src").map((name): [string, string] => [name, readFileSync(`src/${name}`, "utf8")]);
  const having = (what: RegExp): string[] => files.filter(([, text]) => what.test(text)).map(([name]) => name);
  assert.deepEqual(having(/\.isTrusted = /), ["status.ts"]);
  assert.deepEqual(having(/\.isTrusted = true/), []);
  assert.deepEqual(having(/supportHtml|supportThemeIcons|enableScripts/), []);
});
