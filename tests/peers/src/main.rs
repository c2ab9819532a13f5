//! Answers each path on standard input with a line of JSON: what WhyDLL reads of that PE file. `readers.py` has the
//! other readers say the same facts in the same form.

use std::{
    fs::File,
    io::{self, BufRead, Write},
};

use memmap2::Mmap;
use serde_json::{Value, json};
use whydll::image::{Export, Image, ImageError, Import, Symbol};

fn main() -> io::Result<()> {
    let mut out = io::stdout().lock();
    for path in io::stdin().lock().lines() {
        let file = File::open(path?)?;
        // SAFETY: nobody writes to the files of the cache while they are compared.
        let bytes = unsafe { Mmap::map(&file)? };
        writeln!(out, "{}", Image::parse(&bytes).map_or_else(error, |image| facts(&image)))?;
    }
    Ok(())
}

fn facts(image: &Image<'_>) -> Value {
    json!({
        "machine": image.machine(),
        "imports": told(image.imports().and_then(|table| symbols(image, &table))),
        "delay imports": told(image.delay_imports().and_then(|table| symbols(image, &table))),
        "ordinals": told(ordinals(image)),
        "names": told(names(image)),
        "version": told(image.version().map(|version| json!(version.map(|version| version.to_string())))),
    })
}

fn told(fact: Result<Value, ImageError>) -> Value {
    fact.unwrap_or_else(error)
}

fn error(error: ImageError) -> Value {
    json!({ "error": error.to_string() })
}

/// The DLLs of a table in its order, each with the symbols that are imported from it.
fn symbols(image: &Image<'_>, table: &[Import]) -> Result<Value, ImageError> {
    table
        .iter()
        .map(|import| {
            let symbols: Vec<String> = image.symbols(import)?.iter().map(Symbol::to_string).collect();
            Ok(json!([import.dll, symbols]))
        })
        .collect()
}

/// What is exported by ordinal. The loader looks up one at a time, and so does this.
fn ordinals(image: &Image<'_>) -> Result<Value, ImageError> {
    let exported = (0..=u16::MAX).filter_map(|ordinal| {
        let found = image.export(&Symbol::Ordinal(ordinal)).transpose()?;
        Some(found.map(|export| json!([ordinal, target(&export)])))
    });
    exported.collect()
}

/// What is exported by name, sorted, each found as the loader finds it.
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
