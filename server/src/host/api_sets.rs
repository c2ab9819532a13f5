//! API sets: names such as `api-ms-win-crt-math-l1-1-0.dll` stand for contracts, not for files.
//!
//! Before it searches any directory, the loader looks up a contract in a schema that is part of
//! Windows (Microsoft, "Windows API sets"; "Dynamic-link library search order").

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use serde::{Deserialize, Serialize};

/// An API set schema: which DLL implements each contract.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiSets {
    contracts: HashMap<String, Contract>,
    /// Whether the machine may be newer than this schema and have contracts that it doesn't list.
    #[serde(default)]
    may_know_more: bool,
}

/// The sizes of `API_SET_NAMESPACE_ENTRY` and `API_SET_VALUE_ENTRY`, in bytes.
const ENTRY: usize = 24;
const VALUE: usize = 20;

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Contract {
    /// The DLL that implements the contract. Empty if none does on this Windows.
    host: String,
    /// The DLL for particular importing DLLs (`kernel32.dll` must not import itself).
    #[serde(default, skip_serializing_if = "HashMap::is_empty")]
    exceptions: HashMap<String, String>,
}

/// The result of looking up a name in the schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApiSet<'a> {
    /// The name isn't a contract but that of an ordinary DLL.
    NotAnApiSet,
    /// This DLL in System32 implements the contract.
    Host(&'a str),
    /// The contract exists, but no DLL implements it on this edition of Windows.
    NotImplemented,
    /// The schema doesn't list the contract, but the machine may be newer than the schema.
    PossiblyNewer,
}

impl ApiSets {
    /// Returns the schema of Windows 10 22H2.
    pub fn of_windows_10() -> ApiSets {
        ApiSets::from_table(include_str!("../../data/windows-10-apisets.tsv"))
    }

    /// Returns the schema of Windows 11 23H2. Later versions have newer schemas, which nobody has
    /// published.
    pub fn of_windows_11() -> ApiSets {
        let table = ApiSets::from_table(include_str!("../../data/windows-11-apisets.tsv"));
        ApiSets { may_know_more: true, ..table }
    }

    /// Reads `contract⇥host⇥importer>host,…` lines that follow a header line.
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

    /// Reads the section `.apiset` of `apisetschema.dll` in the format used since Windows 10
    /// (`API_SET_NAMESPACE` of version 6 in Wine's `include/winternl.h`). Each contract has one
    /// value without a name, and one for each importer for which another DLL implements it. Offsets
    /// are relative to the start of the section.
    pub fn from_schema(section: &[u8]) -> Option<ApiSets> {
        let word =
            |at: usize| section.get(at..)?.first_chunk().map(|bytes| u32::from_le_bytes(*bytes) as usize);
        let record = |start: usize, size: usize, number: usize| start.checked_add(size.checked_mul(number)?);
        let string = |at: usize| {
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
            let (name, values, value_count) = (string(entry + 4)?, word(entry + 16)?, word(entry + 20)?);
            let mut contract = Contract::default();
            for number in 0..value_count.min(section.len() / VALUE) {
                let value = record(values, VALUE, number)?;
                let (importer, host) = (string(value + 4)?, string(value + 12)?);
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

    /// Returns a number that is the same for equal schemas.
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

    /// Resolves `name` as imported by the DLL `importer`. Both are base names in any case.
    pub fn resolve(&self, name: &str, importer: &str) -> ApiSet<'_> {
        let name = name.to_ascii_lowercase();
        let Some(key) = contract_key(name.strip_suffix(".dll").unwrap_or(&name)) else {
            return ApiSet::NotAnApiSet;
        };
        match self.contracts.get(key) {
            None if self.may_know_more => ApiSet::PossiblyNewer,
            // Not in the schema: searched as a file, like any other name.
            None => ApiSet::NotAnApiSet,
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

/// Returns the part of a contract's name that the loader compares: everything up to the last
/// hyphen. Only names that start with `api-` or `ext-` are contracts.
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
        assert_eq!(sets.resolve("api-ms-win-nonexistent-l1-1-0.dll", "a.dll"), ApiSet::NotAnApiSet);
        let newer = ApiSets::of_windows_11();
        assert_eq!(newer.resolve("api-ms-win-nonexistent-l1-1-0.dll", "a.dll"), ApiSet::PossiblyNewer);
        assert_eq!(sets.resolve("kernel32.dll", "a.dll"), ApiSet::NotAnApiSet);
        assert_eq!(sets.resolve("api.dll", "a.dll"), ApiSet::NotAnApiSet);
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
            ("api-ms-win-core-ioring-l1-1-0.dll", ApiSet::NotAnApiSet, ApiSet::Host("kernelbase.dll")),
            ("api-ms-win-rtcore-session-l1-2-0.dll", ApiSet::NotImplemented, ApiSet::PossiblyNewer),
            ("api-ms-win-coreui-secruntime-l1-1-0.dll", ApiSet::NotImplemented, ApiSet::NotImplemented),
        ] {
            assert_eq!(
                (of_10.resolve(name, "a.dll"), of_11.resolve(name, "a.dll")),
                (in_10, in_11),
                "{name}"
            );
        }
    }

    /// Returns a section with one contract, which another DLL implements for `kernel32.dll`.
    fn schema() -> Vec<u8> {
        let strings = ["api-ms-win-x-l1-1-0", "kernel32.dll", "kernelbase.dll"];
        let (entry, values) = (28, 28 + ENTRY);
        let mut at = values + 2 * VALUE;
        let mut places = Vec::new();
        for string in strings {
            places.push([at, string.len() * 2]);
            at += string.len() * 2;
        }
        let [name, first, second] = [places[0], places[1], places[2]];
        let words = [
            vec![6, at, 0, 1, entry, 0, 31],
            vec![0, name[0], name[1], 34, values, 2],
            vec![0, 0, 0, first[0], first[1]],
            vec![0, first[0], first[1], second[0], second[1]],
        ];
        let words = words.concat().into_iter().flat_map(|word| (word as u32).to_le_bytes());
        words.chain(strings.concat().encode_utf16().flat_map(u16::to_le_bytes)).collect()
    }

    #[test]
    fn the_schema_section_of_a_machine_is_read() {
        let sets = ApiSets::from_schema(&schema()).unwrap();
        assert_eq!(sets.resolve("api-ms-win-x-l1-1-3.dll", "a.dll"), ApiSet::Host("kernel32.dll"));
        assert_eq!(sets.resolve("api-ms-win-x-l1-1-0.dll", "KERNEL32.dll"), ApiSet::Host("kernelbase.dll"));
        assert_eq!(sets.resolve("api-ms-win-y-l1-1-0.dll", "a.dll"), ApiSet::NotAnApiSet);
    }

    #[test]
    fn a_truncated_or_altered_schema_does_not_panic() {
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
