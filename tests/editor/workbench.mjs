/** One window of VS Code from the user's view: what is visible, and what mouse and keyboard can do. */

import { join } from "node:path";

/** The containers of text editors. Those in a notebook are in a layer above it. */
const EDITORS = ":is(.part.editor, .notebookOverlay)";

export class Workbench {
  constructor(page, pictures) {
    this.page = page;
    this.pictures = pictures;
  }

  async ready() {
    await this.page.locator(".monaco-workbench .part.statusbar").waitFor();
  }

  /** Waits for a folder in the Explorer, which a new window shows. */
  async hasFolders() {
    await this.page.locator(".explorer-folders-view .monaco-list-row").first().waitFor({ timeout: 10_000 });
  }

  /** Takes a screenshot of the window, or of the part that shows these elements. */
  async picture(name, ...elements) {
    const path = join(this.pictures, `${name.replace(/[^\w-]+/g, "-")}.png`);
    const boxes = await Promise.all(elements.map((element) => element.boundingBox()));
    await this.page.screenshot({ path, animations: "disabled", ...(boxes.length > 0 && { clip: around(boxes, this.page.viewportSize()) }) });
  }

  get editorArea() {
    return this.page.locator(".part.editor .editor-group-container").first();
  }

  // --- The editor ---

  /** Waits for a file's text. */
  async shows(text) {
    await this.lines.filter({ hasText: text }).first().waitFor();
  }

  get lines() {
    return this.page.locator(`${EDITORS} .view-line:visible`);
  }

  squiggles(severity = "error") {
    return this.page.locator(`${EDITORS} .squiggly-${severity}:visible`);
  }

  /** Waits for a squiggle. Returns the underlined text and its line. */
  async underlined(severity = "error") {
    const found = await this.page.waitForFunction(underlinedText, { editors: EDITORS, severity });
    return found.jsonValue();
  }

  async notUnderlined(severity = "error") {
    await this.squiggles(severity).first().waitFor({ state: "hidden" });
  }

  async save() {
    await this.page.keyboard.press("Control+s");
    await this.page.locator(".tab.dirty").waitFor({ state: "detached" });
  }

  async focusEditor() {
    await this.lines.first().click();
  }

  async goTo(line, column = 1) {
    await this.page.keyboard.press("Control+g");
    await this.quickInput.fill(`:${line}:${column}`);
    await this.page.keyboard.press("Enter");
    await this.quickInput.waitFor({ state: "hidden" });
  }

  /** The lines of the editor, without those that are not visible. */
  async text() {
    const lines = await this.lines.evaluateAll((elements) =>
      elements
        .map((element) => ({ top: parseFloat(element.style.top), text: element.textContent.replaceAll("\u00a0", " ") }))
        .sort((a, b) => a.top - b.top),
    );
    return lines.map(({ text }) => text).join("\n");
  }

  /** Waits until the editor has this text. */
  async reads(wanted) {
    await this.until(async () => (await this.text()) === wanted, async () => `the editor reads\n${await this.text()}`);
  }

  /** The hover of an element. */
  async hover(locator, text) {
    const hover = this.page.locator(".monaco-hover:visible").filter({ hasText: text });
    await this.again(async () => {
      await this.page.mouse.move(5, 400);
      await locator.hover({ force: true });
    }, hover);
    return hover.first();
  }

  // --- Commands ---

  get quickInput() {
    return this.page.locator(".quick-input-widget:visible input.input");
  }

  get quickPicks() {
    return this.page.locator(".quick-input-widget:visible .quick-input-list .monaco-list-row");
  }

  /** Runs a command by its title. */
  async command(title) {
    await this.again(() => this.quickly("F1", `>${title}`, title), this.quickPicks.filter({ hasText: title }));
    await this.page.keyboard.press("Enter");
    // Another question may replace it.
    await this.page.waitForFunction(() => {
      const input = document.querySelector(".quick-input-widget input.input");
      return !input?.offsetParent || !input.value.startsWith(">");
    });
  }

  async openFile(name) {
    await this.again(async () => {
      await this.quickly("Control+p", name, name);
      await this.page.keyboard.press("Enter");
    }, this.tab(name));
  }

