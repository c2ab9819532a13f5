//! Reads the Python cells of a notebook file (`.ipynb`, nbformat 4).

use serde::Deserialize;

/// A code cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    /// Its 0-based index among all cells, including text cells.
    pub index: usize,
    /// The source of the cell.
    pub text: String,
}

/// The reason why a notebook can't be read.
#[derive(Debug, thiserror::Error)]
pub enum NotebookError {
    /// The file isn't JSON with the structure of a notebook.
    #[error("not a valid notebook: {0}")]
    NotJson(#[from] serde_json::Error),
    /// The notebook has this major format version (`nbformat`), which isn't supported.
    #[error(
        "notebook format {0} isn't supported; convert the file to format 4 with \
         `jupyter nbconvert --to notebook --inplace FILE`"
    )]
    Format(u64),
}

#[derive(Deserialize)]
struct Notebook {
    nbformat: u64,
    #[serde(default)]
    metadata: Metadata,
    // Older formats don't have this.
    #[serde(default)]
    cells: Vec<JsonCell>,
}

#[derive(Deserialize, Default)]
struct Metadata {
    language_info: Option<LanguageInfo>,
    kernelspec: Option<KernelSpec>,
}

#[derive(Deserialize)]
struct LanguageInfo {
    name: Option<String>,
}

#[derive(Deserialize)]
struct KernelSpec {
    language: Option<String>,
}

#[derive(Deserialize)]
struct JsonCell {
    cell_type: String,
    #[serde(default)]
    source: CellSource,
    #[serde(default)]
    metadata: CellMetadata,
}

#[derive(Deserialize, Default)]
struct CellMetadata {
    /// VS Code's metadata, for a cell in another language than the notebook's.
    vscode: Option<VsCode>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct VsCode {
    language_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum CellSource {
    Text(String),
    Lines(Vec<String>),
}

impl Default for CellSource {
    fn default() -> CellSource {
        CellSource::Text(String::new())
    }
}

/// Returns the Python cells of a notebook file, in order. An empty file is a new notebook.
pub fn code_cells(file: &str) -> Result<Vec<Cell>, NotebookError> {
    if file.trim().is_empty() {
        return Ok(Vec::new());
    }
    let notebook: Notebook = serde_json::from_str(file)?;
    if notebook.nbformat != 4 {
        return Err(NotebookError::Format(notebook.nbformat));
    }
    let Metadata { language_info, kernelspec } = notebook.metadata;
    let language = language_info.and_then(|language| language.name);
    let language = language.or_else(|| kernelspec.and_then(|kernel| kernel.language));
    let python = language.is_none_or(|language| is_python(&language));
    let cells = notebook.cells.into_iter().enumerate().filter_map(|(index, cell)| {
        let own = cell.metadata.vscode.and_then(|code| code.language_id);
        let counts = cell.cell_type == "code" && own.map_or(python, |language| is_python(&language));
        counts.then(|| Cell {
            index,
            text: match cell.source {
                CellSource::Text(text) => text,
                CellSource::Lines(lines) => lines.concat(),
            },
        })
    });
    Ok(cells.collect())
}

/// Whether a language is Python. Kernels call it `python`, `Python`, `ipython`, or `python3`.
fn is_python(language: &str) -> bool {
    language.to_ascii_lowercase().contains("python")
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(file: &str, expected: Expect) {
        let output = match code_cells(file) {
            Ok(cells) => cells.iter().map(|cell| format!("{}: {:?}\n", cell.index, cell.text)).collect(),
            Err(error) => format!("{error}\n"),
        };
        expected.assert_eq(&output);
    }

    #[test]
    fn code_cells_of_python_are_read() {
        check(
            r##"{ "cells": [
                { "cell_type": "markdown", "metadata": {}, "source": ["# import tensorflow\n"] },
                { "cell_type": "code", "execution_count": 1, "metadata": { "tags": ["x"] }, "outputs": [ { "data": {} } ],
                  "source": ["import os\n", "import tensorflow"] },
                { "cell_type": "code", "metadata": { "vscode": { "languageId": "sql" } }, "source": "import numpy" },
                { "cell_type": "raw", "source": "import numpy" },
                { "cell_type": "code", "metadata": {}, "source": "import 'é'\r\n" }
              ], "metadata": { "language_info": { "name": "python", "version": "3.8" } }, "nbformat": 4, "nbformat_minor": 5 }"##,
            expect![[r#"
                1: "import os\nimport tensorflow"
                4: "import 'é'\r\n"
            "#]],
        );
    }

    #[test]
    fn a_notebook_of_another_language_may_have_cells_of_python() {
        check(
            r#"{ "cells": [
                { "cell_type": "code", "metadata": {}, "source": "library(x)" },
                { "cell_type": "code", "metadata": { "vscode": { "languageId": "python" } }, "source": "import x" }
              ], "metadata": { "kernelspec": { "language": "R", "name": "ir" } }, "nbformat": 4 }"#,
            expect![[r#"
                1: "import x"
            "#]],
        );
        check("", expect![""]);
        check(r#"{ "cells": [], "metadata": {}, "nbformat": 4 }"#, expect![""]);
    }

    #[test]
    fn invalid_notebooks_are_reported() {
        check(
            r#"{ "cells": [ {"#,
            expect![[r#"
                not a valid notebook: EOF while parsing an object at line 1 column 14
            "#]],
        );
        check(
            r#"{ "nbformat": 3, "worksheets": [] }"#,
            expect![[r#"
                notebook format 3 isn't supported; convert the file to format 4 with `jupyter nbconvert --to notebook --inplace FILE`
            "#]],
        );
        check(
            "7",
            expect![[r#"
                not a valid notebook: invalid type: integer `7`, expected struct Notebook at line 1 column 1
            "#]],
        );
        check(
            "<<<<<<< HEAD\n{}",
            expect![[r#"
                not a valid notebook: expected value at line 1 column 1
            "#]],
        );
        check(
            &format!("{}{}", r#"{ "nbformat": 4, "cells": "#, "[".repeat(100_000)),
            expect![[r#"
                not a valid notebook: invalid type: sequence, expected a string at line 1 column 28
            "#]],
        );
    }
}
