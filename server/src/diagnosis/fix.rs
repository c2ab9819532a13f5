//! A fix: what the user can do about a finding, what it changes, and how it turned out in the
//! simulation.

use serde::{Deserialize, Serialize};

use crate::action::Action;
use crate::host::{Change, WinPath};

/// Something that the user can do about a finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fix {
    /// An imperative sentence without a full stop, for menus.
    pub title: String,
    /// The action to carry out.
    pub action: Action,
    /// The changes that the action makes.
    pub effect: FixEffect,
    /// What it demands of the user.
    pub burden: Burden,
    /// The result of the simulation.
    pub outcome: FixOutcome,
    /// Whether this is the recommended fix: the first one that cures.
    pub preferred: bool,
}

/// The changes that a fix makes to the machine and the program, as far as they are known in
/// advance.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FixEffect {
    /// Files that are created, changed, or deleted.
    pub files: Vec<(WinPath, Change)>,
    /// The change to the program.
    pub edit: Option<Edit>,
    /// Directories that are prepended to PATH.
    pub path: Vec<WinPath>,
    /// The interpreter that runs the program afterwards.
    pub interpreter: Option<WinPath>,
    /// Why the effect isn't known, as a sentence without a full stop. A fix with an unknown effect
    /// can't be simulated.
    pub unknown: Option<String>,
}

/// A change to the program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Edit {
    /// Inserts these statements before the import.
    Insert(String),
    /// Moves the import up, to the import point with this identity
    /// ([`ImportPoint::identity`](crate::source::ImportPoint::identity)).
    Move(u128),
}

/// What a fix demands of the user, from least to most.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Burden {
    /// Only this environment or this document changes, and no other package.
    #[default]
    Small,
    /// Other packages change, or another environment is used.
    Wide,
    /// Requires administrator rights.
    Administrator,
    /// A file of an installed package is changed by hand. Reinstalling the package undoes the
    /// change.
    ByHand,
}

/// The result of a simulated fix.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum FixOutcome {
    /// The fix hasn't been simulated yet.
    Untried,
    /// The cause is gone and no import fails because of another one, as far as the imports can be
    /// followed.
    Cures,
    /// The cause is gone, but the import then fails because of another one, described by a sentence
    /// without a full stop.
    LeadsTo(String),
    /// The cause remains.
    NoEffect,
    /// The fix can't be simulated; why, as a sentence without a full stop.
    Unknown(String),
}

impl Fix {
    /// Creates a fix whose effect is unknown.
    pub fn new(title: impl Into<String>, action: Action) -> Fix {
        let unknown = FixEffect { unknown: Some("its effect is unknown".to_owned()), ..FixEffect::default() };
        Fix {
            title: title.into(),
            action,
            effect: unknown,
            burden: Burden::Small,
            outcome: FixOutcome::Untried,
            preferred: false,
        }
    }

    /// Sets the effect.
    pub fn with_effect(self, effect: FixEffect) -> Fix {
        Fix { effect, ..self }
    }

    /// Marks the fix as one that can't be simulated, and why: a sentence without a full stop.
    pub fn untestable(self, reason: impl Into<String>) -> Fix {
        Fix { effect: FixEffect { unknown: Some(reason.into()), ..FixEffect::default() }, ..self }
    }

    /// Sets what the fix demands of the user.
    pub fn with_burden(self, burden: Burden) -> Fix {
        Fix { burden, ..self }
    }

    /// Returns a remark for a fix that isn't known to cure.
    pub fn remark(&self) -> Option<String> {
        match &self.outcome {
            FixOutcome::Unknown(why) => Some(format!("not tried: {why}")),
            FixOutcome::LeadsTo(what) => Some(format!("not enough: then {what}")),
            FixOutcome::Untried | FixOutcome::Cures | FixOutcome::NoEffect => None,
        }
    }

    /// Combines two fixes, this one first.
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
            outcome: FixOutcome::Untried,
            preferred: false,
        }
    }
}

impl FixEffect {
    /// Creates an effect that consists of file changes.
    pub fn of_files(files: impl IntoIterator<Item = (WinPath, Change)>) -> FixEffect {
        FixEffect { files: files.into_iter().collect(), ..FixEffect::default() }
    }

    /// Creates an effect that inserts statements before the import.
    pub fn of_statements(statements: impl Into<String>) -> FixEffect {
        FixEffect { edit: Some(Edit::Insert(statements.into())), ..FixEffect::default() }
    }

    fn and(&self, other: &FixEffect) -> FixEffect {
        let edit = match (&self.edit, &other.edit) {
            (Some(Edit::Insert(one)), Some(Edit::Insert(other))) => {
                Some(Edit::Insert(format!("{one}\n{other}")))
            }
            (one, other) => one.clone().or_else(|| other.clone()),
        };
        FixEffect {
            files: [self.files.as_slice(), other.files.as_slice()].concat(),
            edit,
            path: [self.path.as_slice(), other.path.as_slice()].concat(),
            interpreter: self.interpreter.clone().or_else(|| other.interpreter.clone()),
            unknown: self.unknown.clone().or_else(|| other.unknown.clone()),
        }
    }
}

impl FixOutcome {
    /// Returns the name in JSON.
    pub fn name(&self) -> &'static str {
        match self {
            FixOutcome::Cures => "cures",
            FixOutcome::LeadsTo(_) | FixOutcome::NoEffect => "fails",
            FixOutcome::Untried | FixOutcome::Unknown(_) => "unknown",
        }
    }

    /// Returns an explanation of the outcome, as a sentence without a full stop.
    pub fn note(&self) -> Option<&str> {
        match self {
            FixOutcome::LeadsTo(what) => Some(what),
            FixOutcome::Unknown(why) => Some(why),
            FixOutcome::Untried | FixOutcome::Cures | FixOutcome::NoEffect => None,
        }
    }
}
