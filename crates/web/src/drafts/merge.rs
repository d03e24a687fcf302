//! Two texts that began as one, put together line by line.

use super::Fields;

/// What came of it.
#[derive(Debug, PartialEq)]
pub(crate) struct Merged {
    pub(crate) fields: Fields,
    /// Whether nothing stood against it.
    pub(crate) is_clean: bool,
}

/// Merges every field on its own.
pub(super) fn merge(was: &Fields, theirs: &Fields, ours: &Fields) -> Merged {
    let mut merged = Merged { fields: theirs.clone(), is_clean: true };
    let none = String::new();
    for (name, our) in ours {
        let (base, their) = (was.get(name).unwrap_or(&none), theirs.get(name).unwrap_or(&none));
        let together = if our == base || our == their {
            their.clone()
        } else if their == base {
            our.clone()
        } else {
            match diffy::merge(base, their, our) {
                Ok(text) => text,
                Err(_) => {
                    merged.is_clean = false;
                    their.clone()
                }
            }
        };
        merged.fields.insert(name.clone(), together);
    }
    merged
}
