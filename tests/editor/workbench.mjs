/** One window of VS Code as a person has it before them: what can be seen in it, and what hands can do. */

import { basename, join } from "node:path";

export class Workbench {
  constructor(page, pictures) {
    this.page = page;
    this.pictures = pictures;
  }

  async ready() {
    await this.page.locator(".monaco-workbench .part.statusbar").waitFor();
  }

  /** A picture of the window, or of a part of it. */
  picture(name, clip) {
    return this.page.screenshot({ path: join(this.pictures, `${name.replace(/[^\w-]+/g, "-")}.png`), clip });
  }

  // --- The editor ---

  /** Waits for a file's text. */
  async shows(text) {
    await this.lines.filter({ hasText: text }).first().waitFor();
  }

  get lines() {
    return this.page.locator(".editor-instance .view-line");
  }

  squiggles(severity = "error") {
    return this.page.locator(`.editor-instance .squiggly-${severity}`);
  }

  /** Waits for a squiggle, and gives what is underlined: the text, and the line that it is in. */
  async underlined(severity = "error") {
    await this.squiggles(severity).first().waitFor();
    return this.page.evaluate(underlinedText, `.squiggly-${severity}`);
  }

  async notUnderlined(severity = "error") {
    await this.squiggles(severity).first().waitFor({ state: "detached" });
  }

  async save() {
    await this.page.keyboard.press("Control+s");
    await this.page.locator(".tab.dirty").waitFor({ state: "detached" });
  }

  async focusEditor() {
    await this.page.locator(".editor-instance .monaco-editor .view-lines").first().click();
  }

  async goTo(line, column = 1) {
    await this.page.keyboard.press("Control+g");
    await this.quickInput.fill(`:${line}:${column}`);
    await this.page.keyboard.press("Enter");
    await this.quickInput.waitFor({ state: "hidden" });
  }

  /** The text of the editor, line by line. Lines out of sight are not in it. */
  async text() {
    const lines = await this.lines.evaluateAll((elements) =>
      elements
        .map((element) => ({ top: parseFloat(element.style.top), text: element.textContent.replaceAll("\u00a0", " ") }))
        .sort((a, b) => a.top - b.top),
    );
    return lines.map(({ text }) => text).join("\n");
  }

  /** Waits until the text of the editor is this. */
  async reads(wanted) {
    await this.until(async () => (await this.text()) === wanted, async () => `the editor reads\n${await this.text()}`);
  }

  /** What is shown while the mouse rests on an element. */
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
    const row = this.quickPicks.filter({ hasText: title }).first();
    await this.again(async () => {
      await this.page.keyboard.press("F1");
      await this.quickInput.fill(`>${title}`, { timeout: 4000 });
    }, row);
    await row.click();
    // Another question may follow in its place.
    await this.page.waitForFunction(() => {
      const input = document.querySelector(".quick-input-widget input.input");
      return !input?.offsetParent || !input.value.startsWith(">");
    });
  }

  async openFile(path) {
    await this.page.keyboard.press("Control+p");
    await this.quickInput.fill(path);
    await this.quickPicks.filter({ hasText: basename(path) }).first().waitFor();
    await this.page.keyboard.press("Enter");
    await this.quickInput.waitFor({ state: "hidden" });
  }

  // --- Quick fixes ---

  get fixMenu() {
    return this.page.locator(".action-widget:not(.action-list-submenu-panel)");
  }

  /** The light bulb of the line with the cursor. */
  bulb(kind) {
    return this.page.locator(`.editor-instance .codicon-gutter-lightbulb-${kind}, .editor-instance .codicon-light-bulb-${kind}, .editor-instance .codicon-lightbulb-${kind}`);
  }

  /** Opens the menu at the cursor, and gives the titles in their order. */
  async quickFixes(title) {
    const rows = this.fixMenu.locator(".monaco-list-row.action");
    await this.again(() => this.page.keyboard.press("Control+."), rows.filter({ hasText: title }));
    return rows.allTextContents();
  }

  /** Chooses one of the open menu. */
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

  async isHealth(state) {
    await this.health.filter({ hasText: `WhyDLL: ${state}` }).waitFor();
  }

  /** The rows of the Problems panel, which is opened. */
  async problems() {
    const panel = this.page.locator(".markers-panel-container");
    if (!(await panel.isVisible())) await this.command("View: Focus Problems");
    return panel.locator(".monaco-list-row");
  }

  notification(text) {
    return this.page.locator(".notification-toast").filter({ hasText: text }).first();
  }

  /** A question that has to be answered before anything else. */
  dialog(text) {
    return this.page.locator(".monaco-dialog-box").filter({ hasText: text });
  }

  get terminals() {
    return this.page.locator(".terminal-wrapper");
  }

  async close() {
    await this.page.close({ runBeforeUnload: false });
  }

  // --- Waiting ---

  /** Does something, again if need be, until an element is seen: a window that is still settling loses keys. */
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

/** Runs in the window: which characters stand above the squiggles, by what is really drawn. */
function underlinedText(selector) {
  return [...document.querySelectorAll(`.editor-instance ${selector}`)].map((squiggle) => {
    const under = squiggle.getBoundingClientRect();
    const middle = (under.top + under.bottom) / 2;
    const line = [...document.querySelectorAll(".editor-instance .view-line")].find((candidate) => {
      const { top, bottom } = candidate.getBoundingClientRect();
      return top <= middle && middle <= bottom;
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
}
