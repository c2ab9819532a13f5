export type Shell = "powershell" | "pwsh" | "cmd" | "posix";

/** Those that read what is written for a POSIX shell as it is meant; WSL starts one of them. */
const POSIX = ["sh", "ash", "bash", "dash", "fish", "git-cmd", "ksh", "mksh", "wsl", "zsh"];

/** Which language a shell speaks, judged by its program's path; `undefined` if that is not known. */
export function shellOf(path: string): Shell | undefined {
  const name = path.split(/[\\/]/).at(-1)?.toLowerCase().replace(/\.exe$/, "") ?? "";
  if (name === "powershell" || name === "cmd") return name;
  if (name.startsWith("pwsh")) return "pwsh";
  return POSIX.includes(name) ? "posix" : undefined;
}
