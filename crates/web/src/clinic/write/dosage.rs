//! How a medicine is taken, as far as it is written in the usual words: 1回1錠 1日2回 朝夕食後; 1 tablet twice a day.

/// The dose, its unit, and how often a day.
pub(crate) fn read(usage: &str) -> Option<(serde_json::Number, String, Option<u32>)> {
    let usage = super::half_width(usage);
    japanese(&usage).or_else(|| english(&usage))
}

fn japanese(usage: &str) -> Option<(serde_json::Number, String, Option<u32>)> {
    let (_, rest) = usage.split_once("1回")?;
    let (number, rest) = number(rest)?;
    let unit: String =
        rest.chars().take_while(|c| !c.is_whitespace() && !c.is_ascii_digit()).take(12).collect();
    let times = usage.split_once("1日").and_then(|(_, rest)| {
        let digits: String = rest.trim_start().chars().take_while(char::is_ascii_digit).collect();
        rest.trim_start().strip_prefix(&digits)?.starts_with('回').then(|| digits.parse().ok())?
    });
    (!unit.is_empty()).then_some((number, unit, times))
}

fn english(usage: &str) -> Option<(serde_json::Number, String, Option<u32>)> {
    let lower = usage.to_ascii_lowercase();
    let (number, rest) = number(&lower)?;
    let unit: String = rest.trim_start().chars().take_while(char::is_ascii_alphabetic).take(20).collect();
    let times =
        [("once", 1), ("twice", 2), ("three times", 3), ("four times", 4), ("daily", 1), ("every day", 1)];
    let times = times.iter().find(|(word, _)| lower.contains(word)).map(|(_, times)| *times);
    (!unit.is_empty()).then_some((number, unit, times))
}

/// The number a text begins with, and what follows.
fn number(text: &str) -> Option<(serde_json::Number, &str)> {
    let text = text.trim_start();
    let end = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
    let (digits, rest) = text.split_at_checked(end)?;
    Some((digits.parse().ok()?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_words_are_read_and_others_are_left() {
        let read = |text: &str| read(text).map(|(n, unit, times)| (n.to_string(), unit, times));
        let is = |n: &str, unit: &str, times| Some((n.to_owned(), unit.to_owned(), times));
        assert_eq!(read("1回1錠 1日2回 朝夕食後"), is("1", "錠", Some(2)));
        assert_eq!(read("１回０．５錠　１日１回"), is("0.5", "錠", Some(1)));
        assert_eq!(read("1回1錠 発熱・疼痛時"), is("1", "錠", None));
        assert_eq!(read("1 tablet twice a day"), is("1", "tablet", Some(2)));
        assert_eq!(read("疼痛時"), None);
        assert_eq!(read("1日"), None);
    }
}
