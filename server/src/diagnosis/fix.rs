//! A fix: what a person can do about a finding, what that changes, and what came of it when it was tried in the simulation.

use serde::{Deserialize, Serialize};

use crate::action::Action;
use crate::host::{Change, WinPath};

/// What can be done about a finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fix {
    /// For a menu: an imperative sentence without a full stop.
    pub title: String,
    /// What is to be done.
    pub action: Action,
    /// What that changes.
    pub effect: Effect,
    /// What it asks of the person.
    pub burden: Burden,
    /// What comes of it.
    pub outcome: Outcome,
    /// The one to take in doubt: the first one that cures.
    pub preferred: bool,
}

/// What a fix changes on the machine and in the program, as far as that is known before.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Effect {
    /// Files that come, change or go.
    pub files: Vec<(WinPath, Change)>,
    /// What the program does before the import.
    pub edit: Option<Edit>,
    /// The directories that come first on PATH then.
    pub path: Vec<WinPath>,
    /// The interpreter that runs the program then.
    pub interpreter: Option<WinPath>,
    /// What of it is not known, as a sentence without a full stop; then it cannot be tried.
    pub unknown: Option<String>,
}

/// A change of the program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Edit {
    /// These statements are inserted before the import.
    Insert(String),
    /// The import is made earlier: after this many bytes of the program, see [`Import::before`](super::Import::before).
    Move(usize),
}

/// What a fix asks of a person, the least first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Burden {
    /// Nothing but this environment or this document changes, and of other packages nothing.
    #[default]
    Small,
    /// Other packages change, or another environment is taken.
    Wide,
    /// The rights of an administrator.
    Administrator,
    /// A file of an installed package is changed by hand, until somebody installs that again.
    ByHand,
}

/// What comes of a fix in the simulation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// It was not tried yet.
    Untried,
    /// The cause is gone, and no import fails of another one, as far as the imports can be followed.
    Cures,
    /// The cause is gone, and the import goes on to fail of another one: how, as a sentence without a full stop.
    LeadsTo(String),
    /// The cause is still there.
    InVain,
    /// It cannot be tried: why, as a sentence without a full stop.
    Unknown(String),
}

impl Fix {
    /// A fix of which nobody knows what it changes.
    pub fn new(title: impl Into<String>, action: Action) -> Fix {
        let unknown =
            Effect { unknown: Some("what it changes is not known here".to_owned()), ..Effect::default() };
        Fix {
            title: title.into(),
            action,
            effect: unknown,
            burden: Burden::Small,
            outcome: Outcome::Untried,
            preferred: false,
        }
    }

    /// With what it changes.
    pub fn with_effect(self, effect: Effect) -> Fix {
        Fix { effect, ..self }
    }

    /// It cannot be tried for this reason, a sentence without a full stop.
    pub fn untestable(self, reason: impl Into<String>) -> Fix {
        Fix { effect: Effect { unknown: Some(reason.into()), ..Effect::default() }, ..self }
    }

    /// With what it asks of the person.
    pub fn with_burden(self, burden: Burden) -> Fix {
        Fix { burden, ..self }
    }

    /// What is to be said of it where it does not cure.
    pub fn remark(&self) -> Option<String> {
        match &self.outcome {
            Outcome::Unknown(why) => Some(format!("not tried: {why}")),
            Outcome::LeadsTo(what) => Some(format!("not enough: then {what}")),
            Outcome::Untried | Outcome::Cures | Outcome::InVain => None,
        }
    }

    /// Both, one after the other.
    pub(super) fn and(&self, other: &Fix) -> Fix {
        let steps = |fix: &Fix| match &fix.action {
            Action::Steps(steps) => steps.clone(),
            action => vec![(fix.title.clone(), action.clone())],
        };
        let mut title = self.title.clone();
        let mut second = other.title.chars();
        title.push_str(", then ");
        title.extend(second.next().into_iter().flat_map(char::to_lowercase));
        title.push_str(second.as_str());
        Fix {
            title,
            action: Action::Steps([steps(self), steps(other)].concat()),
            effect: self.effect.and(&other.effect),
            burden: self.burden.max(other.burden),
            outcome: Outcome::Untried,
            preferred: false,
        }
    }
}

impl Effect {
    /// Of files alone.
    pub fn of_files(files: impl IntoIterator<Item = (WinPath, Change)>) -> Effect {
        Effect { files: files.into_iter().collect(), ..Effect::default() }
    }

    /// Of statements before the import.
    pub fn of_statements(statements: impl Into<String>) -> Effect {
        Effect { edit: Some(Edit::Insert(statements.into())), ..Effect::default() }
    }

    fn and(&self, other: &Effect) -> Effect {
        let edit = match (&self.edit, &other.edit) {
            (Some(Edit::Insert(one)), Some(Edit::Insert(other))) => {
                Some(Edit::Insert(format!("{one}\n{other}")))
            }
            (one, other) => one.clone().or_else(|| other.clone()),
        };
        Effect {
            files: [self.files.as_slice(), other.files.as_slice()].concat(),
            edit,
            path: [self.path.as_slice(), other.path.as_slice()].concat(),
            interpreter: self.interpreter.clone().or_else(|| other.interpreter.clone()),
            unknown: self.unknown.clone().or_else(|| other.unknown.clone()),
        }
    }
}

impl Outcome {
    /// Its name in JSON.
    pub fn name(&self) -> &'static str {
        match self {
            Outcome::Cures => "cures",
            Outcome::LeadsTo(_) | Outcome::InVain => "fails",
            Outcome::Untried | Outcome::Unknown(_) => "unknown",
        }
    }

    /// What is to be said of it, as a sentence without a full stop.
    pub fn note(&self) -> Option<&str> {
        match self {
            Outcome::LeadsTo(what) => Some(what),
            Outcome::Unknown(why) => Some(why),
            Outcome::Untried | Outcome::Cures | Outcome::InVain => None,
        }
    }
}
