//! Goals with how far they are reached, and reminders.

use serde_json::{Value, json};

use crate::calendar::Day;
use crate::chart::observations::gather;
use crate::chart::span::coordinate;
use crate::failure::Failure;
use crate::form::Form;
use crate::me::goal::{Goal, goal, reminder};
use crate::me::own::Own;
use crate::quantity::on_axis;
use crate::writing::Changes;

const MOST: usize = 60;
const MOST_TITLE: usize = 120;
/// A drawing: how wide and how high.
const WIDTH: f64 = 1000.0;
const HEIGHT: f64 = 200.0;

/// Something that may be aimed at: LOINC code, display, unit, UCUM, and whether less or more is better.
#[derive(Debug)]
pub(super) struct Measure {
    pub(super) code: &'static str,
    display: &'static str,
    pub(super) unit: &'static str,
    ucum: &'static str,
}

/// What may be aimed at.
pub(super) const MEASURES: &[Measure] = &[
    Measure { code: "8480-6", display: "Systolic blood pressure", unit: "mmHg", ucum: "mm[Hg]" },
    Measure { code: "29463-7", display: "Body weight", unit: "kg", ucum: "kg" },
    Measure {
        code: "41950-7",
        display: "Number of steps in 24 hour Measured",
        unit: "/d",
        ucum: "{steps}/d",
    },
    Measure { code: "93832-4", display: "Sleep duration", unit: "h", ucum: "h" },
    Measure {
        code: "41653-7",
        display: "Glucose [Mass/volume] in Capillary blood by Glucometer",
        unit: "mg/dL",
        ucum: "mg/dL",
    },
    Measure { code: "4548-4", display: "Hemoglobin A1c/Hemoglobin.total in Blood", unit: "%", ucum: "%" },
];

/// A goal, as it is drawn.
#[derive(Debug)]
pub(super) struct GoalView {
    pub(super) id: String,
    pub(super) version: String,
    pub(super) title: String,
    pub(super) target: String,
    pub(super) due: String,
    /// How many of the values since it was set are within it, in words.
    pub(super) progress: String,
    pub(super) points: String,
    pub(super) dots: String,
    /// Where the target is: its upper edge and its height.
    pub(super) band: Option<(String, String)>,
}

/// A reminder.
#[derive(Debug)]
pub(super) struct Reminder {
    pub(super) id: String,
    pub(super) version: String,
    pub(super) title: String,
    pub(super) due: String,
    pub(super) again: String,
    pub(super) is_due: bool,
}

fn target(own: &Own, goal: &Goal) -> String {
    let unit = crate::quantity::unit(&goal.unit);
    let text = match (goal.low, goal.high) {
        (Some(low), Some(high)) => format!("{}–{}", on_axis(low), on_axis(high)),
        (Some(low), None) => format!("≥ {}", on_axis(low)),
        (None, Some(high)) => format!("≤ {}", on_axis(high)),
        (None, None) => return own.words.say("me-goal-open"),
    };
    crate::quantity::with_unit(&text, &unit)
}

/// The values since the goal was set.
fn values(own: &Own, goal: &Goal) -> Result<Vec<(Day, f64)>, Failure> {
    let Some(code) = &goal.measure else { return Ok(Vec::new()) };
    let since = goal.begun.map_or_else(|| "ge1900".to_owned(), |d| format!("ge{}", d.iso()));
    let pairs = [("combo-code", code.as_str()), ("date", &since), ("_sort", "-date")];
    let found = own.some("Observation", &pairs, MOST)?;
    let mut all: Vec<(Day, f64)> = Vec::new();
    for series in gather(&found, own.pen()).series {
        all.extend(series.points.iter().map(|p| match (&p.second, code.as_str()) {
            (Some(second), "8462-4") => (p.day, second.number),
            _ => (p.day, p.value.number),
        }));
    }
    all.sort_by_key(|(day, _)| *day);
    Ok(all)
}

fn view(own: &Own, goal: Goal) -> Result<GoalView, Failure> {
    let values = values(own, &goal)?;
    let is_within = |v: f64| goal.low.is_none_or(|low| v >= low) && goal.high.is_none_or(|high| v <= high);
    let within = values.iter().filter(|(_, v)| is_within(*v)).count();
    let edges = goal.low.into_iter().chain(goal.high);
    let (least, most) = values
        .iter()
        .map(|(_, v)| *v)
        .chain(edges)
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), v| (a.min(v), b.max(v)));
    let room = ((most - least) * 0.1).max(1.0);
    let (least, most) = (least - room, most + room);
    let y = |v: f64| ((most - v) / (most - least) * HEIGHT).clamp(0.0, HEIGHT);
    let first = values.first().map_or(0, |(d, _)| d.days());
    let length = values.last().map_or(1, |(d, _)| (d.days() - first).max(1)) as f64;
    let x = |day: Day| 20.0 + (day.days() - first) as f64 / length * (WIDTH - 40.0);
    let places: Vec<(String, String)> =
        values.iter().map(|(day, v)| (coordinate(x(*day)), coordinate(y(*v)))).collect();
    let band = (goal.low.is_some() || goal.high.is_some()).then(|| {
        let (top, bottom) = (goal.high.map_or(0.0, y), goal.low.map_or(HEIGHT, y));
        (coordinate(top), coordinate((bottom - top).max(0.0)))
    });
    let progress = match values.len() {
        0 => own.words.say("me-goal-nothing"),
        count => own.words.say_with("me-goal-within", &[("within", within.into()), ("count", count.into())]),
    };
    Ok(GoalView {
        target: target(own, &goal),
        due: goal.due.map(|d| d.written(own.words)).unwrap_or_default(),
        progress,
        points: places.iter().map(|(x, y)| format!("{x},{y}")).collect::<Vec<_>>().join(" "),
        dots: places.iter().map(|(x, y)| format!("M{x} {y}h.01")).collect(),
        band: band.filter(|_| !values.is_empty()),
        id: goal.id,
        version: goal.version,
        title: goal.title,
    })
}

