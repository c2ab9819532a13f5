/** A debugger whose program prints the file `program` of its configuration to standard error, and ends. */

const { debug, DebugAdapterInlineImplementation, EventEmitter } = require("vscode");
const { readFileSync } = require("node:fs");

exports.activate = (context) => {
  const createDebugAdapterDescriptor = () => new DebugAdapterInlineImplementation(adapter());
  context.subscriptions.push(debug.registerDebugAdapterDescriptorFactory("printing", { createDebugAdapterDescriptor }));
};

function adapter() {
  const sent = new EventEmitter();
  let seq = 1;
  const send = (message) => sent.fire({ seq: seq++, ...message });
  const report = (event, body) => send({ type: "event", event, body });
  const handleMessage = ({ seq: request_seq, command, arguments: given }) => {
    send({ type: "response", request_seq, command, success: true, body: {} });
    if (command === "initialize") report("initialized");
    if (command !== "launch") return;
    // Output doesn't arrive line by line.
    for (const output of readFileSync(given.program, "utf8").match(/[^]{1,50}/g)) report("output", { category: "stderr", output });
    report("terminated");
  };
  return { onDidSendMessage: sent.event, handleMessage, dispose: () => sent.dispose() };
}
