//! `sys`, `inspect`, and `traceback`: the running frames.

use super::super::Plan;
use super::super::frame::Frame;
use super::super::value::Value;
use super::KnownCall;
use crate::source::standard::{InspectName, SysName, TracebackName};

impl Plan<'_> {
    pub(super) fn call_sys(&mut self, name: SysName, call: &KnownCall<'_>, frame: &Frame) -> Value {
        match name {
            SysName::SetLazyImports => {
                self.set_lazy_imports(call.first());
                Value::None
            }
            SysName::Getframe => {
                let depth = if call.arguments.is_empty() { Some(0) } else { call.first().number() };
                let caller = |depth: i64| {
                    let callers = self.execution.running.iter().rev().map(|(_, caller)| caller);
                    std::iter::once(&frame.module.file).chain(callers).nth(usize::try_from(depth).ok()?)
                };
                let file = depth.and_then(caller).cloned().flatten();
                file.map_or(Value::Unknown, Value::Frame)
            }
            SysName::Path | SysName::Modules | SysName::Implementation => Value::Unknown,
        }
    }
}

pub(super) fn call_inspect(name: InspectName, call: &KnownCall<'_>, frame: &Frame) -> Value {
    match (name, call.first()) {
        (InspectName::Currentframe, _) => frame.module.file.clone().map_or(Value::Unknown, Value::Frame),
        (InspectName::Getfile, Value::Frame(file)) => Value::str(file.as_str()),
        (InspectName::Getfile, _) => Value::Unknown,
    }
}

pub(super) fn call_traceback(name: TracebackName, frame: &Frame) -> Value {
    match (name, frame.handled_sentence()) {
        (TracebackName::FormatExc, Some(sentence)) => {
            Value::str(format!("Traceback (most recent call last):\n  …\n{sentence}"))
        }
        (TracebackName::FormatExc, None) => Value::Unknown,
    }
}
