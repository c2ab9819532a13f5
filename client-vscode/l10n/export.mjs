/**
 * Writes `bundle.l10n.json`: all texts of the sources that can be translated. A translation stands beside it as `bundle.l10n.LANGUAGE.json`.
 * With `--check` it writes nothing, and fails if the bundle is not what the sources say.
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
      if (!first || !ts.isStringLiteral(first)) throw new Error(`${name}: l10n.t needs its text as a literal: ${node.getText()}`);
      texts.add(first.text);
    }
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(name, text, ts.ScriptTarget.Latest, true));
}

const written = `${JSON.stringify(Object.fromEntries([...texts].sort().map((text) => [text, text])), null, 2)}\n`;
if (process.argv.includes("--check")) {
  if (readFileSync(bundle, "utf8") !== written) throw new Error("l10n/bundle.l10n.json is not what the sources say: npm run l10n");

  const manifest = readFileSync(new URL("../package.json", here), "utf8");
  const used = new Set([...manifest.matchAll(/"%([^%"]+)%"/g)].map(([, key]) => key));
  const known = Object.keys(JSON.parse(readFileSync(new URL("../package.nls.json", here), "utf8")));
  const odd = [...used].filter((key) => !known.includes(key)).concat(known.filter((key) => !used.has(key)));
  if (odd.length > 0) throw new Error(`package.json and package.nls.json do not agree on ${odd.join(", ")}`);
} else {
  writeFileSync(bundle, written);
}
