/** Runs an import in a Python of the user's. */

import { execFile } from "node:child_process";

/** In milliseconds. Some imports take half a minute, on a slow disk more. */
const PATIENCE = 180_000;

/** More of what Python prints is not kept, in bytes. */
const MOST_OUTPUT = 16 << 20;

export interface Seen {
  /** `null` if it did not end in time, or was stopped. */
  exitCode: number | null;
  output: string;
  notStarted?: string;
}

/** `python -c "import NAME"`, without a shell. */
export function runImport(interpreter: string, name: string, signal: AbortSignal, cwd?: string, patience = PATIENCE): Promise<Seen> {
  return new Promise((resolve) => {
    const options = { cwd, signal, timeout: patience, maxBuffer: MOST_OUTPUT, windowsHide: true };
    const child = execFile(interpreter, ["-c", `import ${name}`], options, (error, stdout, stderr) => {
      const output = `${stdout}${stderr}`;
      const started = child.pid !== undefined;
      resolve(started ? { exitCode: child.exitCode, output } : { exitCode: null, output, notStarted: error?.message ?? "" });
    });
  });
}
