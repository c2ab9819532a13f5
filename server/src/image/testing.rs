//! Writes small images for the tests.
//!
//! `object` writes the headers, so that the same misunderstanding of the format can't be in both
//! the reader and the tests. All tables are in one section, `.rdata`, which begins at [`RDATA`].

use object::{pe, write::pe::NtHeaders, write::pe::Writer};

/// The RVA of the section that holds the tables.
pub const RDATA: u32 = 0x1000;

/// The file offset of that section.
pub const RDATA_OFFSET: usize = 0x200;

/// The preferred base address of the images.
pub const IMAGE_BASE: u32 = 0x1000_0000;

/// A builder of an image.
#[derive(Clone)]
pub struct Pe {
    pe32_plus: bool,
    machine: pe::Machine,
    characteristics: pe::FileFlags,
    section_alignment: u32,
    directories: [(u32, u32); 16],
    rdata: Vec<u8>,
}

impl Pe {
    /// Starts a DLL for x64.
    pub fn x64() -> Pe {
        Pe {
            pe32_plus: true,
            machine: pe::IMAGE_FILE_MACHINE_AMD64,
            characteristics: pe::IMAGE_FILE_EXECUTABLE_IMAGE | pe::IMAGE_FILE_DLL,
            section_alignment: 0x1000,
            directories: [(0, 0); 16],
            // Keep the beginning unused, so that a table's offset is never zero.
            rdata: b"tables: ".to_vec(),
        }
    }

    /// Starts a DLL for x86.
    pub fn x86() -> Pe {
        Pe { pe32_plus: false, machine: pe::IMAGE_FILE_MACHINE_I386, ..Pe::x64() }
    }

    /// Makes the image a program.
    pub fn program(mut self) -> Pe {
        self.characteristics = pe::IMAGE_FILE_EXECUTABLE_IMAGE;
        self
    }

    /// Changes the machine of the image.
    pub fn machine(mut self, machine: u16) -> Pe {
        self.machine = pe::Machine(machine);
        self
    }

    /// Lays the image out in memory as in the file, like a driver.
    pub fn flat(mut self) -> Pe {
        self.section_alignment = 0x200;
        self
    }

    /// Returns the RVA that the next [`put`](Pe::put) will return.
    pub fn next(&self) -> u32 {
        let start = if self.section_alignment == 0x200 { RDATA_OFFSET as u32 } else { RDATA };
        start + self.rdata.len() as u32
    }

    /// Adds bytes at a multiple of eight; returns their RVA.
    pub fn put(&mut self, bytes: &[u8]) -> u32 {
        let rva = self.next();
        self.rdata.extend_from_slice(bytes);
        self.rdata.resize(self.rdata.len().next_multiple_of(8), 0);
        rva
    }

    /// Adds 32-bit words; returns their RVA.
    pub fn put_words(&mut self, words: &[u32]) -> u32 {
        self.put(&words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<_>>())
    }

    /// Adds a NUL-terminated string; returns its RVA.
    pub fn put_name(&mut self, name: &str) -> u32 {
        self.put(format!("{name}\0").as_bytes())
    }

    /// Sets a data directory.
    pub fn directory(&mut self, index: usize, rva: u32, size: u32) {
        self.directories[index] = (rva, size);
    }

    /// Adds a null-terminated list of thunks, with `base` added to each address; returns its RVA.
    pub fn put_thunks(&mut self, symbols: &[&str], base: u32) -> u32 {
        let flag = if self.pe32_plus { 1 << 63 } else { 1 << 31 };
        let mut thunks = Vec::new();
        for symbol in symbols {
            thunks.push(match symbol.strip_prefix('#') {
                Some(ordinal) => flag | ordinal.parse::<u64>().unwrap(),
                None => u64::from(base + self.put(format!("\x05\x00{symbol}\0").as_bytes())),
            });
        }
        thunks.push(0);
        let width = if self.pe32_plus { 8 } else { 4 };
        let bytes: Vec<u8> =
            thunks.iter().flat_map(|thunk| thunk.to_le_bytes().into_iter().take(width)).collect();
        self.put(&bytes)
    }

