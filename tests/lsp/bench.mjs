/**
 * The cost of the server, compared with a peer: `npm run bench`. Reads /proc, so it only runs on Linux.
 * WHYDLL_BIN and WHYDLL_REAL as for the tests; RUFF_BIN, if set, names the `ruff` to compare with.
 */

import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { Client } from "./client.mjs";

const ROUNDS = 500;
const IDLE = 5_000;
const TICKS_PER_SECOND = Number(execFileSync("getconf", ["CLK_TCK"], { encoding: "utf8" }));

const { WHYDLL_BIN, WHYDLL_REAL, RUFF_BIN } = process.env;
if (!WHYDLL_BIN || !WHYDLL_REAL) throw new Error("WHYDLL_BIN and WHYDLL_REAL must be set");

/** Each reports something about its line of Python, so that no answer is empty. */
const servers = [
  {
    name: "whydll",
    program: WHYDLL_BIN,
    args: ["server", "--stdio"],
    settings: { interpreter: join(WHYDLL_REAL, "complete", "python.exe"), host: "windows-11" },
    line: "import tensorflow as tf\n",
  },
  { name: "ruff", program: RUFF_BIN, args: ["server"], settings: {}, line: "import os\n" },
];

const rows = [];
for (const server of servers) if (server.program) rows.push({ server: server.name, ...(await measure(server)) });
console.table(rows);

async function measure({ program, args, settings, line }) {
  const folder = mkdtempSync(join(tmpdir(), "whydll-bench-"));
  const client = new Client({ program, args });
  const uri = pathToFileURL(folder).href;
  // A file of a realistic size: a hundred functions after the import.
  const text = line + Array.from({ length: 100 }, (_, n) => `\ndef f${n}(x):\n    return x + ${n}\n`).join("");
  const answered = (document) => client.diagnostics(document, (found) => found.length > 0);
  try {
    const initialize = await timed(() => client.initialize({ settings, folders: [uri] }));
    const first = await timed(() => answered(client.open(`${uri}/first.py`, text)));

    const opens = [];
    const changes = [];
    for (let round = 0; round < ROUNDS / 2; round++) {
      let document;
      opens.push(await timed(() => answered((document = client.open(`${uri}/file${round}.py`, text)))));
      changes.push(await timed(() => (document.insert(0, "# a line\n"), answered(document))));
      document.close();
    }
    const before = cpuSeconds(client.process.pid);
    await sleep(IDLE);
    const idle = (cpuSeconds(client.process.pid) - before) / (IDLE / 1000);

    return {
      "initialize ms": round(initialize),
      "first answer ms": round(first),
      "open p50 ms": round(percentile(opens, 50)),
      "open p99 ms": round(percentile(opens, 99)),
      "change p50 ms": round(percentile(changes, 50)),
      "change p99 ms": round(percentile(changes, 99)),
      "RSS MB": round(residentBytes(client.process.pid) / 1e6),
      "idle CPU %": round(idle * 100),
    };
  } finally {
    await client.stop();
    rmSync(folder, { recursive: true });
  }
}

async function timed(work) {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

function percentile(values, percent) {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor((sorted.length * percent) / 100))];
}

function cpuSeconds(pid) {
  // The fields after the program's name, which may contain spaces: state is the first, utime and
  // stime the 12th and 13th.
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

function residentBytes(pid) {
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))[1]) * 1024;
}

function round(value) {
  return Math.round(value * 100) / 100;
}
