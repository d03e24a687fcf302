//! `/hub/releases`: publishing figures, which everyone reads then (`/figures`). First it is seen what would be published and what
//! is left out; what is published is what was seen, of the same moment.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use fhir::DateTime;
use figures::{Draft, Indicator, Period, text_in};
use fluent_bundle::FluentValue;

use super::indicators::COUNTING;
use super::{Place, places, refused, runs_the_hub};
use crate::calendar::{Day, today, written_moment};
use crate::failure::{Failure, away};
use crate::form::Form;
use crate::published::{Item, items};
use crate::shell::{Shell, respond};
use crate::site::Site;
use crate::visit::Visit;
use crate::words::Words;

/// An indicator and what becomes of it.
struct Line {
    title: String,
    said: String,
}

/// What would be published.
struct Preview {
    instant: String,
    moment: String,
    shown: Vec<Line>,
    left_out: Vec<Line>,
}

#[derive(Template)]
#[template(path = "operator/releases.html")]
struct ReleasesPage {
    shell: Shell,
    places: Vec<Place>,
    from: String,
    to: String,
    latest: String,
    title: String,
    preview: Option<Preview>,
    items: Vec<Item>,
    done: String,
    fault: String,
}

/// What is looked at: a period, and the moment of what was seen already.
#[derive(Clone, Debug, Default)]
struct Wanted {
    from: String,
    to: String,
    instant: String,
    title: String,
}

fn draft(site: &Site, visit: &Visit, wanted: &Wanted) -> Result<Draft, Failure> {
    let period = Period::read(&wanted.from, &wanted.to).map_err(|e| refused(e.to_string()))?;
    let as_of = match wanted.instant.as_str() {
        "" => None,
        text => {
            let moment = DateTime::parse(text).ok_or_else(|| refused("instant"))?;
            Some(moment.interval(site.hub.zone()).1 - 1)
        }
    };
    Ok(site.figures.draft(&visit.access(), period, as_of)?)
}

fn title_of(all: &[std::sync::Arc<Indicator>], measure: &str, words: Words) -> String {
    let found = all.iter().find(|i| measure.split('|').next() == Some(i.measure.url.as_str()));
    let title = found.map(|i| text_in(&i.measure.json, "title", words.language.tag()).to_owned());
    title.unwrap_or_else(|| measure.to_owned())
}

fn preview(site: &Site, visit: &Visit, draft: &Draft) -> Result<Preview, Failure> {
    let (words, all) = (visit.words, site.figures.indicators()?);
    let zone = site.hub.zone();
    let shown = draft.reports.iter().map(|report| {
        let figure = super::Figure::read(&report["group"][0], String::new(), "");
        let score = if figure.is_masked { words.say("hub-masked") } else { figure.score };
        let said = match (figure.numerator.as_str(), score.is_empty()) {
            (_, true) => figure.denominator,
            ("—", _) => format!("{score} ({})", figure.denominator),
            (numerator, _) => format!("{score} ({numerator} / {})", figure.denominator),
        };
        Line { title: title_of(all, report["measure"].as_str().unwrap_or_default(), words), said }
    });
    let left_out = draft.left_out.iter().map(|l| Line {
        title: title_of(all, &l.measure, words),
        said: match &l.by {
            Some(by) => {
                let by = words.say_code("hub-by", by).unwrap_or_else(|| by.clone());
                format!("{by}: {}", words.say("figures-part-near"))
            }
            None => words.say_code("figures-why", l.why.code()).unwrap_or_default(),
        },
    });
    Ok(Preview {
        instant: draft.data_instant.clone(),
        moment: DateTime::parse(&draft.data_instant)
            .map(|moment| written_moment(moment.interval(zone).0, zone, words))
            .unwrap_or_default(),
        shown: shown.collect(),
        left_out: left_out.collect(),
    })
}

