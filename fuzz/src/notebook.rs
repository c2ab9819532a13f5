//! Notebooks, and the Python in their cells.

use whydll::source::{Document, code_cells};

use crate::{Target, texts};

pub const NOTEBOOK: Target = Target { name: "notebook", run, seeds };

fn run(file: &[u8]) {
    let file = String::from_utf8_lossy(file);
    if let Ok(cells) = code_cells(&file) {
        let cells: Vec<&str> = cells.iter().map(|cell| cell.text.as_str()).collect();
        Document::parse_cells(&cells);
    }
}

fn seeds() -> Vec<Vec<u8>> {
    texts(&[
        r##"{"cells": [
            {"cell_type": "markdown", "metadata": {}, "source": ["# import tensorflow\n"]},
            {"cell_type": "code", "execution_count": 1, "metadata": {"tags": ["x"]}, "outputs": [{"data": {}}],
             "source": ["%matplotlib inline\n", "!pip install torch\n", "import os, sys\n", "import tensorflow as tf"]},
            {"cell_type": "code", "metadata": {"vscode": {"languageId": "sql"}}, "source": "import numpy"},
            {"cell_type": "code", "metadata": {}, "source": "%%time\nimport torch  # whydll: ignore[missing-dll]\nx = !dir\ntorch.ops?\n"},
            {"cell_type": "code", "metadata": {}, "source": "try:\n    from a.b import c\nexcept ImportError:\n    %load_ext d\n"}
           ], "metadata": {"language_info": {"name": "python", "version": "3.8"}}, "nbformat": 4, "nbformat_minor": 5}"##,
        r#"{"cells": [{"cell_type": "code", "metadata": {}, "source": "os.add_dll_directory('a')\nimport b\n%cd c\n%%bash\nls\n"}],
            "metadata": {"kernelspec": {"language": "R", "name": "ir"}}, "nbformat": 4}"#,
        r#"{"nbformat": 3, "worksheets": []}"#,
    ])
}
