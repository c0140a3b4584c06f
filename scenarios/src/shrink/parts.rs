//! What a scenario is made of, as lists from which something can be left out.

use crate::scn::{
    Action, Anchor, Block, Job, JobOption, Message, Nth, OnFile, Scenario, Sent, Step, When, World, WorldItem,
};

/// A line of a block, and when it happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The moment of its block.
    pub anchor: Anchor,
    /// What is done.
    pub action: Action,
}

/// All lines that do something, in order.
pub fn lines(scenario: &Scenario) -> Vec<Line> {
    let of_block = |block: &Block| {
        let actions =
            block.steps.iter().filter_map(|step| if let Step::Do(action) = step { Some(action) } else { None });
        actions.map(|action| Line { anchor: block.anchor.clone(), action: action.clone() }).collect::<Vec<_>>()
    };
    scenario.blocks.iter().flat_map(of_block).collect()
}

/// The scenario with these lines and no others: those that follow each other and have one moment are one block.
pub fn with_lines(scenario: &Scenario, lines: &[Line]) -> Scenario {
    let mut blocks: Vec<Block> = Vec::new();
    for Line { anchor, action } in lines {
        let step = Step::Do(action.clone());
        match blocks.last_mut().filter(|block| block.anchor == *anchor) {
            Some(block) => block.steps.push(step),
            None => blocks.push(Block { anchor: anchor.clone(), steps: vec![step] }),
        }
    }
    Scenario { blocks, ..scenario.clone() }
}

/// The scenario with these jobs and no others.
pub fn with_jobs(scenario: &Scenario, jobs: &[Job]) -> Scenario {
    let mut jobs = jobs.to_vec();
    let names: Vec<String> = jobs.iter().map(|job| job.name.to_string()).collect();
    for job in &mut jobs {
        // None waits for one that is not there.
        job.options.iter_mut().for_each(|option| {
            if let JobOption::After { jobs } = option {
                jobs.retain(|job| names.iter().any(|name| name == job.0.as_str()));
            }
        });
        job.options.retain(|option| !matches!(option, JobOption::After { jobs } if jobs.is_empty()));
    }
    Scenario { jobs, ..scenario.clone() }
}

/// What is said of the world and can be left unsaid.
pub fn choices(scenario: &Scenario) -> Vec<WorldItem> {
    scenario.world.items.iter().filter(|item| !is_needed(item)).cloned().collect()
}

/// The scenario with these choices and no others.
pub fn with_choices(scenario: &Scenario, choices: &[WorldItem]) -> Scenario {
    let keeps = |item: &&WorldItem| is_needed(item) || choices.contains(item);
    let items = scenario.world.items.iter().filter(keeps).cloned().collect();
    Scenario { world: World { items }, ..scenario.clone() }
}

/// Whether there is no world without it.
fn is_needed(item: &WorldItem) -> bool {
    matches!(
        item,
        WorldItem::Store {}
            | WorldItem::Program {}
            | WorldItem::Workers { .. }
            | WorldItem::Clients { .. }
            | WorldItem::Improvised { .. }
    )
}

/// What is said of each job, by its place.
pub fn options(scenario: &Scenario) -> Vec<(usize, JobOption)> {
    let jobs = scenario.jobs.iter().enumerate();
    jobs.flat_map(|(place, job)| job.options.iter().map(move |option| (place, option.clone()))).collect()
}

/// The scenario with these options of jobs and no others.
pub fn with_options(scenario: &Scenario, options: &[(usize, JobOption)]) -> Scenario {
    let mut scenario = scenario.clone();
    for (place, job) in scenario.jobs.iter_mut().enumerate() {
        job.options.retain(|option| options.iter().any(|(of, kept)| *of == place && kept == option));
    }
    scenario
}

/// Which of several a line waits for.
pub fn nth_of(action: &mut Action) -> Option<&mut Nth> {
    match action {
        Action::Pause { at: Some(at), .. }
        | Action::PowerLoss { at: Some(at), .. }
        | Action::Crash { at: Some(at), .. } => {
            let (When::At { nth, .. } | When::Moment { nth, .. }) = at;
            Some(nth)
        }
        Action::SyncError { on: Some(OnFile::On { nth, .. }), .. }
        | Action::WriteError { on: Some(OnFile::On { nth, .. }) } => Some(nth),
        Action::Lose { message: Message::Request { nth, .. } | Message::Answer { nth, .. } } => Some(nth),
        Action::Duplicate { message: Sent::Next { nth, .. } }
        | Action::Late { message: Sent::Next { nth, .. }, .. }
        | Action::Replay { message: Sent::Next { nth, .. }, .. } => Some(nth),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replay::scenario_of;
    use crate::scn::{Invariant, Name, parse};
    use crate::workload::{Plan, Workload};
    use outlive_sim::Seed;

    #[test]
    fn what_was_taken_apart_is_put_together_again() {
        for seed in 0..50 {
            let plan = Plan::of_seed(Seed(seed), Workload::Both);
            let name = Name::new("whole").unwrap();
            let scenario = scenario_of(&plan, Seed(seed), 0, name, Invariant::all().take(1).collect());
            assert_eq!(with_lines(&scenario, &lines(&scenario)), scenario);
            assert_eq!(with_jobs(&scenario, &scenario.jobs), scenario);
            assert_eq!(with_choices(&scenario, &choices(&scenario)), scenario);
            assert_eq!(with_options(&scenario, &options(&scenario)), scenario);
            let least = with_options(&with_choices(&with_lines(&scenario, &[]), &[]), &[]);
            assert_eq!(parse(&least.to_string()), Ok(least));
        }
    }
}
