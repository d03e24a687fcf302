//! From one version's entries to the next: which index rows end, which begin, which stay.

use search::LinkedEntry;

use crate::layout::live::Flags;
use crate::layout::rows::Row;
use crate::numbers::Place;

/// Entries that share a key, as one index row.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Group {
    pub(super) parameter: u8,
    pub(super) key: Vec<u8>,
    pub(super) extra: Vec<u8>,
    pub(super) flags: Flags,
    pub(super) from: Place,
}

/// What changes between two versions.
#[derive(Default, Debug, PartialEq, Eq)]
pub(super) struct Change {
    /// Rows that end.
    pub(super) ended: Vec<Group>,
    /// Rows that begin, and rows that stay but whose flags change.
    pub(super) written: Vec<Group>,
    /// The entries of the new version.
    pub(super) rows: Vec<Row>,
}

/// The index rows of ordered entries.
fn groups(rows: &[Row]) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::with_capacity(rows.len());
    for row in rows {
        let entry = &row.entry;
        match groups.last_mut() {
            Some(last) if last.parameter == entry.parameter && last.key == entry.key => {
                last.flags.is_shared = true;
                last.extra.clear();
            }
            _ => groups.push(Group {
                parameter: entry.parameter,
                key: entry.key.clone(),
                extra: entry.extra.clone(),
                flags: Flags { has_siblings: row.has_siblings, is_shared: false },
                from: row.from,
            }),
        }
    }
    groups
}

/// All rows of a version end.
pub(super) fn end(old: &[Row]) -> Vec<Group> {
    groups(old)
}

/// The step from `old` to the entries of the version at `place`.
pub(super) fn step(old: &[Row], mut entries: Vec<LinkedEntry>, place: Place) -> Change {
    entries.sort_unstable();
    entries.dedup();
    let mut rows: Vec<Row> =
        entries.into_iter().map(|entry| Row { entry, from: place, has_siblings: false }).collect();
    mark_siblings(&mut rows);
    let (old_groups, new_groups) = (groups(old), groups(&rows));
    let mut change = Change::default();
    let (mut before, mut after) = (old_groups.into_iter().peekable(), new_groups.into_iter().peekable());
    let mut kept: Vec<Group> = Vec::new();
    loop {
        let order = match (before.peek(), after.peek()) {
            (None, None) => break,
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_)) => std::cmp::Ordering::Greater,
            (Some(a), Some(b)) => (a.parameter, &a.key).cmp(&(b.parameter, &b.key)),
        };
        match order {
            std::cmp::Ordering::Less => change.ended.extend(before.next()),
            std::cmp::Ordering::Greater => change.written.extend(after.next()),
            std::cmp::Ordering::Equal => {
                let (Some(a), Some(mut b)) = (before.next(), after.next()) else { break };
                if a.extra != b.extra || a.flags.is_shared != b.flags.is_shared || b.flags.is_shared {
                    // What the row says beside its key changes (or may change): it is another row.
                    change.ended.push(a);
                    change.written.push(b);
                    continue;
                }
                b.from = a.from;
                b.flags.has_siblings |= a.flags.has_siblings;
                if b.flags != a.flags {
                    change.written.push(b.clone());
                }
                kept.push(b);
            }
        }
    }
    for row in &mut rows {
        let found =
            kept.binary_search_by(|g| (g.parameter, &g.key).cmp(&(row.entry.parameter, &row.entry.key)));
        if let Ok(at) = found {
            row.from = kept[at].from;
            row.has_siblings = kept[at].flags.has_siblings;
        }
    }
    change.rows = rows;
    change
}

/// Marks the rows of parameters that have more than one key.
fn mark_siblings(rows: &mut [Row]) {
    let mut start = 0;
    while start < rows.len() {
        let parameter = rows[start].entry.parameter;
        let end = start + rows[start..].iter().take_while(|r| r.entry.parameter == parameter).count();
        let has_siblings = rows[start..end].windows(2).any(|pair| pair[0].entry.key != pair[1].entry.key);
        rows[start..end].iter_mut().for_each(|r| r.has_siblings = has_siblings);
        start = end;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(parameter: u8, key: &str, extra: &str) -> LinkedEntry {
        LinkedEntry { parameter, key: key.into(), extra: extra.into() }
    }

    fn keys(groups: &[Group]) -> Vec<String> {
        groups.iter().map(|g| String::from_utf8_lossy(&g.key).into_owned()).collect()
    }

    #[test]
    fn rows_of_both_versions_stay() {
        let first = step(&[], vec![entry(1, "a", ""), entry(2, "b", "")], Place(5));
        assert_eq!((keys(&first.written), first.ended.len()), (vec!["a".to_owned(), "b".to_owned()], 0));
        let second = step(&first.rows, vec![entry(1, "a", ""), entry(2, "c", "")], Place(9));
        assert_eq!(
            (keys(&second.written), keys(&second.ended)),
            (vec!["c".to_owned()], vec!["b".to_owned()])
        );
        assert_eq!(second.rows.iter().map(|r| r.from.0).collect::<Vec<_>>(), [5, 9]);
    }

    #[test]
    fn a_row_that_gets_a_sibling_is_marked_and_stays_marked() {
        let first = step(&[], vec![entry(1, "a", "")], Place(5));
        assert!(!first.rows[0].has_siblings);
        let second = step(&first.rows, vec![entry(1, "a", ""), entry(1, "b", "")], Place(6));
        assert_eq!(keys(&second.written), ["a", "b"], "a is written again with its mark");
        assert_eq!(second.written[0].from, Place(5));
        let third = step(&second.rows, vec![entry(1, "a", "")], Place(7));
        assert_eq!((keys(&third.ended), third.written.len()), (vec!["b".to_owned()], 0));
        assert!(third.rows[0].has_siblings, "as of 6 it had one");
    }

    #[test]
    fn spellings_that_share_a_key_share_a_row() {
        let change = step(&[], vec![entry(1, "ann", "Ann"), entry(1, "ann", "ANN")], Place(5));
        assert_eq!(change.written.len(), 1);
        assert!(change.written[0].flags.is_shared && change.written[0].extra.is_empty());
        assert!(!change.written[0].flags.has_siblings);
        assert_eq!(change.rows.len(), 2);
    }

    #[test]
    fn another_spelling_is_another_row() {
        let first = step(&[], vec![entry(1, "ann", "Ann")], Place(5));
        let second = step(&first.rows, vec![entry(1, "ann", "ANN")], Place(6));
        assert_eq!(
            (keys(&second.ended), keys(&second.written)),
            (vec!["ann".to_owned()], vec!["ann".to_owned()])
        );
        assert_eq!(second.written[0].from, Place(6));
    }
}
