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
    /// The schema of Windows 10 that `data/windows-10-apisets.tsv` holds.
    pub fn of_windows_10() -> ApiSets {
        ApiSets::from_table(include_str!("../../data/windows-10-apisets.tsv"))
    }

    /// The best that is known of Windows 11: the schema of Windows 10, which it contains.
    pub fn of_windows_11() -> ApiSets {
        ApiSets { may_know_more: true, ..ApiSets::of_windows_10() }
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
    fn an_importer_can_have_another_host() {
        let table =
            "contract\thost\texceptions\napi-ms-win-x-l1-1-0\tkernel32.dll\tkernel32.dll>kernelbase.dll\n";
        let sets = ApiSets::from_table(table);
        assert_eq!(sets.resolve("api-ms-win-x-l1-1-0.dll", "a.dll"), ApiSet::Host("kernel32.dll"));
        assert_eq!(sets.resolve("api-ms-win-x-l1-1-0.dll", "KERNEL32.dll"), ApiSet::Host("kernelbase.dll"));
    }
}
