use std::collections::BTreeMap;

use crate::check::Violations;

/// One person as somebody's roster shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PersonSeen {
    /// Display name.
    pub name: String,
    /// Rooms listened to, by number on the wire, ascending.
    pub rooms: Vec<u16>,
    /// Muted, deafened, muted by the server, reconnecting.
    pub flags: [bool; 4],
}

/// Every live client ends with the same roster as the server's tables, once all is quiet.
#[derive(Debug, Default)]
pub struct RosterChecker;

impl RosterChecker {
    /// Judges one client's roster, keyed by client id, against the server's.
    pub fn agree(
        &self,
        now: u64,
        person: u16,
        seen: &BTreeMap<u16, PersonSeen>,
        server: &BTreeMap<u16, PersonSeen>,
        violations: &mut Violations,
    ) {
        for (id, truth) in server {
            match seen.get(id) {
                None => violations.push("roster", now, format!("person {person} doesn't know of client {id}")),
                Some(found) if found != truth => {
                    violations.push(
                        "roster",
                        now,
                        format!("person {person} sees client {id} as {found:?}, not {truth:?}"),
                    );
                }
                Some(_) => {}
            }
        }
        for id in seen.keys().filter(|id| !server.contains_key(id)) {
            violations.push("roster", now, format!("person {person} still sees client {id}, who is gone"));
        }
    }
}
