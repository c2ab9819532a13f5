//! `exec` of a known string.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use rustc_hash::FxHashMap;

use super::frame::Frame;
use super::value::{Exception, MAX_LENGTH, Module, Value};
use super::{Flow, Plan};
use crate::source::{self, Name};

/// The maximum nesting depth of `exec`. Each level takes several stack frames.
const MAX_DEPTH: u32 = 100;

/// A namespace dictionary that is passed to `exec`.
type Table = Rc<RefCell<Vec<(Value, Value)>>>;

impl Plan<'_> {
    /// Follows `exec(source, globals, locals)`. Without namespaces, the statements run in the
    /// caller's frame and bind names there. Otherwise they use the given dictionaries. All
    /// statements have the line of the call.
    pub(super) fn exec(
        &mut self,
        text: &str,
        globals: Option<&Value>,
        locals: Option<&Value>,
        frame: &mut Frame,
    ) -> Result<Value, Rc<Exception>> {
        if text.len() > MAX_LENGTH || self.execution.depth >= MAX_DEPTH {
            return Ok(Value::None);
        }
        self.spend_many(text.len() as u64);
        let script = source::lower_whole(text);
        self.execution.depth += 1;
        let line = frame.exec_line.unwrap_or(frame.line);
        let flow = if let Some(globals) = globals {
            let table = match globals {
                Value::Dict(table) => Some(table.clone()),
                _ => None,
            };
            let module = match globals {
                Value::Globals(module) => module.clone(),
                // The namespace may contain other names.
                _ => Rc::new(Module {
                    name: frame.module.name.clone(),
                    file: frame.module.file.clone(),
                    path: None,
                    names: RefCell::new(table.as_ref().map(names_of).unwrap_or_default()),
                    open: Cell::new(true),
                    is_partial: Cell::new(false),
                    is_of_library: frame.module.is_of_library,
                }),
            };
            // Functions defined in it and the module refer to each other until the plan is dropped.
            self.world.failed_modules.push(module.clone());
            let mut inner = Frame::of_module(module.clone());
            inner.exec_line = Some(line);
            let own = match locals {
                Some(Value::Dict(table)) => {
                    inner.locals = Some(names_of(table));
                    Some(table.clone())
                }
                _ => None,
            };
            let flow = self.block(&script.body, &mut inner);
            if let (Some(table), Some(names)) = (own, inner.locals) {
                store(&table, names);
            }
            if let Some(table) = table {
                store(&table, module.names.take());
            }
            flow
        } else {
            let outer = frame.exec_line.replace(line);
            let flow = self.block(&script.body, frame);
            frame.exec_line = outer;
            flow
        };
        self.execution.depth -= 1;
        match flow {
            Flow::Raise(exception) => Err(exception),
            _ => Ok(Value::None),
        }
    }
}

fn names_of(table: &Table) -> FxHashMap<Name, Value> {
    let named = |(key, value): &(Value, Value)| Some((Name::from(&*key.text()?), value.clone()));
    table.borrow().iter().filter_map(named).collect()
}

/// Writes the bound names back to the dictionary. New names are sorted, because the order of their
/// statements is lost.
fn store(table: &Table, mut names: FxHashMap<Name, Value>) {
    let mut table = table.borrow_mut();
    for (key, value) in table.iter_mut() {
        if let Some(new) = key.text().and_then(|key| names.remove(&*key)) {
            *value = new;
        }
    }
    let mut new: Vec<_> = names.into_iter().collect();
    new.sort_by(|(a, _), (b, _)| a.cmp(b));
    table.extend(new.into_iter().map(|(name, value)| (Value::str(name), value)));
}
