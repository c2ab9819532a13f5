/** Escapes names of files and packages in texts that VS Code interprets. */

/** Escapes a message, in which `[text](url)` becomes a link, even one that runs a command. */
export function withoutLinks(message: string): string {
  return message.replaceAll("](", "] (");
}

/** Escapes a label, in which `$(name)` becomes an icon. */
export function withoutIcons(label: string): string {
  return label.replaceAll("$(", String.raw`\$(`);
}