  /** Opens a list with a key, and types until a row has the focus. */
  async quickly(key, text, row) {
    await this.page.keyboard.press(key);
    await this.narrow(text, row);
  }

  /** Types into an open list until a row has the focus. */
  async narrow(text, row) {
    await this.quickInput.fill(text, { timeout: 4000 });
    await this.quickPicks.and(this.page.locator(".focused")).filter({ hasText: row }).waitFor({ timeout: 4000 });
  }

  /** Changes the language of the open document. */
  async changeLanguage(name) {
    await this.command("Change Language Mode");
    await this.narrow(name, name);
    await this.page.keyboard.press("Enter");
    await this.statusItem("status.editor.mode").filter({ hasText: name }).waitFor();
  }

  // --- Quick fixes ---

  get fixMenu() {
    return this.page.locator(".action-widget:not(.action-list-submenu-panel)");
  }

  /** The light bulb of an editor with a preferred fix. */
  get bulb() {
    return this.page.locator(EDITORS).locator('[class*="lightbulb-auto-fix"], [class*="lightbulb-autofix"], [class*="light-bulb-autofix"]').first();
  }

  /** Opens the menu at the cursor. Returns the titles in order. */
  async quickFixes(title) {
    const rows = this.fixMenu.locator(".monaco-list-row.action");
    await this.again(() => this.page.keyboard.press("Control+."), rows.filter({ hasText: title }));
    return rows.allTextContents();
  }

  /** Chooses an entry of the open menu. */
  async fix(title) {
    await this.fixMenu.locator(".monaco-list-row.action").filter({ hasText: title }).first().click();
    await this.fixMenu.waitFor({ state: "hidden" });
  }

  // --- Around the editor ---

  statusItem(id) {
    return this.page.locator(`.statusbar-item[id="${id}"]`);
  }

  get health() {
    return this.statusItem("whydll.whydll.health");
  }

  /** Waits until the status bar shows a state: `healthy`, `broken`, or the exact text. */
  async isHealth(wanted) {
    const words = { healthy: /^\s*DLLs\s*$/ }[wanted] ?? wanted;
    const item = wanted === "broken" ? this.health.and(this.page.locator(".error-kind")) : this.health.filter({ hasText: words });
    await item.waitFor();
  }

  /** Opens the Problems panel. Returns its rows. */
  async problems() {
    const panel = this.page.locator(".markers-panel-container");
    if (!(await panel.isVisible())) await this.command("View: Focus Problems");
    return panel.locator(".monaco-list-row");
  }

  get sideBar() {
    return this.page.locator(".part.sidebar");
  }

  /** The page of a Markdown preview or of the DLL chain, which is a nested frame. */
  async preview(title) {
    await this.tab(title).waitFor();
    return this.page.frameLocator("iframe.webview.ready").last().frameLocator("#active-frame").locator("body");
  }

  get notifications() {
    return this.page.locator(".notification-toast");
  }

  notification(text) {
    return this.notifications.filter({ hasText: text }).first();
  }

  /** A modal question. */
  dialog(text) {
    return this.page.locator(".monaco-dialog-box").filter({ hasText: text });
  }

  get tabs() {
    return this.page.locator(".tabs-container").first();
  }

  tab(name) {
    return this.page.locator(".tab.active").filter({ hasText: name });
  }

  /** The lines of the visible terminal. */
  async terminalText() {
    return (await this.page.locator(".terminal-wrapper.active .xterm-rows > *").allTextContents()).join("\n").trimEnd();
  }

  get terminals() {
    return this.page.locator(".terminal-wrapper");
  }

  /** Closes everything that is open, and opens a file. */
  async backTo(file) {
    await this.page.keyboard.press("Escape");
    await this.openFile(file);
    await this.focusEditor();
  }

