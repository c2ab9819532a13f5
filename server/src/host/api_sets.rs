//! API sets: names such as `api-ms-win-crt-math-l1-1-0.dll` stand for contracts, not for files.
//!
//! The loader looks a contract up in a schema that is part of Windows, before it searches anywhere
//! (Microsoft, "Windows API sets"; "Dynamic-link library search order").

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use serde::{Deserialize, Serialize};

/// Which DLL implements a contract.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiSets {
    contracts: HashMap<String, Contract>,
    /// The machine may be newer than this schema, and know contracts that it does not list.
    #[serde(default)]
    may_know_more: bool,
}

/// Sizes of `API_SET_NAMESPACE_ENTRY` and `API_SET_VALUE_ENTRY`.
const ENTRY: usize = 24;
const VALUE: usize = 20;

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Contract {
    /// Empty: the contract is known, but nothing implements it on this Windows.
    host: String,
    /// Importing DLL → host, where it differs (`kernel32.dll` must not import itself).
    #[serde(default, skip_serializing_if = "HashMap::is_empty")]
    exceptions: HashMap<String, String>,
}

/// The answer to "which DLL is this name?".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApiSet<'a> {
    /// The name is no contract: an ordinary DLL.
    NotOne,
    /// The contract is implemented by this DLL of System32.
    Host(&'a str),
    /// The contract exists, but nothing implements it on this edition of Windows.
    NotImplemented,
    /// A contract that our schema does not list, on a machine that may be newer than the schema.
    PerhapsNewer,
}

impl ApiSets {
    /// The schema of Windows 10 22H2.
    pub fn of_windows_10() -> ApiSets {
        ApiSets::from_table(include_str!("../../data/windows-10-apisets.tsv"))
    }

    /// The schema of Windows 11 23H2. Who has a Windows 11 of today has a newer one, which nobody has published.
    pub fn of_windows_11() -> ApiSets {
        let table = ApiSets::from_table(include_str!("../../data/windows-11-apisets.tsv"));
        ApiSets { may_know_more: true, ..table }
    }

    /// Reads `contract⇥host⇥importer>host,…` lines below a heading.
    fn from_table(table: &str) -> ApiSets {
        let contracts = table.lines().skip(1).filter_map(|line| {
            let mut fields = line.split('\t');
            let name = fields.next()?;
            let host = fields.next().unwrap_or_default().to_ascii_lowercase();
            let exceptions = fields.next().unwrap_or_default().split([',', ';', ' ']);
            let exceptions = exceptions.filter_map(|exception| {
                let (importer, host) = exception.split_once('>')?;
                Some((importer.to_ascii_lowercase(), host.to_ascii_lowercase()))
            });
            let contract = Contract { host, exceptions: exceptions.collect() };
            Some((contract_key(name)?.to_owned(), contract))
        });
        ApiSets { contracts: contracts.collect(), may_know_more: false }
    }

    /// Reads the section `.apiset` of `apisetschema.dll`, in the form that it has since Windows 10 (`API_SET_NAMESPACE` of
    /// version 6 in Wine's `include/winternl.h`): each contract has values, one without a name and one for each importer
    /// that is served by another DLL. Offsets count from the beginning of the section.
    pub fn from_schema(section: &[u8]) -> Option<ApiSets> {
        let word =
            |at: usize| section.get(at..)?.first_chunk().map(|bytes| u32::from_le_bytes(*bytes) as usize);
        let record = |start: usize, size: usize, number: usize| start.checked_add(size.checked_mul(number)?);
        let text = |at: usize| {
            let (start, length) = (word(at)?, word(at + 4)?);
            let bytes = section.get(start..start.checked_add(length)?)?;
            let units = bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
            Some(String::from_utf16_lossy(&units.collect::<Vec<u16>>()).to_ascii_lowercase())
        };
        let [version, count, entries] = [word(0)?, word(12)?, word(16)?];
        if version != 6 || count > section.len() / ENTRY {
            return None;
        }
        let mut sets = ApiSets::default();
        for number in 0..count {
            let entry = record(entries, ENTRY, number)?;
            let (name, values, value_count) = (text(entry + 4)?, word(entry + 16)?, word(entry + 20)?);
            let mut contract = Contract::default();
            for number in 0..value_count.min(section.len() / VALUE) {
                let value = record(values, VALUE, number)?;
                let (importer, host) = (text(value + 4)?, text(value + 12)?);
                match importer.is_empty() {
                    true => contract.host = host,
                    false => drop(contract.exceptions.insert(importer, host)),
                }
            }
            if let Some(key) = contract_key(&name) {
                sets.contracts.insert(key.to_owned(), contract);
            }
        }
        Some(sets)
    }

    /// The same number for equal schemas.
    pub(super) fn sum(&self) -> u64 {
        let of_contract = |(name, contract): (&String, &Contract)| {
            let mut exceptions: Vec<_> = contract.exceptions.iter().collect();
            exceptions.sort_unstable();
            let mut hasher = DefaultHasher::new();
            (name, &contract.host, exceptions).hash(&mut hasher);
            hasher.finish()
        };
        self.contracts.iter().map(of_contract).fold(u64::from(self.may_know_more), u64::wrapping_add)
    }