    /// Adds an import table: DLLs and their symbols, `#7` being an ordinal.
    pub fn imports(mut self, imports: &[(&str, &[&str])]) -> Pe {
        let mut table = Vec::new();
        for (dll, symbols) in imports {
            let name = self.put_name(dll);
            let names = self.put_thunks(symbols, 0);
            let addresses = self.put_thunks(symbols, 0);
            table.extend([names, 0, 0, name, addresses]);
        }
        table.extend([0; 5]);
        let rva = self.put_words(&table);
        self.directory(1, rva, 4 * table.len() as u32);
        self
    }

    /// Adds a delay-load import table, with RVAs (since Visual C++ 7) or virtual addresses.
    pub fn delay_imports(mut self, by_rva: bool, imports: &[(&str, &[&str])]) -> Pe {
        let base = if by_rva { 0 } else { IMAGE_BASE };
        let mut table = Vec::new();
        for (dll, symbols) in imports {
            let name = self.put_name(dll);
            let names = self.put_thunks(symbols, base);
            table.extend([by_rva.into(), base + name, 0, base + RDATA, base + names, 0, 0, 0]);
        }
        table.extend([0; 8]);
        let rva = self.put_words(&table);
        self.directory(13, rva, 4 * table.len() as u32);
        self
    }

    /// Adds an export table. Names keep their order, and ordinals begin at 10, with a gap at 11. A
    /// target that contains a dot is a forwarder, any other is an address.
    pub fn exports(mut self, dll: &str, exports: &[(&str, &str)]) -> Pe {
        let start = self.next();
        let table = self.put_words(&[0; 10]);
        let name = self.put_name(dll);
        let mut addresses = Vec::new();
        let mut names = Vec::new();
        let mut indices = Vec::new();
        for (symbol, target) in exports {
            if addresses.len() == 1 {
                addresses.push(0);
            }
            indices.extend((addresses.len() as u16).to_le_bytes());
            names.push(self.put_name(symbol));
            addresses.push(match target.contains('.') {
                true => self.put_name(target),
                false => target.parse().unwrap(),
            });
        }
        let counts = [addresses.len() as u32, names.len() as u32];
        let arrays = [self.put_words(&addresses), self.put_words(&names), self.put(&indices)];
        let header = [[0, 0, 0, name, 10].as_slice(), &counts, &arrays].concat();
        self.patch(table, &header);
        self.directory(0, start, self.next() - start);
        self
    }

    /// Adds resources: types and numbers with their data, in this order.
    pub fn resources(mut self, resources: &[(u32, u32, &[u8])]) -> Pe {
        const DIRECTORY: u32 = 1 << 31;
        let data: Vec<[u32; 2]> = resources.iter().map(|r| [self.put(r.2), r.2.len() as u32]).collect();
        let kinds: Vec<u32> = {
            let mut kinds: Vec<u32> = resources.iter().map(|r| r.0).collect();
            kinds.dedup();
            kinds
        };
        // The directories of types, numbers, and languages. The data entry of a language directory
        // follows it. Offsets count from the root.
        let mut tree = vec![0, 0, 0, (kinds.len() as u32) << 16];
        tree.resize(4 + 2 * kinds.len(), 0);
        for (k, kind) in kinds.iter().enumerate() {
            let of_kind: Vec<usize> = (0..resources.len()).filter(|&r| resources[r].0 == *kind).collect();
            tree[4 + 2 * k] = *kind;
            tree[5 + 2 * k] = DIRECTORY | (4 * tree.len() as u32);
            let names = tree.len();
            tree.extend([0, 0, 0, (of_kind.len() as u32) << 16]);
            tree.resize(tree.len() + 2 * of_kind.len(), 0);
            for (n, &r) in of_kind.iter().enumerate() {
                let language = 4 * tree.len() as u32;
                tree[names + 4 + 2 * n] = resources[r].1;
                tree[names + 5 + 2 * n] = DIRECTORY | language;
                tree.extend([0, 0, 0, 1 << 16, 1033, language + 24, data[r][0], data[r][1], 0, 0]);
            }
        }
        let rva = self.put_words(&tree);
        self.directory(2, rva, 4 * tree.len() as u32);
        self
    }

