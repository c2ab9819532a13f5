//! The schema of API sets; Windows' own is in a section of a DLL.

use whydll::host::ApiSets;

use crate::Target;

pub const API_SETS: Target = Target { name: "api_sets", run, seeds };

fn run(section: &[u8]) {
    if let Some(sets) = ApiSets::from_schema(section) {
        sets.resolve("api-ms-win-x-l1-1-0.dll", "kernel32.dll");
        sets.resolve("ext-ms-win-y-l1-1-0", "a.dll");
    }
}

/// Returns a schema of contracts with their hosts: for all importers, or for the named one.
fn schema(contracts: &[(&str, &[(&str, &str)])]) -> Vec<u8> {
    const HEADER: usize = 28;
    const ENTRY: usize = 24;
    const VALUE: usize = 20;
    let values: usize = contracts.iter().map(|(_, hosts)| hosts.len()).sum();
    let text_start = HEADER + contracts.len() * ENTRY + values * VALUE;
    let mut texts: Vec<u8> = Vec::new();
    let mut put = |text: &str| {
        let start = text_start + texts.len();
        texts.extend(text.encode_utf16().flat_map(u16::to_le_bytes));
        [start, text.len() * 2]
    };
    let (mut entry_words, mut value_words) = (Vec::new(), Vec::new());
    let mut next_value = HEADER + contracts.len() * ENTRY;
    for (name, hosts) in contracts {
        let [at, length] = put(name);
        entry_words.extend([0, at, length, length - 4, next_value, hosts.len()]);
        for (importer, host) in *hosts {
            value_words.push(0);
            value_words.extend(put(importer));
            value_words.extend(put(host));
        }
        next_value += hosts.len() * VALUE;
    }
    let header = vec![6, text_start + texts.len(), 0, contracts.len(), HEADER, 0, 31];
    let words = [header, entry_words, value_words].concat();
    words.iter().flat_map(|word| (*word as u32).to_le_bytes()).chain(texts).collect()
}

fn seeds() -> Vec<Vec<u8>> {
    vec![
        schema(&[("api-ms-win-x-l1-1-0", &[("", "kernel32.dll"), ("kernel32.dll", "kernelbase.dll")])]),
        schema(&[("ext-ms-win-y-l1-1-0", &[("", "")]), ("api-ms-win-z-l2-1-0", &[("", "z.dll")])]),
        schema(&[]),
    ]
}
