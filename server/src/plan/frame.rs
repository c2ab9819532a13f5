//! Frames: the scopes that statements run in.

use std::rc::{Rc, Weak};

use rustc_hash::FxHashMap;

use super::objects::Class;
use super::value::{Exception, ModuleRef, Value};
use super::{Flow, Place};
use crate::source::{Expr, Name, Stmt};

/// A frame: the top level of a module, or a function call.
pub(super) struct Frame {
    pub module: ModuleRef,
    /// `None` at module level, where names belong to the module.
    pub locals: Option<FxHashMap<Name, Value>>,
    /// The variables of the enclosing functions that this function can see.
    pub enclosing: Option<Rc<FxHashMap<Name, Value>>>,
    pub globals: Vec<Name>,
    /// The number of `try` statements around the current statement, in any of their blocks.
    pub tries: u32,
    /// The exceptions that each `try` around the current statement catches, innermost last.
    pub handlers: Vec<Catches>,
    /// Failed loads whose exceptions this frame caught. They are the cause if it raises an
    /// exception later.
    pub caught: Vec<usize>,
    /// The exception that is being handled.
    pub handling: Option<Rc<Exception>>,
    /// For each unknown condition around the current statement, the names bound under it with their
    /// previous values.
    pub journals: Vec<Vec<(Name, Option<Value>)>>,
    /// Whether the function may have returned already, under an unknown condition.
    pub may_have_returned: bool,
    /// The line of the `exec` call whose source runs here.
    pub exec_line: Option<u32>,
    /// The line of the current statement.
    pub line: u32,
    /// The class whose body contains the function, and the parameter that receives the object: the
    /// operands of `super()`.
    pub owner: Weak<Class>,
    pub receiver: Option<Name>,
    /// Whether this is a class body, whose names are invisible to the functions in it.
    pub is_class_body: bool,
    /// The consumer of `yield`, in a generator.
    pub yields: Option<Yields>,
}

/// The consumer of the values of a generator.
pub(super) enum Yields {
    /// The values are collected. `under` is the number of unknown conditions around the generator.
    /// A value that is yielded under more conditions makes the result unknown.
    All { values: Vec<Value>, under: u32, unsure: bool },
    /// The block of a `with` statement runs at the `yield`.
    Block(Box<Block>),
}

/// The block of a `with` statement and the frame that it runs in.
pub(super) struct Block {
    pub frame: Frame,
    pub target: Option<Expr>,
    pub body: Vec<Stmt>,
    /// The outcome of the block, once it has run.
    pub flow: Option<Flow>,
}

impl Yields {
    pub fn block(frame: Frame, target: Option<Expr>, body: Vec<Stmt>) -> Yields {
        Yields::Block(Box::new(Block { frame, target, body, flow: None }))
    }
}

/// The exceptions that the handlers of a `try` catch.
#[derive(Clone)]
pub(super) struct Catches {
    pub classes: Vec<Name>,
    pub everything: bool,
}

impl Catches {
    pub fn any_of(&self, classes: &[&str]) -> bool {
        self.everything || self.classes.iter().any(|class| classes.contains(&class.as_str()))
    }

    /// Whether one of the handlers catches the exception.
    pub fn catches(&self, exception: &Exception) -> bool {
        self.everything || self.classes.iter().any(|class| exception.is_a(class))
    }
}

impl Frame {
    pub fn of_module(module: ModuleRef) -> Frame {
        Frame {
            module,
            locals: None,
            enclosing: None,
            globals: Vec::new(),
            tries: 0,
            handlers: Vec::new(),
            caught: Vec::new(),
            handling: None,
            journals: Vec::new(),
            may_have_returned: false,
            exec_line: None,
            line: 0,
            owner: Weak::new(),
            receiver: None,
            is_class_body: false,
            yields: None,
        }
    }

    pub fn of_call(module: ModuleRef, locals: FxHashMap<Name, Value>) -> Frame {
        Frame { locals: Some(locals), ..Frame::of_module(module) }
    }

    /// Returns the place of the current statement.
    pub fn place(&self) -> Place {
        Place { file: self.module.file.clone(), line: self.line }
    }

    /// Whether a `try` of this frame handles one of these exceptions. If it does, the program
    /// deliberately tests for the failure, so the exception is raised where the outcome would
    /// otherwise be unknown.
    pub fn expects(&self, classes: &[&str]) -> bool {
        self.handlers.iter().any(|catches| catches.any_of(classes))
    }

    /// Returns the message of the exception that is being handled, as the last line of
    /// `traceback.format_exc`.
    pub fn handled_sentence(&self) -> Option<String> {
        self.handling.as_ref()?.sentence()
    }

    /// Records failed loads whose exceptions were caught.
    pub fn record_caught(&mut self, failures: impl IntoIterator<Item = usize>) {
        for failure in failures {
            if !self.caught.contains(&failure) {
                self.caught.push(failure);
            }
        }
    }

    /// Returns the value of a name in the scope that a statement binds it in.
    pub fn bound(&self, name: &str) -> Option<Value> {
        match &self.locals {
            Some(locals) if !self.is_global(name) => locals.get(name).cloned(),
            _ => self.module.get(name),
        }
    }

    pub fn set(&mut self, name: &str, value: Option<Value>) {
        let is_global = self.is_global(name);
        let mut names = self.module.names.borrow_mut();
        let scope = match &mut self.locals {
            Some(locals) if !is_global => locals,
            _ => &mut *names,
        };
        match value {
            Some(value) => drop(scope.insert(name.into(), value)),
            None => drop(scope.remove(name)),
        }
    }

    pub fn is_global(&self, name: &str) -> bool {
        self.locals.is_none() || self.globals.iter().any(|global| global == name)
    }
}
