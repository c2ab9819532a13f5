/** The view "DLL Chain": which DLLs an import loads, from where, by which rule, and which one is missing. */

import { commands, env, EventEmitter, l10n, ThemeColor, ThemeIcon, TreeItem, TreeItemCollapsibleState, Uri, window, type Disposable, type TreeDataProvider } from "vscode";

/** `whydll.chain`, as the server answers. */
export interface Tree {
  package: string;
  nodes: Node[];
}

interface Node {
  name: string;
  path?: string;
  version?: string;
  state: "loaded" | "system" | "already-loaded" | "waiting" | "unloaded" | "missing" | "skipped";
  rule: string;
  children?: Node[];
}

const ICON: Record<Node["state"], ThemeIcon> = {
  loaded: new ThemeIcon("pass", new ThemeColor("testing.iconPassed")),
  system: new ThemeIcon("device-desktop"),
  "already-loaded": new ThemeIcon("link"),
  waiting: new ThemeIcon("clock"),
  unloaded: new ThemeIcon("warning", new ThemeColor("list.warningForeground")),
  missing: new ThemeIcon("error", new ThemeColor("list.errorForeground")),
  skipped: new ThemeIcon("circle-slash"),
};

export class ChainView implements TreeDataProvider<Node>, Disposable {
  private readonly changed = new EventEmitter<void>();
  private readonly view = window.createTreeView("whydll.chain", { treeDataProvider: this, showCollapseAll: true });
  private tree: Tree | undefined;
  private readonly parents = new Map<Node, Node>();
  readonly onDidChangeTreeData = this.changed.event;

  get isVisible(): boolean {
    return this.view.visible;
  }

  async show(tree: Tree): Promise<void> {
    await commands.executeCommand("setContext", "whydll.chainShown", true);
    this.update(tree);
    await commands.executeCommand("whydll.chain.focus");
    const first = firstMissing(tree.nodes);
    if (first) await this.view.reveal(first, { select: true, focus: true, expand: true });
  }

  update(tree: Tree): void {
    this.tree = tree;
    this.parents.clear();
    this.noteParents(tree.nodes);
    this.view.description = `import ${tree.package}`;
    this.changed.fire();
  }

  getChildren(node?: Node): Node[] {
    return (node ? node.children : this.tree?.nodes) ?? [];
  }

  getParent(node: Node): Node | undefined {
    return this.parents.get(node);
  }

  private noteParents(nodes: Node[], parent?: Node): void {
    for (const node of nodes) {
      if (parent) this.parents.set(node, parent);
      this.noteParents(node.children ?? [], node);
    }
  }

  getTreeItem(node: Node): TreeItem {
    const { None, Collapsed, Expanded } = TreeItemCollapsibleState;
    const open = leadsToMissing(node) && node.state !== "missing" ? Expanded : Collapsed;
    const item = new TreeItem(node.name, node.children?.length ? open : None);
    item.iconPath = ICON[node.state];
    item.description = [node.version, node.rule].filter(Boolean).join(" · ");
    item.tooltip = [node.path ?? node.name, node.version, node.rule].filter(Boolean).join("\n");
    item.accessibilityInformation = { label: `${node.name}, ${node.state}, ${item.description}` };
    if (node.path !== undefined) {
      item.contextValue = "file";
      item.command = { command: "whydll.revealFile", title: l10n.t("Reveal File"), arguments: [node] };
    }
    return item;
  }

  dispose(): void {
    this.view.dispose();
    this.changed.dispose();
  }
}

/** Shows the file where it lies. A window in a browser has no file manager to show it in. */
export async function revealFile({ path }: { path?: string }): Promise<void> {
  if (path === undefined) return;
  try {
    await commands.executeCommand("revealFileInOS", Uri.file(path));
  } catch {
    await env.clipboard.writeText(path);
    window.setStatusBarMessage(l10n.t("Copied {0}", path), 5000);
  }
}

function firstMissing(nodes: Node[]): Node | undefined {
  for (const node of nodes) {
    const found = node.state === "missing" ? node : firstMissing(node.children ?? []);
    if (found) return found;
  }
  return undefined;
}

function leadsToMissing(node: Node): boolean {
  return node.state === "missing" || (node.children ?? []).some(leadsToMissing);
}
