/** The language server: finds its program, starts it, and communicates with it. */

import { accessSync, constants, statSync } from "node:fs";
import { delimiter, isAbsolute, join } from "node:path";
import { commands, l10n, window, workspace, type LogOutputChannel, type Uri } from "vscode";
import {
  CloseAction, ErrorAction, ExecuteCommandRequest, LanguageClient, RevealOutputChannelOn, State, TransportKind,
  type CloseHandlerResult, type ErrorHandler, type ErrorHandlerResult,
} from "vscode-languageclient/node";
import type { Health } from "./status";

const PROGRAM = process.platform === "win32" ? "whydll.exe" : "whydll";
/** The commands that the server may use in its quick fixes. */
const CLIENT_COMMANDS = [
  "whydll.runInTerminal", "whydll.chooseInterpreter", "whydll.showReport", "whydll.showChain", "whydll.copyText", "whydll.turnOff",
];
const SETTINGS = ["interpreter", "host", "searchPath", "packages", "severity", "logLevel"];

/** The delays before each restart of a crashed server, in milliseconds; after the last one, it isn't restarted. */
const BACK_OFF = [0, 1000, 4000, 16_000];
/** The time for which a message stays in the status bar, in milliseconds. */
const MESSAGE_DURATION = 8000;
/** The time after which a crash no longer counts, in milliseconds. */
const CRASH_WINDOW = 5 * 60_000;

export interface ServerEvents {
  /** The server is running: for the first time, after a restart, or after a crash. */
  running(): void;
  stopped(): void;
  /** The server can't be started. `command` opens what helps. */
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

  /** Starts or restarts the server. Concurrent calls run one after the other. */
  restart(): Promise<void> {
    return this.inTurn(async () => {
      await this.stopClient();
      await this.startClient();
    });
  }

  stop(): Promise<void> {
    return this.inTurn(() => this.stopClient());
  }

  /** Runs a command of the server. */
  async ask<T>(command: string, argument: object): Promise<T> {
    if (this.client?.state !== State.Running) throw new Error(l10n.t("the server isn't running"));
    const answer: unknown = await this.client.sendRequest(ExecuteCommandRequest.type, { command, arguments: [argument] });
    return answer as T;
  }

  interpreterChanged(scope: Uri | undefined, path: string | undefined): void {
    this.sendInterpreter(scope, { path: path ?? null });
  }

  /** Sets the Python of a notebook's kernel, or removes it. */
  kernelChanged(notebook: Uri, path: string | undefined): void {
    this.sendInterpreter(notebook, { path: path ?? null, notebook: true });
  }

  private sendInterpreter(scope: Uri | undefined, what: object): void {
    const scopeUri = scope ? (this.client?.code2ProtocolConverter.asUri(scope) ?? null) : null;
    this.client
      ?.sendNotification("whydll/interpreterChanged", { scopeUri, ...what })
      .catch((error: unknown) => this.log.error("Couldn't send the interpreter to the server.", error));
  }

  private inTurn(work: () => Promise<void>): Promise<void> {
    this.turn = this.turn.then(work).catch((error: unknown) => {
      this.log.error("Couldn't start or stop the server.", error);
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
          ? l10n.t("The extension includes no whydll program for this system, and none is on PATH. Set whydll.path to the program.")
          : l10n.t("The setting whydll.path is {0}, which is not a program.", chosen);
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
    const [restart, logs] = [l10n.t("Restart"), l10n.t("Show Logs")];
    const answer = await window.showErrorMessage(l10n.t("The WhyDLL server keeps crashing and won't be restarted automatically."), restart, logs);
    if (answer === restart) await this.restart();
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
        // The pull model, which replaces it, reports a change only to a server that registers for it.
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

/** Restarts a crashed server with increasing delays, and gives up if that doesn't help. */
class BackOff implements ErrorHandler {
  private crashes: number[] = [];

  constructor(private readonly giveUp: () => void) {}

  /** Ignores an error while writing a message; it is reported when the connection closes. */
  error(): ErrorHandlerResult {
    return { action: ErrorAction.Continue, handled: true };
  }

  async closed(): Promise<CloseHandlerResult> {
    const now = Date.now();
    this.crashes = [...this.crashes.filter((then) => now - then < CRASH_WINDOW), now];
    const wait = BACK_OFF[this.crashes.length - 1];
    if (wait === undefined) {
      this.giveUp();
      return { action: CloseAction.DoNotRestart, handled: true };
    }
    const message = l10n.t("The WhyDLL server crashed and is being restarted.");
    window.setStatusBarMessage(message, MESSAGE_DURATION + wait);
    await new Promise((resolve) => setTimeout(resolve, wait));
    return { action: CloseAction.Restart, handled: true, message };
  }
}

function settings(): Record<string, unknown> {
  const configuration = workspace.getConfiguration("whydll", workspace.workspaceFolders?.[0]);
  return Object.fromEntries(SETTINGS.map((name) => [name, configuration.get(name)]));
}

/** Finds the program: the user's choice, or else the one included in the extension, or else the one on PATH. */
function findProgram(extensionPath: string): string | undefined {
  const chosen = workspace.getConfiguration("whydll").get("path", "").trim();
  if (chosen !== "") return isProgram(chosen) ? chosen : undefined;
  // PATH isn't left to the system, which on Windows would prefer a program in the opened folder.
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