    /// Adds a load configuration of this size, with fields at offsets.
    pub fn load_config(mut self, size: u32, fields: &[(usize, u64)]) -> Pe {
        let mut bytes = vec![0; 0x140];
        bytes[..4].copy_from_slice(&size.to_le_bytes());
        for (offset, value) in fields {
            bytes[*offset..offset + 8].copy_from_slice(&value.to_le_bytes());
        }
        let rva = self.put(&bytes);
        self.directory(10, rva, size);
        self
    }

    /// Overwrites words at an RVA.
    pub fn patch(&mut self, rva: u32, words: &[u32]) {
        let offset = (rva - (self.next() - self.rdata.len() as u32)) as usize;
        for (index, word) in words.iter().enumerate() {
            self.rdata[offset + 4 * index..][..4].copy_from_slice(&word.to_le_bytes());
        }
    }

    /// Returns the bytes of the file: headers, `.rdata`, and a `.text` with one instruction.
    pub fn build(&self) -> Vec<u8> {
        let mut file = Vec::new();
        let mut writer = Writer::new(self.pe32_plus, self.section_alignment, 0x200, &mut file);
        writer.reserve_dos_header();
        writer.reserve_nt_headers(16);
        writer.reserve_section_headers(2);
        let flags = pe::IMAGE_SCN_CNT_INITIALIZED_DATA | pe::IMAGE_SCN_MEM_READ;
        let len = self.rdata.len() as u32;
        let rdata = writer.reserve_section(*b".rdata\0\0", flags, len, len);
        let text = writer.reserve_text_section(1);
        for (index, (rva, size)) in self.directories.into_iter().enumerate() {
            writer.set_data_directory(index, rva, size);
        }
        writer.write_empty_dos_header().unwrap();
        writer.write_nt_headers(NtHeaders {
            machine: self.machine,
            time_date_stamp: 0x6543_2100,
            characteristics: self.characteristics,
            major_linker_version: 14,
            minor_linker_version: 29,
            address_of_entry_point: text.virtual_address,
            image_base: IMAGE_BASE.into(),
            major_operating_system_version: 6,
            minor_operating_system_version: 0,
            major_image_version: 0,
            minor_image_version: 0,
            major_subsystem_version: 6,
            minor_subsystem_version: 1,
            subsystem: pe::IMAGE_SUBSYSTEM_WINDOWS_GUI,
            dll_characteristics: pe::IMAGE_DLLCHARACTERISTICS_NX_COMPAT,
            size_of_stack_reserve: 0x10_0000,
            size_of_stack_commit: 0x1000,
            size_of_heap_reserve: 0x10_0000,
            size_of_heap_commit: 0x1000,
        });
        writer.write_section_headers();
        writer.write_section(rdata.file_offset, &self.rdata);
        writer.write_section(text.file_offset, b"\xc3");
        file
    }
}

/// Returns a version resource, up to the end of its VS_FIXEDFILEINFO.
pub fn version_resource(version: [u16; 4]) -> Vec<u8> {
    let [major, minor, build, revision] = version.map(u32::from);
    let mut bytes = vec![92, 0, 52, 0, 0, 0];
    bytes.extend("VS_VERSION_INFO\0\0".encode_utf16().flat_map(u16::to_le_bytes));
    let fixed = [0xfeef_04bd, 0x0001_0000, major << 16 | minor, build << 16 | revision];
    bytes.extend(fixed.into_iter().chain([0; 9]).flat_map(u32::to_le_bytes));
    bytes
}
