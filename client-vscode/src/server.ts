/** The language server: where its program is, and the client that starts it and speaks with it. */

import { accessSync, constants, statSync } from "node:fs";
import { delimiter, isAbsolute, join } from "node:path";
import { commands, l10n, window, workspace, type LogOutputChannel, type Uri } from "vscode";
import {
  CloseAction, ErrorAction, ExecuteCommandRequest, LanguageClient, RevealOutputChannelOn, State, TransportKind,
  type CloseHandlerResult, type ErrorHandler, type ErrorHandlerResult,
} from "vscode-languageclient/node";
import type { Health } from "./status";

const PROGRAM = process.platform === "win32" ? "whydll.exe" : "whydll";
/** What the server may put into its quick fixes. */
const CLIENT_COMMANDS = [
  "whydll.runInTerminal", "whydll.chooseInterpreter", "whydll.showReport", "whydll.showChain", "whydll.copyText", "whydll.turnOff",
];
const SETTINGS = ["interpreter", "host", "searchPath", "packages", "severity", "logLevel"];

/** How long to wait before a crashed server is started again, in milliseconds; after the last one it is left alone. */
const BACK_OFF = [0, 1000, 4000, 16_000];
/** How long a message stays in the status bar, in milliseconds. */
const MESSAGE_SHOWN = 8000;
/** Crashes that lie so far apart have nothing to do with each other. */
const FORGIVEN = 5 * 60_000;

export interface ServerEvents {
  /** The server answers: for the first time, after a restart or after a crash. */
  running(): void;
  stopped(): void;
  /** There is no server to start. `command` leads to what helps. */
  failed(reason: string, command: string): void;
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

  /** One of the server's own commands. */
  async ask<T>(command: string, argument: object): Promise<T> {
    if (this.client?.state !== State.Running) throw new Error(l10n.t("the server does not run"));
    const answer: unknown = await this.client.sendRequest(ExecuteCommandRequest.type, { command, arguments: [argument] });
    return answer as T;
  }

  interpreterChanged(scope: Uri | undefined, path: string | undefined): void {
    this.tell(scope, { path: path ?? null });
  }

  /** A notebook has a Python of its own, or has none any more. */
  kernelChanged(notebook: Uri, path: string | undefined): void {
    this.tell(notebook, { path: path ?? null, notebook: true });
  }

  private tell(scope: Uri | undefined, what: object): void {
    const scopeUri = scope ? (this.client?.code2ProtocolConverter.asUri(scope) ?? null) : null;
    this.client
      ?.sendNotification("whydll/interpreterChanged", { scopeUri, ...what })
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
      const chosen = workspace.getConfiguration("whydll").get("path", "").trim();
      const reason =
        chosen === ""
          ? l10n.t("No whydll program comes with the extension for this system, and none is on PATH. The setting whydll.path can name one.")
          : l10n.t("The setting whydll.path names {0}, which is not a program.", chosen);
      this.log.warn(reason);
      this.events.failed(reason, "whydll.openSettings");
      return;
    }
    this.log.info(`Starting ${program}`);
    const client = this.createClient(program);
    this.client = client;
    try {
      await client.start();
    } catch (error) {
      this.client = undefined;
      const reason = l10n.t("{0} could not be started: {1}", program, error instanceof Error ? error.message : String(error));
      this.log.error(reason);
      this.events.failed(reason, "whydll.showLogs");
    }
  }

  private async offerRestart(): Promise<void> {
    const [again, logs] = [l10n.t("Start Again"), l10n.t("Show Logs")];
    const answer = await window.showErrorMessage(l10n.t("The WhyDLL server keeps ending unexpectedly, and is not started again."), again, logs);
    if (answer === again) await this.restart();
    if (answer === logs) this.log.show();
  }

  private createClient(program: string): LanguageClient {
    const client = new LanguageClient(
      "whydll",
      "WhyDLL",
      { command: program, args: ["server"], transport: TransportKind.stdio },
      {
        documentSelector: ["file", "untitled", "vscode-notebook-cell"].map((scheme) => ({ scheme, language: "python" })),
        errorHandler: new BackOff(() => void this.offerRestart()),
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

/** Starts a crashed server again, each time a little later, and gives up when that does not help. */
class BackOff implements ErrorHandler {
  private crashes: number[] = [];

  constructor(private readonly giveUp: () => void) {}

  /** A message that could not be written; what is to be told is told when the connection closes. */
  error(): ErrorHandlerResult {
    return { action: ErrorAction.Continue, handled: true };
  }

  async closed(): Promise<CloseHandlerResult> {
    const now = Date.now();
    this.crashes = [...this.crashes.filter((then) => now - then < FORGIVEN), now];
    const wait = BACK_OFF[this.crashes.length - 1];
    if (wait === undefined) {
      this.giveUp();
      return { action: CloseAction.DoNotRestart, handled: true };
    }
    const message = l10n.t("The WhyDLL server ended unexpectedly, and is started again.");
    window.setStatusBarMessage(message, MESSAGE_SHOWN + wait);
    await new Promise((resolve) => setTimeout(resolve, wait));
    return { action: CloseAction.Restart, handled: true, message };
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
