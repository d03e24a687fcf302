//! What scopes mean, in the reader's words.

use auth::scope::{Level, Permissions, ResourceScope, Scope, Scopes};
use fhir::r4;
use fluent_bundle::FluentValue;
use percent_encoding::percent_decode_str;

use crate::words::Words;

/// One thing an app asks for.
pub(crate) struct Line {
    /// The scope.
    pub(crate) scope: String,
    /// What it means.
    pub(crate) text: String,
    /// What narrows it.
    pub(crate) only: Option<String>,
    /// Whether something may be written.
    pub(crate) is_writing: bool,
}

/// Each scope in words; those that only say how an app is started need none.
pub(crate) fn lines(words: Words, scopes: &Scopes) -> Vec<Line> {
    scopes.iter().filter_map(|scope| line(words, scope)).collect()
}

fn line(words: Words, scope: &Scope) -> Option<Line> {
    let said =
        |key: &str| Line { scope: scope.to_string(), text: words.say(key), only: None, is_writing: false };
    match scope {
        Scope::Launch | Scope::LaunchPatient | Scope::LaunchEncounter => None,
        Scope::Openid => Some(said("scope-openid")),
        Scope::FhirUser => Some(said("scope-fhir-user")),
        Scope::Profile => Some(said("scope-profile")),
        Scope::OfflineAccess => Some(said("scope-offline-access")),
        Scope::OnlineAccess => Some(said("scope-online-access")),
        Scope::Resource(resource) => Some(Line { scope: scope.to_string(), ..of_resource(words, resource) }),
    }
}

fn of_resource(words: Words, scope: &ResourceScope) -> Line {
    let may = |one: Permissions| !scope.permissions.and(one).is_empty();
    let deeds = [
        (may(Permissions::READ.or(Permissions::SEARCH)), "deed-see"),
        (may(Permissions::CREATE), "deed-add"),
        (may(Permissions::UPDATE), "deed-change"),
        (may(Permissions::DELETE), "deed-delete"),
    ];
    let deeds: Vec<String> = deeds.iter().filter(|(is, _)| *is).map(|(_, key)| words.say(key)).collect();
    let what = match scope.resource_type {
        None => words.say("resources-all"),
        Some(id) => {
            let name = r4().type_name(id);
            words.say_code("resource", name).unwrap_or_else(|| name.to_owned())
        }
    };
    let whose = match scope.level {
        Level::Patient => "whose-patient",
        Level::User => "whose-user",
        Level::System => "whose-system",
    };
    let text = words.say_with(
        "scope-resource",
        &[
            ("deeds", FluentValue::from(deeds.join(&words.say("deeds-between")))),
            ("what", FluentValue::from(what)),
            ("whose", FluentValue::from(words.say(whose))),
        ],
    );
    let pairs: Vec<String> =
        scope.search.iter().map(|pair| percent_decode_str(pair).decode_utf8_lossy().into_owned()).collect();
    let writing = Permissions::CREATE.or(Permissions::UPDATE).or(Permissions::DELETE);
    Line {
        scope: String::new(),
        text,
        only: (!pairs.is_empty()).then(|| pairs.join(", ")),
        is_writing: may(writing),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::Language;

    fn said(language: Language, scope: &str) -> Vec<String> {
        let words = Words { language };
        lines(words, &Scopes::parse(scope).unwrap()).into_iter().map(|line| line.text).collect()
    }

    #[test]
    fn a_scope_is_said_in_plain_words() {
        let scopes = "launch/patient patient/Observation.rs user/*.cruds";
        assert_eq!(
            said(Language::English, scopes),
            [
                "See test results and measurements in the record of the patient",
                "See, add, change, delete everything in all records you may see"
            ]
        );
        assert_eq!(
            said(Language::Japanese, scopes),
            [
                "対象の方の記録にある検査結果・測定値を 見る",
                "あなたが見られるすべての記録にあるすべての情報を 見る・追加する・変更する・削除する"
            ]
        );
    }
}