/// What is aimed at, and what is to be remembered.
pub(super) fn plans(own: &Own) -> Result<(Vec<GoalView>, Vec<Reminder>), Failure> {
    let (mut goals, mut reminders) = (Vec::new(), Vec::new());
    let active = [("lifecycle-status", "active,accepted,planned,proposed")];
    for resource in own.some("Goal", &active, MOST)? {
        let goal = Goal::read(own, &resource);
        if !goal.is_active {
            continue;
        }
        if goal.is_reminder {
            let again = goal.every.map(|days| own.words.say_with("me-again", &[("days", days.into())]));
            reminders.push((
                goal.due,
                Reminder {
                    is_due: goal.due.is_some_and(|d| d <= own.on),
                    due: goal.due.map(|d| d.written(own.words)).unwrap_or_default(),
                    again: again.unwrap_or_default(),
                    id: goal.id,
                    version: goal.version,
                    title: goal.title,
                },
            ));
        } else {
            goals.push(view(own, goal)?);
        }
    }
    reminders.sort_by_key(|(due, _)| *due);
    Ok((goals, reminders.into_iter().map(|(_, reminder)| reminder).collect()))
}

fn number(text: &str) -> Option<f64> {
    text.replace(',', ".").parse::<f64>().ok().filter(|n| n.is_finite() && (0.0..1e6).contains(n))
}

fn day(own: &Own, text: &str) -> Option<String> {
    let day = Day::read(text, &own.zone).filter(Day::is_whole)?;
    (day.days() >= own.on.days() && day.days() < own.on.days() + 3700).then(|| day.iso())
}

/// Sets a goal.
pub(super) fn add_goal(own: &Own, form: &Form) -> Result<Result<Changes, String>, Failure> {
    let measure = MEASURES.iter().find(|m| m.code == form.field("measure"));
    let (low, high) = (number(form.field("low")), number(form.field("high")));
    let is_range = low.zip(high).is_none_or(|(low, high)| low <= high);
    let due = form.given("due").map(|text| day(own, text));
    let Some(measure) = measure.filter(|_| (low.is_some() || high.is_some()) && is_range) else {
        return Ok(Err(own.words.say("me-goal-unread")));
    };
    if due == Some(None) {
        return Ok(Err(own.words.say("me-day-unread")));
    }
    let title = own.words.say_code("me-measure", measure.code).unwrap_or_default();
    let Measure { code, display, unit, ucum } = *measure;
    let made = goal(own, &title, (code, display, unit, ucum), (low, high), due.flatten().as_deref());
    let mut changes = Changes::default();
    changes.create("", made);
    Ok(Ok(changes))
}

/// Makes a reminder.
pub(super) fn add_reminder(own: &Own, form: &Form) -> Result<Result<Changes, String>, Failure> {
    let title: String = form.field("title").chars().filter(|c| !c.is_control()).take(MOST_TITLE).collect();
    let due = day(own, form.field("due"));
    let (Some(due), false) = (due, title.is_empty()) else {
        return Ok(Err(own.words.say("me-reminder-unread")));
    };
    let every = match form.field("every") {
        "day" => Some((1, "d")),
        "week" => Some((1, "wk")),
        "month" => Some((1, "mo")),
        _ => None,
    };
    let mut changes = Changes::default();
    changes.create("", reminder(own, &title, &due, every));
    Ok(Ok(changes))
}

/// Ends a goal or reminder; one that comes again is due the next time.
pub(super) fn end(own: &Own, form: &Form, is_done: bool) -> Result<Result<Changes, String>, Failure> {
    let id = form.field("id");
    let found = if fhir::primitive::is_id(id) { own.record.read("Goal", id)? } else { None };
    let Some(resource) = found else { return Err(Failure::NothingHere) };
    let read = Goal::read(own, &resource);
    let mut all: Value = serde_json::from_str(resource.text()).unwrap_or_default();
    match read.every.filter(|_| is_done && read.is_reminder) {
        Some(days) => {
            let from = read.due.map_or(own.on.days(), |d| d.days());
            // What was missed is not made up for.
            let missed = (own.on.days() - from).max(0) / days;
            let next = Day::of_days(from + (missed + 1) * days);
            all["target"] = json!([{"dueDate": next.iso()}]);
        }
        None => all["lifecycleStatus"] = json!(if is_done { "completed" } else { "cancelled" }),
    }
    all["statusDate"] = json!(own.on.iso());
    let mut changes = Changes::default();
    changes.update(all, form.field("version"));
    Ok(Ok(changes))
}
