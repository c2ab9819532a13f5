/** Runs an import in the user's Python. */

import { execFile } from "node:child_process";

/** The timeout in milliseconds. Some imports take half a minute, and longer on a slow disk. */
const TIMEOUT = 180_000;

/** The maximum size of Python's output in bytes. */
const MAX_OUTPUT = 16 << 20;

export interface RunResult {
  /** `null` if Python didn't exit in time, or was cancelled. */
  exitCode: number | null;
  output: string;
  notStarted?: string;
}

/** Runs `python -c "import NAME"`, without a shell. */
export function runImport(interpreter: string, name: string, signal: AbortSignal, cwd?: string, timeout = TIMEOUT): Promise<RunResult> {
  return new Promise((resolve) => {
    const options = { cwd, signal, timeout, maxBuffer: MAX_OUTPUT, windowsHide: true };
    const child = execFile(interpreter, ["-c", `import ${name}`], options, (error, stdout, stderr) => {
      const output = `${stdout}${stderr}`;
      const started = child.pid !== undefined;
      resolve(started ? { exitCode: child.exitCode, output } : { exitCode: null, output, notStarted: error?.message ?? "" });
    });
  });
}
