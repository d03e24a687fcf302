//! Tables of counts, their dimensions, and the rule.

use std::fmt;

/// What happens to counts of 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Zeros {
    /// They are published: that nobody is there tells of nobody.
    Publish,
    /// They are suppressed like small counts.
    Suppress,
}

/// What must not be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Counts below it are not published; 2 to 1,000.
    pub k: u64,
    /// What happens to counts of 0.
    pub zeros: Zeros,
    /// How far apart the least and the greatest possible value of a suppressed count must be; 1 to 1,000.
    pub width: u64,
}

impl Rule {
    /// The rule of a `k`: zeros are published, intervals are no narrower than the suppression tells.
    #[must_use]
    pub fn of(k: u64) -> Rule {
        Rule { k, zeros: Zeros::Publish, width: k.saturating_sub(2).max(1) }
    }

    /// Can it be kept?
    pub(super) fn check(&self) -> Result<(), Error> {
        const MOST: u64 = 1000;
        if !(2..=MOST).contains(&self.k) || !(1..=MOST).contains(&self.width) {
            let what = format!(
                "k must be 2 to {MOST}, the width 1 to {MOST}; they are {} and {}",
                self.k, self.width
            );
            return Err(Error::Rule(what));
        }
        Ok(())
    }

    /// Is it a count that must not be known?
    pub(super) fn is_small(&self, count: u64) -> bool {
        count < self.k && (count > 0 || self.zeros == Zeros::Suppress)
    }

    /// The least a suppressed count can be.
    pub(super) fn least(&self) -> i64 {
        match self.zeros {
            Zeros::Publish => 1,
            Zeros::Suppress => 0,
        }
    }
}

impl Default for Rule {
    fn default() -> Self {
        Rule::of(10)
    }
}

/// Categories that are shown together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// The places of its categories, rising.
    pub of: Vec<usize>,
}

/// A dimension: its finest categories, and which groups of them a table shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dimension {
    /// Its name; dimensions of one name have the same categories in every table about the same persons.
    pub name: String,
    /// The finest categories.
    pub categories: Vec<String>,
    /// What is shown.
    pub groups: Vec<Group>,
}

impl Dimension {
    /// Every category is shown, and their total.
    #[must_use]
    pub fn with_total(name: &str, categories: &[&str]) -> Dimension {
        let mut dimension = Dimension::without_total(name, categories);
        let of = (0..categories.len()).collect();
        dimension.groups.push(Group { name: "total".to_owned(), of });
        dimension
    }

    /// Every category is shown, without a total.
    #[must_use]
    pub fn without_total(name: &str, categories: &[&str]) -> Dimension {
        let groups = categories.iter().enumerate();
        Dimension {
            name: name.to_owned(),
            categories: categories.iter().map(|c| (*c).to_owned()).collect(),
            groups: groups.map(|(at, c)| Group { name: (*c).to_owned(), of: vec![at] }).collect(),
        }
    }

    /// Shows one more group: a level of a hierarchy, an overlapping stratum.
    #[must_use]
    pub fn and(mut self, name: &str, of: &[usize]) -> Dimension {
        self.groups.push(Group { name: name.to_owned(), of: of.to_vec() });
        self
    }

    /// The finest sets of categories that the shown groups tell apart.
    pub(super) fn classes(&self) -> Vec<Group> {
        let mut classes: Vec<(Vec<bool>, Group)> = Vec::new();
        for at in 0..self.categories.len() {
            let signature: Vec<bool> = self.groups.iter().map(|g| g.of.contains(&at)).collect();
            if !signature.contains(&true) {
                continue;
            }
            match classes.iter_mut().find(|(known, _)| *known == signature) {
                Some((_, class)) => class.of.push(at),
                None => {
                    let name = self.categories.get(at).cloned().unwrap_or_default();
                    classes.push((signature, Group { name, of: vec![at] }));
                }
            }
        }
        classes.into_iter().map(|(_, class)| class).collect()
    }
}

/// Counts by dimensions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// Whom it counts, and when: tables of one population are about the same persons at the same moment.
    pub population: String,
    /// The population this one grew from, if every count can only have become more since.
    pub grew_from: Option<String>,
    /// Its dimensions.
    pub dimensions: Vec<Dimension>,
    /// The true counts of the finest categories; the last dimension runs fastest.
    pub counts: Vec<u64>,
    /// What of it is published already, in the order of its cells; that cannot be taken back.
    pub published: Option<Vec<Option<u64>>>,
}

impl Table {
    /// A table that is not published yet.
    #[must_use]
    pub fn new(name: &str, population: &str, dimensions: Vec<Dimension>, counts: Vec<u64>) -> Table {
        Table {
            name: name.to_owned(),
            population: population.to_owned(),
            grew_from: None,
            dimensions,
            counts,
            published: None,
        }
    }

    /// The names of a cell's groups.
    pub(super) fn labels(&self, groups: &[&Group]) -> Vec<String> {
        groups.iter().map(|g| g.name.clone()).collect()
    }
}

/// Every choice of one of each list, the last fastest.
pub(super) fn product<T: Clone>(lists: &[Vec<T>]) -> Vec<Vec<T>> {
    lists.iter().fold(vec![Vec::new()], |made, list| {
        let with = |one: &Vec<T>| {
            let one = one.clone();
            list.iter()
                .map(move |item| one.iter().cloned().chain([item.clone()]).collect())
                .collect::<Vec<_>>()
        };
        made.iter().flat_map(with).collect()
    })
}

/// Why tables cannot be protected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// A table is not one.
    Table {
        /// Which.
        table: String,
        /// What is wrong.
        what: String,
    },
    /// Two tables about the same persons disagree.
    Disagree {
        /// One.
        table: String,
        /// The other.
        other: String,
        /// About what.
        what: String,
    },
    /// Tables about the same persons whose dimensions form a ring: what they tell together is not in their pairs.
    Ring {
        /// Of which population.
        population: String,
    },
    /// The rule is none.
    Rule(String),
    /// There are more cells than can be looked at.
    TooLarge {
        /// How many.
        cells: usize,
        /// The most.
        most: usize,
    },
    /// What is out already tells it; nothing that is left out now can help.
    Exposed {
        /// The table.
        table: String,
        /// The cell's groups.
        labels: Vec<String>,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Table { table, what } => write!(f, "table '{table}': {what}"),
            Error::Disagree { table, other, what } => {
                write!(
                    f,
                    "tables '{table}' and '{other}' are about the same persons and disagree about {what}"
                )
            }
            Error::Ring { population } => write!(
                f,
                "the tables about '{population}' have dimensions in a ring; give them as one table with its margins"
            ),
            Error::Rule(what) => write!(f, "the rule: {what}"),
            Error::TooLarge { cells, most } => {
                write!(f, "{cells} cells are more than {most}; use fewer or coarser categories")
            }
            Error::Exposed { table, labels } => write!(
                f,
                "table '{table}', {}: what is published already tells this count within the rule's width; \
                 leaving out more cannot help",
                labels.join(" × ")
            ),
        }
    }
}

impl std::error::Error for Error {}
