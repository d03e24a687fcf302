//! What surrounds every page of a person: who it is about, and the way to the others.

use super::own::Own;
use crate::person::Person;

/// Family members that are offered.
const MOST_MEMBERS: usize = 12;

/// Somebody whose record may be turned to.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) address: String,
    pub(super) name: String,
    pub(super) is_here: bool,
}

/// A part of the pages.
#[derive(Debug)]
pub(super) struct Tab {
    pub(super) address: String,
    pub(super) key: &'static str,
    pub(super) name: String,
    pub(super) is_here: bool,
}

/// The surroundings.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) person: Person,
    pub(super) home: String,
    /// Only where there are several.
    pub(super) family: Vec<Member>,
    pub(super) tabs: Vec<Tab>,
    /// What was done just now.
    pub(super) said: Option<String>,
}

/// What an address may say was done, and the words for it.
const SAID: &[(&str, &str)] = &[
    ("saved", "me-said-saved"),
    ("removed", "me-said-removed"),
    ("shared", "me-said-shared"),
    ("unshared", "me-said-unshared"),
    ("done", "me-said-done"),
];

impl Frame {
    /// The surroundings of a page in a part.
    pub(super) fn of(own: &Own, here: &str) -> Frame {
        let words = own.words;
        let tab = |key: &'static str, name: String, rest: &str| Tab {
            address: own.at(rest),
            key,
            name,
            is_here: key == here,
        };
        let said = own.visit.value("said");
        let said = said.and_then(|code| SAID.iter().find(|(known, _)| *known == code));
        Frame {
            person: Person::read(own.patient.root(), own.on, &own.zone, words),
            home: own.at(""),
            family: family(own),
            tabs: vec![
                tab("home", words.say("me-tab-home"), ""),
                tab("timeline", words.say("me-tab-timeline"), "/timeline"),
                tab("add", words.say("me-tab-add"), "/add"),
                tab("medicines", words.say("me-tab-medicines"), "/medicines"),
                tab("more", words.say("me-tab-more"), "/more"),
            ],
            said: said.map(|(_, key)| words.say(key)),
        }
    }
}

/// The person's own record and those of whom they act for, if these are more than one.
fn family(own: &Own) -> Vec<Member> {
    let Some(subject) = own.visit.subject() else { return Vec::new() };
    let ids: Vec<&String> = subject.patient.iter().chain(&subject.proxied).take(MOST_MEMBERS).collect();
    if ids.len() < 2 {
        return Vec::new();
    }
    let rest = own.visit.path.strip_prefix(&own.at("")).unwrap_or_default();
    let rest = if rest.starts_with("/entry/") { "" } else { rest };
    let member = |id: &&String| Member {
        address: format!("/me/{id}{rest}"),
        name: own.name_of(&format!("Patient/{id}")).unwrap_or_else(|| own.words.say("name-missing")),
        is_here: **id == own.id,
    };
    ids.iter().map(member).collect()
}