    /// Resolves `name` as imported by the DLL `importer` (base names, any case).
    pub fn resolve(&self, name: &str, importer: &str) -> ApiSet<'_> {
        let name = name.to_ascii_lowercase();
        let Some(key) = contract_key(name.strip_suffix(".dll").unwrap_or(&name)) else {
            return ApiSet::NotOne;
        };
        match self.contracts.get(key) {
            None if self.may_know_more => ApiSet::PerhapsNewer,
            // Not in the schema: looked for as a file like any other name.
            None => ApiSet::NotOne,
            Some(contract) => {
                let exception = contract.exceptions.get(&importer.to_ascii_lowercase());
                match exception.unwrap_or(&contract.host).as_str() {
                    "" => ApiSet::NotImplemented,
                    host => ApiSet::Host(host),
                }
            }
        }
    }
}

/// The part of a contract's name that the loader compares: all but the number after the last hyphen.
/// Only names that begin with `api-` or `ext-` are contracts.
fn contract_key(name: &str) -> Option<&str> {
    if !(name.starts_with("api-") || name.starts_with("ext-")) {
        return None;
    }
    name.rsplit_once('-').map(|(key, _)| key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contracts_are_compared_without_their_last_number() {
        let sets = ApiSets::of_windows_10();
        assert_eq!(sets.resolve("API-MS-Win-crt-math-l1-1-0.DLL", "a.dll"), ApiSet::Host("ucrtbase.dll"));
        assert_eq!(sets.resolve("api-ms-win-crt-math-l1-1-9.dll", "a.dll"), ApiSet::Host("ucrtbase.dll"));
        assert_eq!(sets.resolve("api-ms-win-nonexistent-l1-1-0.dll", "a.dll"), ApiSet::NotOne);
        let newer = ApiSets::of_windows_11();
        assert_eq!(newer.resolve("api-ms-win-nonexistent-l1-1-0.dll", "a.dll"), ApiSet::PerhapsNewer);
        assert_eq!(sets.resolve("kernel32.dll", "a.dll"), ApiSet::NotOne);
        assert_eq!(sets.resolve("api.dll", "a.dll"), ApiSet::NotOne);
    }

    #[test]
    fn each_windows_has_its_own_contracts() {
        let (of_10, of_11) = (ApiSets::of_windows_10(), ApiSets::of_windows_11());
        for (name, in_10, in_11) in [
            (
                "api-ms-win-core-file-l2-1-0.dll",
                ApiSet::Host("kernelbase.dll"),
                ApiSet::Host("kernelbase.dll"),
            ),
            ("api-ms-win-core-ioring-l1-1-0.dll", ApiSet::NotOne, ApiSet::Host("kernelbase.dll")),
            ("api-ms-win-rtcore-session-l1-2-0.dll", ApiSet::NotImplemented, ApiSet::PerhapsNewer),
            ("api-ms-win-coreui-secruntime-l1-1-0.dll", ApiSet::NotImplemented, ApiSet::NotImplemented),
        ] {
            assert_eq!(
                (of_10.resolve(name, "a.dll"), of_11.resolve(name, "a.dll")),
                (in_10, in_11),
                "{name}"
            );
        }
    }

    /// The section of one contract, which serves `kernel32.dll` from another DLL than all others.
    fn schema() -> Vec<u8> {
        let texts = ["api-ms-win-x-l1-1-0", "kernel32.dll", "kernelbase.dll"];
        let (entry, values) = (28, 28 + ENTRY);
        let mut at = values + 2 * VALUE;
        let mut places = Vec::new();
        for text in texts {
            places.push([at, text.len() * 2]);
            at += text.len() * 2;
        }
        let [name, first, second] = [places[0], places[1], places[2]];
        let words = [
            vec![6, at, 0, 1, entry, 0, 31],
            vec![0, name[0], name[1], 34, values, 2],
            vec![0, 0, 0, first[0], first[1]],
            vec![0, first[0], first[1], second[0], second[1]],
        ];
        let words = words.concat().into_iter().flat_map(|word| (word as u32).to_le_bytes());
        words.chain(texts.concat().encode_utf16().flat_map(u16::to_le_bytes)).collect()
    }

    #[test]
    fn the_schema_of_a_machine_is_read() {
        let sets = ApiSets::from_schema(&schema()).unwrap();
        assert_eq!(sets.resolve("api-ms-win-x-l1-1-3.dll", "a.dll"), ApiSet::Host("kernel32.dll"));
        assert_eq!(sets.resolve("api-ms-win-x-l1-1-0.dll", "KERNEL32.dll"), ApiSet::Host("kernelbase.dll"));
        assert_eq!(sets.resolve("api-ms-win-y-l1-1-0.dll", "a.dll"), ApiSet::NotOne);
    }

    #[test]
    fn a_schema_that_is_cut_or_altered_anywhere_does_no_harm() {
        let whole = schema();
        for at in 0..whole.len() {
            assert_eq!(ApiSets::from_schema(&whole[..at]), None, "{at} bytes");
            let mut altered = whole.clone();
            altered[at] = 0xff;
            let _ = ApiSets::from_schema(&altered);
        }
    }

    #[test]
    fn an_importer_can_have_another_host() {
        let table =
            "contract\thost\texceptions\napi-ms-win-x-l1-1-0\tkernel32.dll\tkernel32.dll>kernelbase.dll\n";
        let sets = ApiSets::from_table(table);
        assert_eq!(sets.resolve("api-ms-win-x-l1-1-0.dll", "a.dll"), ApiSet::Host("kernel32.dll"));
        assert_eq!(sets.resolve("api-ms-win-x-l1-1-0.dll", "KERNEL32.dll"), ApiSet::Host("kernelbase.dll"));
    }
}
