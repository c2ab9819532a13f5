//! An editor's messages, in any order, in frames that may be broken.

use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex, sink};
use tokio::sync::Notify;
use tokio::time::timeout;
use whydll::lsp::serve_on;

use crate::{Target, in_use, snapshot, texts};

pub const LSP: Target = Target { name: "lsp", run, seeds };

/// Commands that write files or walk directories, which an altered message would choose.
const NOT_ASKED: [&str; 2] = ["snapshot\"", "checkFolder"];

fn run(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    if NOT_ASKED.iter().any(|command| text.contains(command)) {
        return;
    }
    let before = in_use();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    match input.starts_with(b"Content-") {
        true => drop(runtime.block_on(serve_on(input, sink()))),
        false => runtime.block_on(converse(&text.replace("MACHINE", &machine().to_string_lossy()))),
    }
    runtime.shutdown_background();
    // Threads that worked for it end by themselves; their memory must not count for the next input.
    let deadline = Instant::now() + AFTERWARDS;
    while in_use() > before + REMEMBERED && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// How long to wait for an analysis after the server has ended.
const AFTERWARDS: Duration = Duration::from_millis(200);

/// The maximum amount of memory that is kept permanently after one input, in bytes.
const REMEMBERED: usize = 1 << 20;

/// The longest wait for a message of the server.
const WAIT: Duration = Duration::from_millis(5);

/// The maximum number of waits in one input.
const MAX_WAITS: usize = 10;

/// Sends a message for each line to a server, and makes it exit. An empty line waits until the
/// server sends something.
async fn converse(lines: &str) {
    let (mut to_server, input) = duplex(LARGEST);
    let (output, mut from_server) = duplex(LARGEST);
    let message_sent = Notify::new();
    let speak = async {
        let mut waits = 0;
        for line in lines.lines() {
            if !line.is_empty() {
                // A server that has ended reads nothing more.
                let _ = to_server.write_all(framed(line).as_bytes()).await;
            } else if waits < MAX_WAITS {
                waits += 1;
                let _ = timeout(WAIT, message_sent.notified()).await;
            }
        }
        let _ = to_server.write_all(framed(EXIT).as_bytes()).await;
    };
    let listen = async {
        let mut answers = [0; LARGEST];
        while from_server.read(&mut answers).await.is_ok_and(|length| length > 0) {
            message_sent.notify_one();
        }
    };
    tokio::join!(serve_on(input, output), speak, listen);
}

/// The capacity of the pipe, in bytes.
const LARGEST: usize = 8 << 10;

fn framed(message: &str) -> String {
    format!("Content-Length: {}\r\n\r\n{message}", message.len())
}

/// Returns a recorded machine, so that nothing has to be searched.
fn machine() -> &'static PathBuf {
    static MACHINE: OnceLock<PathBuf> = OnceLock::new();
    MACHINE.get_or_init(|| {
        let file = std::env::temp_dir().join("whydll-fuzz.json");
        std::fs::write(&file, snapshot::second_format()).unwrap();
        file
    })
}

const BEGIN: &str = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"processId":null,"capabilities":{"workspace":{"configuration":true}},"workspaceFolders":[{"uri":"file:///none","name":"none"}],"initializationOptions":{"settings":{"host":"MACHINE","packages":["pkg"]}}}}

{"jsonrpc":"2.0","method":"initialized","params":{}}

{"jsonrpc":"2.0","id":0,"result":[{"host":"MACHINE"},{"host":"MACHINE"}]}
"#;

const SHUTDOWN: &str = r#"{"jsonrpc":"2.0","id":99,"method":"shutdown","params":null}
"#;

const EXIT: &str = r#"{"jsonrpc":"2.0","method":"exit"}"#;

