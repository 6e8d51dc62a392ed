//! Steps of a rotation, pure: what is done next follows from what the file, Sinch and the service have, and from nothing
//! else. So a command that was killed goes on where it was.
//!
//! The order of the secrets in the file tells how far it has come: before the one that Sinch has stand those to be retired,
//! after it the new one, until Sinch has that.

#[cfg(test)]
mod tests;

use std::fmt;
use std::time::Duration;

use number_order::Time;

/// Secret of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// `true` if the service verifies callbacks by it.
    pub is_in_force: bool,
    /// `true` if an earlier run of the command made it. No other secret of the file is set at Sinch unasked.
    pub is_made_here: bool,
    /// Time of the first callback that it has verified, as far as is known.
    pub first_at: Option<Time>,
    /// Time of the last callback that it has verified.
    pub last_at: Option<Time>,
}

/// Secret that Sinch has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AtSinch {
    /// The one on this line of the file, counted from 0.
    Line(usize),
    /// One that the file has not, and can have.
    Elsewhere,
    /// None, or one that no line can hold.
    Unusable,
}

/// Secret that the operator has given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Given {
    /// None: one is made.
    Nothing,
    /// One that the file has not yet.
    New,
    /// The one on this line of the file, counted from 0.
    Line(usize),
}

/// What the file, Sinch and the service have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Standing {
    pub file: Vec<Line>,
    pub at_sinch: AtSinch,
    pub given: Given,
    /// Number of secrets by which the service verifies callbacks.
    pub in_force: usize,
    /// Time of the service's answer.
    pub now: Time,
}

/// Step of a rotation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The secret that Sinch has is added to the file.
    TakeOver,
    /// A new secret is added to the file.
    Add,
    /// The service reads the file.
    Reload,
    /// Sinch is given the secret on this line of the file.
    Change(usize),
    /// The command waits for callbacks.
    Watch(Watch),
    /// All secrets but Sinch's are taken out of the file.
    Retire,
}

/// What a rotation waits for before the old secrets are retired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Watch {
    /// No callback was verified by the new secret yet.
    Unseen,
    /// The old ones must have verified nothing for this much longer.
    Quiet(Duration),
}

impl Standing {
    /// Returns the line of a secret that stands after Sinch's, where a new one belongs, and was neither made here nor given.
    /// An operator may be about to set it at Sinch by hand.
    pub fn stranger(&self) -> Option<usize> {
        let AtSinch::Line(at_sinch) = self.at_sinch else {
            return None;
        };
        let after = self.file.iter().enumerate().skip(at_sinch + 1);
        let mut strange =
            after.filter(|(line, found)| !found.is_made_here && self.given != Given::Line(*line));
        strange.next().map(|(line, _)| line)
    }

    /// Returns the next step; `None`: the rotation is done. `has_begun`: a step was taken before this one.
    pub fn next(&self, has_begun: bool, quiet_for: Duration) -> Option<Step> {
        if self.at_sinch == AtSinch::Elsewhere {
            return Some(Step::TakeOver);
        }
        // Sinch never has a secret that is not in force, so this comes before any change there.
        if self.in_force != self.file.len() || self.file.iter().any(|line| !line.is_in_force) {
            return Some(Step::Reload);
        }
        match (self.target(), self.at_sinch) {
            (Target::Add, _) => return Some(Step::Add),
            (Target::Line(new), at_sinch) if at_sinch != AtSinch::Line(new) => {
                return Some(Step::Change(new));
            }
            (Target::Line(_) | Target::None, _) => {}
        }
        match self.at_sinch {
            AtSinch::Line(new) if self.file.len() > 1 => {
                let watch = self.watch(new, quiet_for);
                Some(watch.map_or(Step::Retire, Step::Watch))
            }
            AtSinch::Line(_) if has_begun || self.given != Given::Nothing => None,
            AtSinch::Line(_) | AtSinch::Elsewhere | AtSinch::Unusable => Some(Step::Add),
        }
    }

