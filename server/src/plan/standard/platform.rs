//! `platform`: the machine.

use std::rc::Rc;

use super::super::value::Value;
use super::super::world::World;
use super::super::{Place, Plan};
use crate::environment::Platform;
use crate::image::Machine;
use crate::source::standard::{NameEffect, PlatformName, StandardName};

impl Plan<'_> {
    /// Handles the first call of a function that makes `platform` determine the name of the
    /// machine. Where `os.uname` doesn't exist, `platform` imports `socket`, but works without it
    /// (`Lib/platform.py`: `uname`, `_node`).
    pub(in crate::plan) fn import_for_machine(&mut self, name: StandardName, place: &Place) {
        let reads = name.effect() == Some(NameEffect::ReadsMachine);
        if reads && !self.world.is_linux() && !self.world.uname_is_cached {
            self.world.uname_is_cached = true;
            self.try_import("socket", place);
        }
    }
}

impl World<'_> {
    pub(super) fn call_platform(&self, name: PlatformName) -> Value {
        let is_linux = self.is_linux();
        match name {
            PlatformName::System => Value::str(if is_linux { "Linux" } else { "Windows" }),
            PlatformName::Machine if is_linux => Value::str("x86_64"),
            PlatformName::Machine => Value::str(match self.platform_machine() {
                Machine::X86 => "x86",
                Machine::Arm64 => "ARM64",
                _ => "AMD64",
            }),
            PlatformName::Architecture => {
                let bits = if self.is_32_bit() { "32bit" } else { "64bit" };
                let linkage = if is_linux { "ELF" } else { "WindowsPE" };
                Value::Tuple(Rc::new(vec![Value::str(bits), Value::str(linkage)]))
            }
            PlatformName::PythonImplementation => Value::str("CPython"),
            PlatformName::Node
            | PlatformName::Release
            | PlatformName::Version
            | PlatformName::Processor
            | PlatformName::Uname
            | PlatformName::Platform
            | PlatformName::PythonVersion => Value::Unknown,
        }
    }

    pub(super) fn is_32_bit(&self) -> bool {
        self.environment().machine == Machine::X86
    }

    /// Returns the machine that `platform.machine()` returns. A 32-bit process gets that of Windows
    /// from `PROCESSOR_ARCHITEW6432`. Since Python 3.12, so does an emulated x64 process
    /// (`Lib/platform.py`: `_get_machine_win32`).
    pub(super) fn platform_machine(&self) -> Machine {
        let environment = self.environment();
        match environment.machine {
            Machine::X86 => self.host().machine,
            _ if environment.version.at_least(3, 12) => self.host().machine,
            own => own,
        }
    }

    pub(super) fn is_linux(&self) -> bool {
        self.environment().platform == Platform::Linux
    }
}
