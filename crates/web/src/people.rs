//! `/people`: finding someone by name (kanji, kana, letters) or birth date, in one box.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use hub::{Access, Hub};
use search::query::literal;

use crate::audit::audited;
use crate::birth_date;
use crate::calendar::today;
use crate::concept::is_ideograph;
use crate::failure::Failure;
use crate::person::Person;
use crate::record::{Found, Record};
use crate::shell::{Shell, respond};
use crate::visit::{Visit, address};

/// People on a page.
const ON_A_PAGE: usize = 30;
/// Words taken from the box.
const MOST_WORDS: usize = 8;
/// Characters taken from the box.
const MOST_CHARACTERS: usize = 120;

/// What is looked for: parameters of a search for patients.
#[derive(Clone, Debug, PartialEq)]
struct Sought {
    pairs: Vec<(&'static str, String)>,
}

/// Reads the box: the whole as a birth date, else each word as a birth date or a part of a name. All of them hold.
fn read(text: &str) -> Sought {
    if let Some(date) = birth_date::read(text) {
        return Sought { pairs: vec![("birthdate", date)] };
    }
    let pair = |word: &str| match birth_date::read(word) {
        Some(date) => ("birthdate", date),
        None => ("name", literal(word)),
    };
    Sought { pairs: text.split_whitespace().take(MOST_WORDS).map(pair).collect() }
}

/// Where a full name in kanji may be divided, likeliest first: 山田花子 → 山田 花子.
fn divisions(text: &str) -> Vec<String> {
    let characters: Vec<char> = text.trim().chars().collect();
    let is_name = (2..=8).contains(&characters.len()) && is_ideograph(characters[0]);
    if !is_name || characters.iter().any(|c| c.is_whitespace() || c.is_ascii()) {
        return Vec::new();
    }
    let places = [2, 1, 3, 4].into_iter().filter(|at| *at < characters.len());
    places.map(|at| [&characters[..at], &[' '], &characters[at..]].concat().into_iter().collect()).collect()
}

fn search(record: &Record, text: &str, cursor: Option<&str>, most: usize) -> Result<Found, Failure> {
    let sought = read(text);
    let mut pairs: Vec<(&str, &str)> = sought.pairs.iter().map(|(n, v)| (*n, v.as_str())).collect();
    pairs.extend(cursor.map(|c| ("_cursor", c)));
    record.search("Patient", &pairs, most)
}

/// The first who are meant by a text: as it is written, else as a name that wants dividing.
pub(crate) fn found(record: &Record, text: &str, most: usize) -> Result<Found, Failure> {
    let found = search(record, text, None, most)?;
    if found.resources.is_empty() {
        for divided in divisions(text) {
            let again = search(record, &divided, None, most)?;
            if !again.resources.is_empty() {
                return Ok(again);
            }
        }
    }
    Ok(found)
}

#[derive(Template)]
#[template(path = "people.html")]
struct PeoplePage {
    shell: Shell,
    sought: String,
    /// How many were found, in words.
    count: String,
    people: Vec<Person>,
    is_first: bool,
    first: String,
    next: Option<String>,
}

fn page(hub: Hub, access: Access, visit: &Visit) -> Result<PeoplePage, Failure> {
    let words = visit.words;
    let mut sought: String = visit.value("q").unwrap_or_default().chars().take(MOST_CHARACTERS).collect();
    let cursor = visit.value("cursor");
    let record = Record::of(hub, access, None);
    let mut found = search(&record, &sought, cursor, ON_A_PAGE)?;
    if found.resources.is_empty() && cursor.is_none() {
        for divided in divisions(&sought) {
            let again = search(&record, &divided, None, ON_A_PAGE)?;
            if !again.resources.is_empty() {
                (sought, found) = (divided, again);
                break;
            }
        }
    }
    let zone = record.hub.zone();
    let on = today(zone);
    let people: Vec<Person> =
        found.resources.iter().map(|p| Person::read(p.root(), on, zone, words)).collect();
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let next = found.next.map(|next| address("/people", &[pair("q", &sought), pair("cursor", &next)]));
    let count = match found.total {
        Some(total) => words.say_count("people-found", usize::try_from(total).unwrap_or(usize::MAX)),
        None if next.is_some() && cursor.is_none() => words.say_count("people-found-more", people.len()),
        None => String::new(),
    };
    let first = address("/people", &[pair("q", &sought)]);
    Ok(PeoplePage { shell: Shell::of(visit), sought, count, people, is_first: cursor.is_none(), first, next })
}

/// Answers with the page.
pub(crate) async fn people(State(hub): State<Hub>, visit: Visit) -> Response {
    let asked = visit.clone();
    match audited(hub, &visit, "Patient".to_owned(), move |hub, access| page(hub, access, &asked)).await {
        Ok(page) => respond(&visit, StatusCode::OK, &page),
        Err(failure) => failure.page(&visit),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(text: &str) -> Vec<(&'static str, String)> {
        read(text).pairs
    }

    #[test]
    fn every_word_holds_and_dates_are_birth_dates() {
        assert_eq!(pairs("昭和50年 4月 2日"), [("birthdate", "1975-04-02".to_owned())]);
        assert_eq!(pairs("山田　花子"), [("name", "山田".to_owned()), ("name", "花子".to_owned())]);
        assert_eq!(
            pairs("やまだ S50.4.2"),
            [("name", "やまだ".to_owned()), ("birthdate", "1975-04-02".to_owned())]
        );
        assert_eq!(pairs("a,b|c$d\\e"), [("name", "a\\,b\\|c\\$d\\\\e".to_owned())]);
        assert!(pairs(" \u{3000} ").is_empty());
        assert_eq!(pairs(&"x ".repeat(50)).len(), MOST_WORDS);
    }

    #[test]
    fn a_name_without_a_space_is_divided() {
        assert_eq!(divisions("山田花子"), ["山田 花子", "山 田花子", "山田花 子"]);
        assert!(divisions("山").is_empty() && divisions("Yamada").is_empty() && divisions("").is_empty());
        assert!(divisions("山田 花子").is_empty());
    }
}
