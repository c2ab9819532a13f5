/**
 * One program and its arguments as a line that a person may read in a terminal and confirm with Enter.
 * Every argument must reach the program unchanged, whatever the shell makes of its characters.
 */

export type Shell = "powershell" | "pwsh" | "cmd" | "posix";

/** Which language a shell speaks, judged by its program's path. What is not known is taken for a POSIX shell. */
export function shellOf(path: string): Shell {
  const name = path.split(/[\\/]/).at(-1)?.toLowerCase().replace(/\.exe$/, "") ?? "";
  if (name === "powershell" || name === "cmd") return name;
  return name.startsWith("pwsh") ? "pwsh" : "posix";
}

/**
 * The line to type.
 * @throws if an argument holds a control character: a line break would start the command unasked.
 */
export function commandLine(shell: Shell, program: string, args: readonly string[]): string {
  const words = [program, ...args];
  const unsafe = words.find((word) => CONTROL.test(word));
  if (unsafe !== undefined) throw new Error(`not typed into a terminal, it holds a control character: ${JSON.stringify(unsafe)}`);

  const [command = "", ...rest] = words.map(QUOTE[shell]);
  // PowerShell evaluates a line that starts with a quote as a string; only `&` makes it a call.
  const call = command.startsWith("'") && (shell === "powershell" || shell === "pwsh") ? "& " : "";
  return call + [command, ...rest].join(" ");
}

const QUOTE: Record<Shell, (word: string, position: number) => string> = {
  powershell: (word, position) => quoteForPowerShell(position === 0 ? word : escapeForWindowsPowerShell(word)),
  pwsh: quoteForPowerShell,
  cmd: quoteForCmd,
  posix: quoteForPosix,
};

// eslint-disable-next-line no-control-regex
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/;

/** Words that no shell reads anything into: paths, options, versions. */
const PLAIN = /^[A-Za-z0-9_/][\w./:+-]*$/;
const PLAIN_OPTION = /^--?[A-Za-z][\w-]*$/;

function quoteForPosix(word: string): string {
  if (PLAIN.test(word) || PLAIN_OPTION.test(word)) return word;
  return `'${word.replaceAll("'", String.raw`'\''`)}'`;
}

function quoteForPowerShell(word: string): string {
  if (PLAIN.test(word.replaceAll("\\", "/")) || PLAIN_OPTION.test(word)) return word;
  // The typographic quotes end a string too.
  return `'${word.replace(/['\u2018-\u201b]/g, "$&$&")}'`;
}

/**
 * Windows PowerShell puts quotes around a word with spaces, but escapes nothing in it, and drops an empty one.
 * PowerShell 7 needs no help.
 */
function escapeForWindowsPowerShell(word: string): string {
  if (word === "") return '""';
  const escaped = word.replace(/(\\*)"/g, String.raw`$1$1\"`);
  return /\s/.test(word) ? escaped.replace(/\\+$/, "$&$&") : escaped;
}

/**
 * Two readers follow each other: cmd, to which every `"` opens or closes a quoted part, and the program's C runtime,
 * to which `\"` is a quote and backslashes count only before one. `%` means a variable to cmd even inside quotes.
 * So the text goes into quoted parts, and `"` and `%` stand between them, behind cmd's own escape.
 */
function quoteForCmd(word: string): string {
  if (PLAIN.test(word.replaceAll("\\", "/")) || PLAIN_OPTION.test(word)) return word;
  const parts = word.match(/["%]|[^"%]+/g) ?? [""];
  return parts
    .map((part) => {
      if (part === '"') return String.raw`\^"`;
      if (part === "%") return "^%";
      return `"${part.replace(/\\+$/, "$&$&")}"`;
    })
    .join("");
}
