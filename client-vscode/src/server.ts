/** The language server: where its program is, and the client that starts it and speaks with it. */

import { accessSync, constants, statSync } from "node:fs";
import { delimiter, isAbsolute, join } from "node:path";
import { commands, window, workspace, type LogOutputChannel, type Uri } from "vscode";
import { LanguageClient, RevealOutputChannelOn, State, TransportKind } from "vscode-languageclient/node";
import { CLIENT_COMMANDS } from "./commands";
import type { Health } from "./status";

const PROGRAM = process.platform === "win32" ? "whydll.exe" : "whydll";
const SETTINGS = ["interpreter", "host", "packages", "severity", "logLevel"];

export interface ServerEvents {
  /** The server answers: for the first time, after a restart or after a crash. */
  running(): void;
  stopped(): void;
  health(health: Health): void;
}

export class Server {
  private client: LanguageClient | undefined;
  private turn = Promise.resolve();

  constructor(
    private readonly extensionPath: string,
    private readonly log: LogOutputChannel,
    private readonly events: ServerEvents,
  ) {}

  /** Starts the server, anew if it runs. Calls take turns. */
  restart(): Promise<void> {
    return this.inTurn(async () => {
      await this.stopClient();
      await this.startClient();
    });
  }

  stop(): Promise<void> {
    return this.inTurn(() => this.stopClient());
  }

  interpreterChanged(scope: Uri | undefined, path: string | undefined): void {
    const scopeUri = scope ? (this.client?.code2ProtocolConverter.asUri(scope) ?? null) : null;
    this.client
      ?.sendNotification("whydll/interpreterChanged", { scopeUri, path: path ?? null })
      .catch((error: unknown) => this.log.error("The server was not told of the interpreter.", error));
  }

  private inTurn(work: () => Promise<void>): Promise<void> {
    this.turn = this.turn.then(work).catch((error: unknown) => {
      this.log.error("The server's start or stop failed.", error);
    });
    return this.turn;
  }

  private async stopClient(): Promise<void> {
    const client = this.client;
    this.client = undefined;
    if (client?.state === State.Running) await client.stop();
  }

  private async startClient(): Promise<void> {
    const program = findProgram(this.extensionPath);
    if (program === undefined) {
      void offerSettings();
      return;
    }
    this.log.info(`Starting ${program}`);
    this.client = this.createClient(program);
    await this.client.start();
  }

  private createClient(program: string): LanguageClient {
    const client = new LanguageClient(
      "whydll",
      "WhyDLL",
      { command: program, args: ["server"], transport: TransportKind.stdio },
      {
        documentSelector: ["file", "untitled"].map((scheme) => ({ scheme, language: "python" })),
        initializationOptions: () => ({ settings: settings(), clientCommands: CLIENT_COMMANDS }),
        // The pull model, which replaces it, brings a change only to a server that registers for it.
        // eslint-disable-next-line @typescript-eslint/no-deprecated
        synchronize: { configurationSection: "whydll" },
        outputChannel: this.log,
        revealOutputChannelOn: RevealOutputChannelOn.Never,
      },
    );
    client.onNotification("whydll/health", (health: Health) => this.events.health(health));
    client.onDidChangeState(({ newState }) => {
      void commands.executeCommand("setContext", "whydll.running", newState === State.Running);
      if (newState === State.Running) this.events.running();
      if (newState === State.Stopped) this.events.stopped();
    });
    return client;
  }
}

function settings(): Record<string, unknown> {
  const configuration = workspace.getConfiguration("whydll", workspace.workspaceFolders?.[0]);
  return Object.fromEntries(SETTINGS.map((name) => [name, configuration.get(name)]));
}

/** The user's choice, else the one that came with the extension, else the one on PATH. */
function findProgram(extensionPath: string): string | undefined {
  const chosen = workspace.getConfiguration("whydll").get("path", "").trim();
  if (chosen !== "") return isProgram(chosen) ? chosen : undefined;
  // Looked up here and not by the system, which on Windows would prefer a program in the opened folder.
  const folders = (process.env.PATH ?? "").split(delimiter).filter((folder) => isAbsolute(folder));
  return [join(extensionPath, "bundled", "bin"), ...folders].map((folder) => join(folder, PROGRAM)).find(isProgram);
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return isAbsolute(path) && statSync(path).isFile();
  } catch {
    return false;
  }
}

async function offerSettings(): Promise<void> {
  const open = "Open Settings";
  const text = "WhyDLL found no server to start: the setting whydll.path must name an existing program, or be empty and whydll be on PATH.";
  if ((await window.showErrorMessage(text, open)) === open) {
    await commands.executeCommand("workbench.action.openSettings", "whydll.path");
  }
}