    /// Returns the secret that Sinch is to have.
    fn target(&self) -> Target {
        match self.given {
            Given::New => return Target::Add,
            Given::Line(line) => return Target::Line(line),
            Given::Nothing => {}
        }
        let after = match self.at_sinch {
            AtSinch::Line(line) => line + 1,
            AtSinch::Elsewhere | AtSinch::Unusable => 0,
        };
        let mut lines = self.file.iter().enumerate().skip(after);
        let prepared = lines.rfind(|(_, line)| line.is_made_here);
        prepared.map_or(Target::None, |(line, _)| Target::Line(line))
    }

    /// Returns what is still waited for; `None`: nothing.
    fn watch(&self, new: usize, quiet_for: Duration) -> Option<Watch> {
        let Some(seen_at) = self.file.get(new).and_then(|line| line.first_at) else {
            return Some(Watch::Unseen);
        };
        let old = self.file.iter().enumerate();
        let old = old.filter(|(line, _)| *line != new);
        let used_at = old.filter_map(|(_, line)| line.last_at).max();
        let quiet_since = used_at.map_or(seen_at, |at| at.max(seen_at));
        let left = quiet_for.saturating_sub(self.now.since(quiet_since));
        (!left.is_zero()).then_some(Watch::Quiet(left))
    }

    /// Returns the steps that lead from here to the end, if all goes well.
    pub fn plan(&self, quiet_for: Duration) -> Vec<Step> {
        let (mut standing, mut steps) = (self.clone(), Vec::new());
        while let Some(step) = standing.next(!steps.is_empty(), quiet_for) {
            steps.push(step);
            standing = standing.after(step, quiet_for);
        }
        steps
    }

    /// Returns how all stands after a step that went well.
    fn after(mut self, step: Step, quiet_for: Duration) -> Standing {
        let added = Line {
            is_in_force: false,
            is_made_here: self.given == Given::Nothing,
            first_at: None,
            last_at: None,
        };
        match step {
            Step::TakeOver => {
                self.at_sinch = AtSinch::Line(self.file.len());
                self.file.push(Line {
                    is_made_here: false,
                    ..added
                });
            }
            Step::Add => {
                if self.given == Given::New {
                    self.given = Given::Line(self.file.len());
                }
                self.file.push(added);
            }
            Step::Reload => {
                self.in_force = self.file.len();
                for line in &mut self.file {
                    line.is_in_force = true;
                }
            }
            Step::Change(line) => self.at_sinch = AtSinch::Line(line),
            Step::Watch(_) => {
                if let AtSinch::Line(new) = self.at_sinch
                    && let Some(line) = self.file.get_mut(new)
                {
                    line.first_at.get_or_insert(self.now);
                }
                self.now = self.now.plus(quiet_for);
            }
            Step::Retire => {
                if let AtSinch::Line(new) = self.at_sinch {
                    self.file = vec![self.file.swap_remove(new)];
                    self.at_sinch = AtSinch::Line(0);
                    self.given = match self.given {
                        Given::Line(_) => Given::Line(0),
                        given => given,
                    };
                }
            }
        }
        self
    }
}

/// Secret that Sinch is to have.
enum Target {
    /// One that is to be added to the file.
    Add,
    /// The one on this line of the file.
    Line(usize),
    /// None is prepared.
    None,
}

/// The step in words, as a plan has it.
impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::TakeOver => f.write_str("take the secret that Sinch has over into the file"),
            Step::Add => f.write_str("add a new secret to the file, beside the old"),
            Step::Reload => f.write_str("have the service read the file"),
            Step::Change(line) => {
                write!(f, "give Sinch the secret on line {} of the file", line + 1)
            }
            Step::Watch(_) => f.write_str(
                "wait until callbacks are verified by the secret that Sinch has, and by no other for a while",
            ),
            Step::Retire => f.write_str("take all secrets but that one out of the file"),
        }
    }
}
