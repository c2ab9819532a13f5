export type Shell = "powershell" | "pwsh" | "cmd" | "posix";

/** Which language a shell speaks, judged by its program's path. What is not known is taken for a POSIX shell. */
export function shellOf(path: string): Shell {
  const name = path.split(/[\\/]/).at(-1)?.toLowerCase().replace(/\.exe$/, "") ?? "";
  if (name === "powershell" || name === "cmd") return name;
  return name.startsWith("pwsh") ? "pwsh" : "posix";
}
