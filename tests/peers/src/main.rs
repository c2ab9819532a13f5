//! Answers each path on standard input with a line of JSON: what WhyDLL reads from that PE file.
//! `readers.py` prints the same facts from the other readers in the same form.

use std::{
    fs::File,
    io::{self, BufRead, Write},
};

use memmap2::Mmap;
use serde_json::{Value, json};
use whydll::image::{Export, Image, ImageError, ImportedDll, Symbol};

fn main() -> io::Result<()> {
    let mut out = io::stdout().lock();
    for path in io::stdin().lock().lines() {
        let file = File::open(path?)?;
        // SAFETY: nothing writes to the files of the cache while they are compared.
        let bytes = unsafe { Mmap::map(&file)? };
        writeln!(out, "{}", Image::parse(&bytes).map_or_else(error, |image| facts(&image)))?;
    }
    Ok(())
}

fn facts(image: &Image<'_>) -> Value {
    json!({
        "machine": image.machine(),
        "imports": value(image.imports().and_then(|table| symbols(image, &table))),
        "delay imports": value(image.delay_imports().and_then(|table| symbols(image, &table))),
        "ordinals": value(ordinals(image)),
        "names": value(names(image)),
        "version": value(image.version().map(|version| json!(version.map(|version| version.to_string())))),
    })
}

fn value(fact: Result<Value, ImageError>) -> Value {
    fact.unwrap_or_else(error)
}

fn error(error: ImageError) -> Value {
    json!({ "error": error.to_string() })
}

/// Returns the DLLs of a table in its order, each with the symbols that are imported from it.
fn symbols(image: &Image<'_>, table: &[ImportedDll]) -> Result<Value, ImageError> {
    table
        .iter()
        .map(|import| {
            let symbols: Vec<String> = image.symbols(import)?.iter().map(Symbol::to_string).collect();
            Ok(json!([import.dll, symbols]))
        })
        .collect()
}

/// Returns the exports by ordinal, each looked up separately like the loader does.
fn ordinals(image: &Image<'_>) -> Result<Value, ImageError> {
    let exported = (0..=u16::MAX).filter_map(|ordinal| {
        let found = image.export(&Symbol::Ordinal(ordinal)).transpose()?;
        Some(found.map(|export| json!([ordinal, target(&export)])))
    });
    exported.collect()
}

/// Returns the exports by name, sorted, each looked up like the loader does.
fn names(image: &Image<'_>) -> Result<Value, ImageError> {
    let mut names = image.export_names()?;
    names.sort_unstable();
    let named = names.into_iter().map(|name| {
        let export = image.export(&Symbol::Name(name.clone()))?;
        Ok(json!([name, export.as_ref().map(target)]))
    });
    named.collect()
}

fn target(export: &Export) -> String {
    match export {
        Export::Address(rva) => format!("{rva:#x}"),
        Export::Forward { dll, symbol } => format!("{dll}!{symbol}"),
    }
}
