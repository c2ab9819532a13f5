//! `functools`, `contextlib`, and `copy`: functions that wrap or copy a value.

use std::rc::Rc;

use super::super::Plan;
use super::super::value::Value;
use super::super::world::World;
use super::KnownCall;
use crate::source::standard::{
    AnonymousName, ContextlibName, CopyName, FunctoolsName, StandardName, SysName,
};

pub(super) fn call_functools(name: FunctoolsName, call: &KnownCall<'_>) -> Value {
    let identity = || Value::Known(StandardName::Anonymous(AnonymousName::Identity));
    match (name, call.first()) {
        // Without arguments, the decorator receives the function itself.
        (FunctoolsName::LruCache | FunctoolsName::Cache, function)
            if matches!(function, Value::Function(_) | Value::Bound(_)) =>
        {
            function.clone()
        }
        (FunctoolsName::Wraps | FunctoolsName::LruCache | FunctoolsName::Cache, _) => identity(),
        (FunctoolsName::UpdateWrapper, wrapper) => wrapper.clone(),
        (FunctoolsName::CachedProperty | FunctoolsName::Partial, _) => Value::Unknown,
    }
}

pub(super) fn call_contextlib(name: ContextlibName, call: &KnownCall<'_>) -> Value {
    match name {
        ContextlibName::Suppress => Value::Suppress(Rc::new(call.arguments.to_vec())),
        ContextlibName::Nullcontext => {
            Value::NullContext(Rc::new(call.arguments.first().cloned().unwrap_or(Value::None)))
        }
        ContextlibName::ExitStack => Value::ExitStack(Rc::default()),
        ContextlibName::Contextmanager => Value::Unknown,
    }
}

impl Plan<'_> {
    pub(super) fn call_anonymous(&mut self, name: AnonymousName, call: &KnownCall<'_>) -> Value {
        match name {
            AnonymousName::Identity => call.first().clone(),
            AnonymousName::NewObject => self.new_object(call.first()),
            AnonymousName::FfiObject | AnonymousName::ModuleLoader => Value::Unknown,
        }
    }
}

impl World<'_> {
    pub(super) fn call_copy(&self, name: CopyName, call: &KnownCall<'_>) -> Value {
        // The items are shared by a deep copy, too: few programs change them.
        let (CopyName::Copy | CopyName::Deepcopy) = name;
        match call.first() {
            Value::Known(StandardName::Sys(SysName::Path)) => self.sys_path_entries(),
            Value::List(items) => Value::list(items.borrow().clone()),
            Value::Dict(items) => Value::Dict(Rc::new(items.borrow().clone().into())),
            value => value.clone(),
        }
    }
}
