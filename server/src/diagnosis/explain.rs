//! Explains problems: asks the codes in turn, and creates one finding for each code.

use super::case::Case;
use super::codes::{EXPLAINERS, Explainer};
use super::finding::Finding;
use super::problem::Problem;
use super::severity::Severity;
use crate::plan::ImportFailure;

/// A code with the problems that it explains.
type Group = (&'static Explainer, Vec<Problem>);

impl Case<'_> {
    /// Groups the problems by the code that explains them, and creates one finding for each code.
    pub(super) fn explain(
        &self,
        problems: Vec<Problem>,
        severity: Severity,
        error: Option<&ImportFailure>,
    ) -> Vec<Finding> {
        let mut groups: Vec<Group> = Vec::new();
        for problem in problems {
            let mut codes = EXPLAINERS.iter();
            let Some(explainer) = codes.find(|it| (it.recognizes)(self, &problem)) else {
                continue;
            };
            match groups.iter_mut().find(|(known, _)| known.code == explainer.code) {
                Some((_, group)) if !group.iter().any(|known| known.culprit == problem.culprit) => {
                    group.push(problem);
                }
                Some(_) => {}
                None => groups.push((explainer, vec![problem])),
            }
        }
        self.remove_consequences(&mut groups);
        let finding = |(explainer, group): Group| {
            let mut finding = self.finding(explainer.code, &group, severity, error);
            (explainer.describe)(self, &group, &mut finding);
            finding
        };
        groups.into_iter().map(finding).collect()
    }

    /// Removes the problems that are consequences of those that another code explains.
    fn remove_consequences(&self, groups: &mut Vec<Group>) {
        for Explainer { code, causes, .. } in &EXPLAINERS {
            let Some(causes) = causes else { continue };
            let Some(at) = groups.iter().position(|(known, _)| known.code == *code) else { continue };
            let (explainer, group) = groups.remove(at);
            for (_, others) in groups.iter_mut() {
                others.retain(|other| !causes(self, &group, other));
            }
            groups.insert(at, (explainer, group));
            groups.retain(|(_, group)| !group.is_empty());
        }
    }
}