fn seeds() -> Vec<Vec<u8>> {
    let document = r#"{"jsonrpc":"2.0","method":"textDocument/didOpen","params":{"textDocument":{"uri":"file:///none/a.py","languageId":"python","version":1,"text":"import os\nimport pkg\n"}}}


{"jsonrpc":"2.0","method":"textDocument/didChange","params":{"textDocument":{"uri":"file:///none/a.py","version":2},"contentChanges":[{"range":{"start":{"line":1,"character":0},"end":{"line":1,"character":6}},"text":"from pkg import é\nimport"},{"text":"import pkg"}]}}

{"jsonrpc":"2.0","id":2,"method":"textDocument/hover","params":{"textDocument":{"uri":"file:///none/a.py"},"position":{"line":0,"character":8}}}
{"jsonrpc":"2.0","id":3,"method":"textDocument/codeAction","params":{"textDocument":{"uri":"file:///none/a.py"},"range":{"start":{"line":0,"character":0},"end":{"line":9,"character":9}},"context":{"diagnostics":[]}}}

{"jsonrpc":"2.0","method":"textDocument/didSave","params":{"textDocument":{"uri":"file:///none/a.py"}}}
{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":3}}
{"jsonrpc":"2.0","method":"textDocument/didClose","params":{"textDocument":{"uri":"file:///none/a.py"}}}
"#;
    let notebook = r#"{"jsonrpc":"2.0","method":"notebookDocument/didOpen","params":{"notebookDocument":{"uri":"file:///none/n.ipynb","notebookType":"jupyter-notebook","version":1,"cells":[{"kind":2,"document":"vscode-notebook-cell:/none/n.ipynb#a"},{"kind":1,"document":"vscode-notebook-cell:/none/n.ipynb#b"}]},"cellTextDocuments":[{"uri":"vscode-notebook-cell:/none/n.ipynb#a","languageId":"python","version":1,"text":"import pkg"}]}}

{"jsonrpc":"2.0","method":"notebookDocument/didChange","params":{"notebookDocument":{"uri":"file:///none/n.ipynb","version":2},"change":{"cells":{"structure":{"array":{"start":1,"deleteCount":1,"cells":[{"kind":2,"document":"vscode-notebook-cell:/none/n.ipynb#c"}]},"didOpen":[{"uri":"vscode-notebook-cell:/none/n.ipynb#c","languageId":"python","version":1,"text":"import os"}]},"textContent":[{"document":{"uri":"vscode-notebook-cell:/none/n.ipynb#a","version":2},"changes":[{"range":{"start":{"line":0,"character":7},"end":{"line":0,"character":7}},"text":"x, "}]}]}}}}
{"jsonrpc":"2.0","method":"whydll/interpreterChanged","params":{"scopeUri":"file:///none/n.ipynb","path":"/none/python"}}
{"jsonrpc":"2.0","method":"notebookDocument/didSave","params":{"notebookDocument":{"uri":"file:///none/n.ipynb"}}}
{"jsonrpc":"2.0","method":"notebookDocument/didClose","params":{"notebookDocument":{"uri":"file:///none/n.ipynb"},"cellTextDocuments":[{"uri":"vscode-notebook-cell:/none/n.ipynb#a"}]}}
"#;
    let settings = r#"{"jsonrpc":"2.0","method":"workspace/didChangeConfiguration","params":{"settings":{"whydll":{"severity":{"missing-dll":"off","x":"error"},"packages":[],"searchPath":"C:\\a"}}}}
{"jsonrpc":"2.0","method":"workspace/didChangeWorkspaceFolders","params":{"event":{"added":[{"uri":"file:///none/b","name":"b"}],"removed":[{"uri":"file:///none","name":"none"}]}}}
"#;
    let commands = [
        r#""whydll.report","arguments":[{"scopeUri":null,"links":true}]"#,
        r#""whydll.explain","arguments":[{"scopeUri":null,"text":"ImportError: DLL load failed: x"}]"#,
        r#""whydll.chain","arguments":[{"package":"pkg"}]"#,
        r#""whydll.chainPage","arguments":[{"scopeUri":"file:///none","package":"pkg"}]"#,
        r#""whydll.predict","arguments":[{"package":"pkg"}]"#,
        r#""whydll.compare","arguments":[{"package":"pkg","exitCode":1,"output":"Traceback"}]"#,
        r#""whydll.checkAgain""#,
        r#""whydll.state""#,
    ];
    let commands: String = (10..)
        .zip(commands)
        .map(|(id, command)| {
            format!(
                "{{\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":\"workspace/executeCommand\",\"params\":{{\"command\":{command}}}}}\n\n"
            )
        })
        .collect();
    let mut seeds = texts(&[
        &[BEGIN, document, SHUTDOWN].concat(),
        &[BEGIN, notebook, SHUTDOWN].concat(),
        &[BEGIN, document, settings].concat(),
        &[BEGIN, &commands, SHUTDOWN].concat(),
        &[document, BEGIN, SHUTDOWN, EXIT, BEGIN].concat(),
    ]);
    let lines = [BEGIN, document, SHUTDOWN].concat();
    seeds.push(lines.lines().filter(|line| !line.is_empty()).map(framed).collect::<String>().into_bytes());
    seeds.push(b"Content-Length: 2\r\nContent-Type: application/vscode-jsonrpc; charset=utf-8\r\n\r\n{}Content-Length: 99\r\n\r\n[".to_vec());
    seeds
}
