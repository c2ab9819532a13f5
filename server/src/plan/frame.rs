//! Where statements run: a module's top level, or a function's call.

use std::rc::{Rc, Weak};

use rustc_hash::FxHashMap;

use super::objects::Class;
use super::value::{Exception, ModuleRef, Value};
use super::{Flow, Place};
use crate::source::{Expr, Name, Stmt};

/// A module's top level, or a function's call.
pub(super) struct Frame {
    pub module: ModuleRef,
    /// None at module level, where names are the module's.
    pub locals: Option<FxHashMap<Name, Value>>,
    /// What a function sees of those that it is defined in.
    pub enclosing: Option<Rc<FxHashMap<Name, Value>>>,
    pub globals: Vec<Name>,
    /// So many `try` statements stand around the current statement, in whichever of their blocks.
    pub tries: u32,
    /// What each `try` around the current statement catches, innermost last.
    pub handlers: Vec<Catches>,
    /// Loads whose failure this frame caught: if it raises later, they are why.
    pub caught: Vec<usize>,
    /// The exception that is being handled.
    pub handling: Option<Rc<Exception>>,
    /// For each unknown condition around the current statement, the names bound under it and what they were
    /// before.
    pub journals: Vec<Vec<(Name, Option<Value>)>>,
    /// It may have returned already, under a condition that is not known.
    pub may_have_returned: bool,
    /// The line of the `exec` whose text runs here.
    pub in_text_at: Option<u32>,
    /// Line of the current statement.
    pub line: u32,
    /// The class in whose body the function stands, and the parameter that its object is given as: what `super()` asks.
    pub owner: Weak<Class>,
    pub receiver: Option<Name>,
    /// It is the body of a class, whose names its functions do not see.
    pub is_class_body: bool,
    /// Of a generator, what `yield` does.
    pub yields: Option<Yields>,
}

/// What becomes of what a generator yields.
pub(super) enum Yields {
    /// It is collected. `under` is how many unknown conditions stand around the generator; under more it is not known what is
    /// yielded.
    All { values: Vec<Value>, under: u32, unsure: bool },
    /// The block of a `with` runs.
    Block(Box<Block>),
}

/// The block of a `with`, and where it runs.
pub(super) struct Block {
    pub frame: Frame,
    pub target: Option<Expr>,
    pub body: Vec<Stmt>,
    /// What became of it.
    pub flow: Option<Flow>,
}

impl Yields {
    pub fn block(frame: Frame, target: Option<Expr>, body: Vec<Stmt>) -> Yields {
        Yields::Block(Box::new(Block { frame, target, body, flow: None }))
    }
}

/// What the handlers of a `try` catch.
#[derive(Clone)]
pub(super) struct Catches {
    pub classes: Vec<Name>,
    pub everything: bool,
}

impl Catches {
    pub fn any_of(&self, classes: &[&str]) -> bool {
        self.everything || self.classes.iter().any(|class| classes.contains(&class.as_str()))
    }

    /// Whether one of the handlers catches it.
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
            in_text_at: None,
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

    /// The current statement.
    pub fn place(&self) -> Place {
        Place { file: self.module.file.clone(), line: self.line }
    }

    /// Whether a `try` of this frame is ready for one of these exceptions: then the program means to
    /// try it out, and it is raised where otherwise nothing would be known.
    pub fn expects(&self, classes: &[&str]) -> bool {
        self.handlers.iter().any(|catches| catches.any_of(classes))
    }

    /// The text of the exception that is being handled, as traceback.format_exc ends.
    pub fn handled_sentence(&self) -> Option<String> {
        self.handling.as_ref()?.sentence()
    }

    /// Remembers failed loads whose exceptions were caught.
    pub fn has_caught(&mut self, failures: impl IntoIterator<Item = usize>) {
        for failure in failures {
            if !self.caught.contains(&failure) {
                self.caught.push(failure);
            }
        }
    }

    /// The value of a name in the scope that a statement binds it in.
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