fn draw(site: &Site, visit: &Visit, wanted: Wanted, said: (String, String)) -> Result<ReleasesPage, Failure> {
    let present: Day = today(site.hub.zone());
    let is_asked = !wanted.from.is_empty() || !wanted.to.is_empty();
    let year = present.year - 1;
    let preview = match is_asked {
        true => Some(preview(site, visit, &draft(site, visit, &wanted)?)?),
        false => None,
    };
    let or = |text: String, other: String| if text.is_empty() { other } else { text };
    Ok(ReleasesPage {
        shell: Shell::of(visit),
        places: places(visit),
        from: or(wanted.from, format!("{year:04}-01-01")),
        to: or(wanted.to, format!("{year:04}-12-31")),
        latest: present.iso(),
        title: or(wanted.title, year.to_string()),
        preview,
        items: items(site, visit, &site.figures.releases()?, None),
        done: said.0,
        fault: said.1,
    })
}

async fn answer(
    site: Site,
    visit: Visit,
    wanted: Wanted,
    said: (String, String),
    status: StatusCode,
) -> Response {
    let asked = visit.clone();
    let turn = COUNTING.acquire().await;
    let drawn = away(move || draw(&site, &asked, wanted, said)).await;
    drop(turn);
    match drawn {
        Ok(page) => respond(&visit, status, &page),
        Err(failure) => failure.page(&visit),
    }
}

/// The releases, and what a new one would be.
pub(super) async fn page(State(site): State<Site>, visit: Visit) -> Response {
    if !runs_the_hub(&visit) {
        return Failure::NotFor.page(&visit);
    }
    let value = |name: &str| visit.value(name).unwrap_or_default().to_owned();
    let wanted = Wanted { from: value("from"), to: value("to"), ..Wanted::default() };
    answer(site, visit, wanted, Default::default(), StatusCode::OK).await
}

/// What came of something that was done, on the page.
async fn told(site: Site, visit: Visit, wanted: Wanted, done: Result<String, Failure>) -> Response {
    match done {
        Ok(done) => answer(site, visit, Wanted::default(), (done, String::new()), StatusCode::OK).await,
        Err(Failure::Hub(failure)) if failure.kind == hub::Kind::Invalid => {
            let why = failure.issues.iter().map(|issue| issue.diagnostics.clone()).collect::<Vec<_>>();
            let said = (String::new(), why.join("; "));
            answer(site, visit, wanted, said, StatusCode::BAD_REQUEST).await
        }
        Err(failure) => failure.page(&visit),
    }
}

/// Publishes what was seen.
pub(super) async fn publish(State(site): State<Site>, form: Form) -> Response {
    let visit = form.visit.clone();
    if !runs_the_hub(&visit) {
        return Failure::NotFor.page(&visit);
    }
    let field = |name: &str| form.field(name).to_owned();
    let wanted =
        Wanted { from: field("from"), to: field("to"), instant: field("instant"), title: field("title") };
    let (own, asked, of) = (site.clone(), visit.clone(), wanted.clone());
    let turn = COUNTING.acquire().await;
    let done = away(move || {
        let draft = draft(&own, &asked, &of)?;
        let number = own.figures.publish(&asked.access(), &draft, &of.title)?;
        Ok(asked.words.say_with("hub-publish-done", &[("number", FluentValue::from(number.to_string()))]))
    });
    let done = done.await;
    drop(turn);
    told(site, visit, wanted, done).await
}

/// Withdraws a release.
pub(super) async fn withdraw(State(site): State<Site>, Path(number): Path<u64>, form: Form) -> Response {
    let visit = form.visit.clone();
    if !runs_the_hub(&visit) {
        return Failure::NotFor.page(&visit);
    }
    let (own, asked, reason) = (site.clone(), visit.clone(), form.field("reason").to_owned());
    let done = away(move || {
        own.figures.withdraw(&asked.access(), number, &reason)?;
        Ok(asked.words.say_with("hub-withdrawn-done", &[("number", FluentValue::from(number.to_string()))]))
    });
    let done = done.await;
    told(site, visit, Wanted::default(), done).await
}