  /** Everything that can be read around the editor, for the report of a failure. */
  async visibleText() {
    const texts = async (locator) => (await locator.allInnerTexts()).map((text) => text.replace(/\s+/g, " ").trim()).filter(Boolean).join(" | ");
    const [tabs, statusBar, messages] = await Promise.all(
      [".tab", ".statusbar-item", ".notification-toast, .monaco-dialog-box"].map((selector) => texts(this.page.locator(selector))),
    );
    return [`title: ${await this.page.title()}`, `tabs: ${tabs}`, `status bar: ${statusBar}`, `messages: ${messages}`].join("\n");
  }

  /** The violations that axe finds in an element of the window: rule and element. */
  async violations(selector, axe) {
    return violationsIn(this.page, axe, { include: [[selector]] });
  }

  /**
   * The same for a page in a frame. Axe needs scripts, which the page doesn't allow, so a copy with
   * its colours is checked.
   */
  async violationsOf(body, axe) {
    const html = await body.evaluate((element) => element.ownerDocument.documentElement.outerHTML);
    const page = await this.page.context().newPage();
    try {
      await page.setContent(html);
      return await violationsIn(page, axe, undefined);
    } finally {
      await page.close();
    }
  }

  close() {
    return this.page.close({ runBeforeUnload: false });
  }

  // --- Waiting ---

  /**
   * Does something, repeatedly if necessary, until an element is visible: a window that is still
   * loading loses keys.
   */
  async again(act, seen, times = 8) {
    for (let round = 1; ; round++) {
      await act().catch(() => {});
      try {
        await seen.first().waitFor({ timeout: 5000 });
        return;
      } catch (error) {
        if (round === times) throw error;
        await this.page.keyboard.press("Escape");
      }
    }
  }

  async until(holds, otherwise, patience = 60_000) {
    const end = Date.now() + patience;
    while (!(await holds())) {
      if (Date.now() > end) throw new Error(await otherwise());
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

async function violationsIn(page, axe, context) {
  // The debugger's evaluation isn't restricted by the page's policy.
  await page.evaluate(`${axe}\n;0`);
  const violations = await page.evaluate(async (context) => {
    const found = await globalThis.axe.run(context ?? document, { resultTypes: ["violations"], preload: false, iframes: false });
    return found.violations.map(({ id, nodes }) => ({ id, nodes: nodes.map(({ html }) => html) }));
  }, context);
  return violations.flatMap(({ id, nodes }) => nodes.map((html) => `${id}: ${html.slice(0, 200)}`));
}

/** The smallest rectangle that contains all of these, with a margin, within the window. */
function around(boxes, { width, height }, margin = 4) {
  const x = Math.max(0, Math.min(...boxes.map((box) => box.x)) - margin);
  const y = Math.max(0, Math.min(...boxes.map((box) => box.y)) - margin);
  const right = Math.min(width, Math.max(...boxes.map((box) => box.x + box.width)) + margin);
  const bottom = Math.min(height, Math.max(...boxes.map((box) => box.y + box.height)) + margin);
  return { x, y, width: right - x, height: bottom - y };
}

/**
 * Runs in the window: the characters above the squiggles, as they are really drawn. `false` if
 * there is none.
 */
function underlinedText({ editors, severity }) {
  const visible = [...document.querySelectorAll(`${editors} .squiggly-${severity}`)].filter((squiggle) => squiggle.offsetParent);
  const found = visible.map((squiggle) => {
    const under = squiggle.getBoundingClientRect();
    const middle = (under.top + under.bottom) / 2;
    const line = [...document.querySelectorAll(`${editors} .view-line`)].find((candidate) => {
      const { top, bottom } = candidate.getBoundingClientRect();
      return candidate.offsetParent && top <= middle && middle <= bottom;
    });
    let text = "";
    const words = document.createTreeWalker(line, NodeFilter.SHOW_TEXT);
    while (words.nextNode()) {
      const node = words.currentNode;
      for (let at = 0; at < node.length; at++) {
        const character = document.createRange();
        character.setStart(node, at);
        character.setEnd(node, at + 1);
        const { left, right } = character.getBoundingClientRect();
        if (under.left < right - 1 && left + 1 < under.right) text += node.data[at];
      }
    }
    return { text, line: line.textContent.replaceAll("\u00a0", " ") };
  });
  return found.length > 0 && found;
}
