/**
 * Writes `bundle.l10n.json` with all translatable strings of the sources. A translation is next to it, as `bundle.l10n.LANGUAGE.json`.
 * With `--check`, writes nothing, and fails if the bundle doesn't match the sources.
 */

import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import ts from "typescript";

const here = new URL(".", import.meta.url);
const bundle = new URL("bundle.l10n.json", here);
const sources = readdirSync(new URL("../src/", here)).filter((name) => name.endsWith(".ts"));
const texts = new Set();

for (const name of sources) {
  const text = readFileSync(new URL(`../src/${name}`, here), "utf8");
  const visit = (node) => {
    if (ts.isCallExpression(node) && node.expression.getText() === "l10n.t") {
      const [first] = node.arguments;
      if (!first || !ts.isStringLiteral(first)) throw new Error(`${name}: the argument of l10n.t must be a string literal: ${node.getText()}`);
      texts.add(first.text);
    }
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(name, text, ts.ScriptTarget.Latest, true));
}

const written = `${JSON.stringify(Object.fromEntries([...texts].sort().map((text) => [text, text])), null, 2)}\n`;
if (process.argv.includes("--check")) {
  if (readFileSync(bundle, "utf8") !== written) throw new Error("l10n/bundle.l10n.json doesn't match the sources: run npm run l10n");

  const manifest = readFileSync(new URL("../package.json", here), "utf8");
  const used = new Set([...manifest.matchAll(/"%([^%"]+)%"/g)].map(([, key]) => key));
  const known = Object.keys(JSON.parse(readFileSync(new URL("../package.nls.json", here), "utf8")));
  const odd = [...used].filter((key) => !known.includes(key)).concat(known.filter((key) => !used.has(key)));
  if (odd.length > 0) throw new Error(`package.json and package.nls.json do not agree on ${odd.join(", ")}`);
} else {
  writeFileSync(bundle, written);
}
