/** Names of files and packages in texts in which VS Code sees more than characters. */

/** For a message, in which `[text](address)` becomes a link, also one that runs a command. */
export function withoutLinks(message: string): string {
  return message.replaceAll("](", "] (");
}

/** For a label, in which `$(name)` becomes a picture. */
export function withoutIcons(label: string): string {
  return label.replaceAll("$(", String.raw`\$(`);
}
