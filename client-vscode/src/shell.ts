export type Shell = "powershell" | "pwsh" | "cmd" | "posix";

/** The shells that interpret a command for a POSIX shell correctly; WSL starts one of them. */
const POSIX = ["sh", "ash", "bash", "dash", "fish", "git-cmd", "ksh", "mksh", "wsl", "zsh"];

/** Returns the syntax of a shell, given the path of its program; `undefined` if it is unknown. */
export function shellOf(path: string): Shell | undefined {
  const name = path.split(/[\\/]/).at(-1)?.toLowerCase().replace(/\.exe$/, "") ?? "";
  if (name === "powershell" || name === "cmd") return name;
  if (name.startsWith("pwsh")) return "pwsh";
  return POSIX.includes(name) ? "posix" : undefined;
}
