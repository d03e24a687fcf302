//! search-type: `GET [base]/Type?…`, alone or in a compartment (<https://hl7.org/fhir/R4/http.html#search>).

use fhir::date_time::Micros;
use fhir::{Issue, IssueType, TypeId, r4};
use search::parameters;
use search::query::{self, Criterion, Pair, Query};
use store::{Budget, Cursor, Kept};

use crate::{Access, Failure, Hub, Kind};

/// A search, as a door passes it on.
#[derive(Clone, Debug)]
pub struct SearchRequest<'a> {
    /// The type searched.
    pub resource_type: TypeId,
    /// The compartment it is searched in, by type and id.
    pub compartment: Option<(TypeId, &'a str)>,
    /// The query's decoded pairs.
    pub pairs: &'a [Pair],
    /// The hub's base URL, as the client knows it.
    pub base: &'a str,
    /// Drop what is not understood, and say so.
    pub is_lenient: bool,
}

/// A page of answers.
#[derive(Clone, Debug)]
pub struct SearchAnswer {
    /// The query, as understood.
    pub query: Query,
    /// The matches, in order.
    pub matches: Vec<Kept>,
    /// What includes add.
    pub included: Vec<Kept>,
    /// How many matches there are in all, if known.
    pub total: Option<u64>,
    /// Where the next page begins.
    pub next: Option<String>,
    /// Where the page before begins.
    pub previous: Option<String>,
    /// When the state it is true for was recorded.
    pub instant: Micros,
}

impl Hub {
    /// Reads a search.
    ///
    /// # Errors
    /// What is not understood.
    pub fn query(&self, request: &SearchRequest<'_>) -> Result<Query, Failure> {
        let reading =
            query::Reading { base: Some(request.base), is_lenient: request.is_lenient, ..self.reading() };
        let mut query = query::read(request.resource_type, request.pairs, reading)?;
        if let Some((owner, id)) = request.compartment {
            query.criteria.push(compartment(owner, id, request.resource_type)?);
        }
        if query.count == Some(0) {
            query.is_count_only = true;
        }
        Ok(query)
    }

    /// Runs a search.
    ///
    /// # Errors
    /// What is not understood, what costs too much, a store's failure.
    pub fn search(&self, access: &Access, query: Query, budget: Budget) -> Result<SearchAnswer, Failure> {
        access.of_type(query.resource_type)?;
        let reader = self.reader(access);
        let opened = query.cursor.as_deref().map(|text| self.opened(access, text)).transpose()?;
        let cursor = opened.as_deref().map(Cursor::decode).transpose()?;
        let place = reader.place_of(&query, cursor.as_ref())?;
        let instant = reader.instant_of(place)?;
        if query.is_count_only {
            let total = Some(reader.count(&query, place, budget)?);
            let (matches, included) = (Vec::new(), Vec::new());
            return Ok(SearchAnswer { query, matches, included, total, next: None, previous: None, instant });
        }
        let count = query.count.unwrap_or(self.search_limits.default_count).min(self.search_limits.max_count);
        let page = reader.search(&query, place, count, cursor.as_ref(), budget)?;
        let keep = |found: &[store::Found]| {
            found.iter().filter_map(|f| reader.kept(*f, place).transpose()).collect::<Result<Vec<Kept>, _>>()
        };
        let (matches, included) = (keep(&page.matches)?, keep(&page.included)?);
        access.saw_all(matches.iter().chain(&included));
        Ok(SearchAnswer {
            matches,
            included,
            total: page.total,
            next: page.next.map(|c| self.sealed(access, c.encode())).transpose()?,
            previous: page.previous.map(|c| self.sealed(access, c.encode())).transpose()?,
            instant,
            query,
        })
    }
}

/// What makes a resource a member of a compartment.
pub(crate) fn compartment(owner: TypeId, id: &str, resource_type: TypeId) -> Result<Criterion, Failure> {
    let owner_name = r4().type_name(owner);
    let Some(definition) = r4().compartment(owner_name) else {
        let names: Vec<&str> = r4().compartments.iter().map(|c| c.name).collect();
        let message = format!("{owner_name} has no compartment; {} have", names.join(", "));
        return Err(Failure::new(Kind::NotFound, IssueType::NotSupported, message));
    };
    let codes = definition.parameters(resource_type);
    let name = r4().type_name(resource_type);
    if codes.is_empty() {
        let message = format!("a {name} is never in the compartment of a {owner_name}; search {name} itself");
        return Err(Issue::error(IssueType::NotSupported, message).into());
    }
    let set = parameters().of(resource_type);
    let parameters = codes.iter().filter_map(|code| set.named(code)).collect();
    Ok(Criterion::Compartment { resource_type: owner, id: id.to_owned(), parameters })
}
