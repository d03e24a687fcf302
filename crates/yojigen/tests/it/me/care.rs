//! The health cycle: noticing, deciding, doing, what changed; goals and reminders.

use super::{day, held, house, place, send};
use crate::auth::visitor::{field, fields};

#[test]
fn what_is_noticed_leads_to_a_decision_and_to_what_came_of_it() {
    let house = house();
    let mut taro = house.signed_in("taro");
    let yesterday = format!("{}T08:00", day(1));
    let high = [("high1", "150"), ("low1", "94"), ("part", "MORN"), ("at", yesterday.as_str())];
    place(&send(&mut taro, &house, "/me/p1/add/pressure", &high));
    let page = taro.get("/me/p1/cycle?lang=en").body;
    assert!(page.contains("150 / 94") && page.contains("JSH 2019"), "{page}");
    let about = field(&page, "about").unwrap();
    let fault = send(&mut taro, &house, "/me/p1/cycle?lang=en", &[("action", "decide"), ("about", &about)]);
    assert!(fault.status == 422 && fault.body.contains("Choose one thing"), "{}", fault.body);
    let decision =
        [("action", "decide"), ("about", about.as_str()), ("choice", "self-care"), ("note", "減塩")];
    place(&send(&mut taro, &house, "/me/p1/cycle", &decision));
    let page = taro.get("/me/p1/cycle?lang=en").body;
    assert!(page.contains("減塩") && page.contains("I did it"), "{page}");
    let decided = fields(&page, "about").pop().unwrap();
    place(&send(&mut taro, &house, "/me/p1/cycle", &[("action", "did"), ("about", &decided)]));
    assert!(!taro.get("/me/p1/cycle?lang=en").body.contains("I did it"));
    let made = held(&mut taro, "Observation?code=decision");
    assert_eq!(made[0]["derivedFrom"][0]["reference"], about.as_str());
    // An observation of the clinic's, or of somebody else's, is nothing to decide about in another record.
    let other = send(
        &mut taro,
        &house,
        "/me/p1/cycle",
        &[("action", "decide"), ("about", "Observation/none"), ("choice", "watch")],
    );
    assert_eq!(other.status, 422);
}

#[test]
fn goals_show_how_far_they_are_and_reminders_come_again() {
    let house = house();
    let mut taro = house.signed_in("taro");
    let goal = [("action", "goal"), ("measure", "41950-7"), ("low", "8000"), ("due", "2099-12-31")];
    let late = send(&mut taro, &house, "/me/p1/cycle?lang=en", &goal);
    assert!(late.status == 422 && late.body.contains("a day from today on"), "{}", late.body);
    let due = day(-60);
    let goal = [("action", "goal"), ("measure", "41950-7"), ("low", "8000"), ("due", due.as_str())];
    place(&send(&mut taro, &house, "/me/p1/cycle", &goal));
    for steps in ["7000", "9000"] {
        place(&send(&mut taro, &house, "/me/p1/add/steps", &[("value", steps)]));
    }
    let page = taro.get("/me/p1/cycle?lang=en").body;
    assert!(page.contains("1 of 2 within the goal") && page.contains("goal-plot"), "{page}");
    let today = held(&mut taro, "Goal")[0]["startDate"].as_str().unwrap().to_owned();
    let reminder =
        [("action", "reminder"), ("title", "体重を測る"), ("due", today.as_str()), ("every", "week")];
    place(&send(&mut taro, &house, "/me/p1/cycle", &reminder));
    assert!(taro.get("/me/p1").body.contains("体重を測る"), "it stands on the first page when it is due");
    let goals = held(&mut taro, "Goal?category=reminder");
    let (id, version) = (goals[0]["id"].as_str().unwrap(), goals[0]["meta"]["versionId"].as_str().unwrap());
    let done = [("action", "done"), ("id", id), ("version", version)];
    place(&send(&mut taro, &house, "/me/p1/cycle", &done));
    let goals = held(&mut taro, "Goal?category=reminder");
    assert_eq!(goals[0]["lifecycleStatus"], "active");
    assert!(goals[0]["target"][0]["dueDate"].as_str().unwrap() > today.as_str(), "{}", goals[0]);
    // Done again from a page that is old: refused, nothing is skipped.
    assert_eq!(send(&mut taro, &house, "/me/p1/cycle", &done).status, 412);
}
