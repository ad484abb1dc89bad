//! Every checker against a core or a tampering node that breaks its rule, and against the same script without.

mod audience;
mod judge;
mod limits;
mod node;
mod order;
mod recovery;
mod roster;
mod table;

use adapter_sim::check::{Violation, Violations};
use judge::Judge;
use node::{Honest, Node};
use table::Table;

/// Three come, and all use one room.
const BEGIN: &str = "
    0 connect 0
    0 connect 1
    0 connect 2
    0 use-room 0 0 both
    0 use-room 1 0 both
    0 use-room 2 0 both
";

fn play(script: &str, node: &mut dyn Node) -> Judge {
    let mut table = Table::new(node);
    table.play(&format!("{BEGIN}{script}"));
    table.judge
}

/// Plays a script honestly, which has to break no rule, and then with the node: what that broke.
fn broken(script: &str, node: &mut dyn Node) -> Vec<Violation> {
    let honest = play(script, &mut Honest);
    assert_eq!(honest.violations.list(), []);
    assert!(honest.heard + honest.texts > 0, "nothing happened");
    play(script, node).violations.list().to_vec()
}

/// Fails unless `checker` alone complained of the node, and one complaint contains `words`.
#[track_caller]
fn assert_caught(script: &str, node: &mut dyn Node, checker: &str, words: &str) {
    let broken = broken(script, node);
    assert!(broken.iter().all(|violation| violation.checker == checker), "{broken:#?}");
    assert!(broken.iter().any(|violation| violation.what.contains(words)), "no '{words}' in {broken:#?}");
}

#[test]
fn violations_beyond_those_kept_in_words_are_counted() {
    let mut violations = Violations::default();
    (0..60).for_each(|at| violations.push("audience", at, String::new()));
    assert_eq!((violations.list().len(), violations.count()), (Violations::MOST, 60));
}
