//! search-system: `GET [base]?_type=…`, and all types of a compartment, `GET [base]/Patient/1/*`
//! (<https://hl7.org/fhir/R4/http.html#search>).
//!
//! One type after the other, in alphabetical order, each searched as it is alone; a page may end in one type and the next
//! begin there. All pages see the place in the log the first one saw.

use data_encoding::BASE64URL_NOPAD;
use fhir::{Issue, IssueType, TypeId, r4};
use search::query::{self, Pair, Query, Total};
use store::{Budget, Cursor, Place, Reader};

use crate::search_type::compartment;
use crate::{Access, Failure, Hub, SearchAnswer};

/// A search of several types, as a door passes it on.
#[derive(Clone, Debug)]
pub struct SystemSearch<'a> {
    /// The compartment it is searched in, by type and id.
    pub compartment: Option<(TypeId, &'a str)>,
    /// The query's decoded pairs.
    pub pairs: &'a [Pair],
    /// The hub's base URL, as the client knows it.
    pub base: &'a str,
    /// Drop what is not understood, and say so.
    pub is_lenient: bool,
}

/// Where a page begins.
struct Start {
    place: Place,
    type_number: u8,
    inner: Option<Cursor>,
}

impl Start {
    fn read(text: &str) -> Result<Start, Failure> {
        let refuse = || {
            Issue::error(
                IssueType::Invalid,
                "_cursor: this is not a place in a search; begin the search anew",
            )
        };
        let bytes = BASE64URL_NOPAD.decode(text.as_bytes()).map_err(|_| refuse())?;
        let (place, rest) = bytes.split_first_chunk::<8>().ok_or_else(refuse)?;
        let (type_number, inner) = rest.split_first().ok_or_else(refuse)?;
        let inner = match std::str::from_utf8(inner) {
            Ok("") => None,
            Ok(text) => Some(Cursor::decode(text)?),
            Err(_) => return Err(refuse().into()),
        };
        Ok(Start { place: Place(u64::from_be_bytes(*place)), type_number: *type_number, inner })
    }

    fn write(&self) -> String {
        let inner = self.inner.as_ref().map(Cursor::encode).unwrap_or_default();
        BASE64URL_NOPAD
            .encode(&[&self.place.0.to_be_bytes(), [self.type_number].as_slice(), inner.as_bytes()].concat())
    }
}

/// The types `_type` names.
fn named_types(pairs: &[Pair]) -> Result<Option<Vec<TypeId>>, Failure> {
    let mut found: Option<Vec<TypeId>> = None;
    for name in pairs.iter().filter(|(n, _)| n == "_type").flat_map(|(_, v)| v.split(',')) {
        let id = r4()
            .known_resource_type(name)
            .map_err(|message| Issue::error(IssueType::Invalid, format!("_type: {message}")))?;
        found.get_or_insert_default().push(id);
    }
    if let Some(types) = &mut found {
        types.sort_by_key(|t| r4().resource_number(*t));
        types.dedup();
    }
    Ok(found)
}

impl Hub {
    /// Runs a search of several types.
    ///
    /// # Errors
    /// What is not understood for one of the types, what costs too much, a store's failure.
    pub fn search_system(
        &self,
        access: &Access,
        search: &SystemSearch<'_>,
        budget: Budget,
    ) -> Result<SearchAnswer, Failure> {
        let reader = self.reader(access);
        let cursor_text =
            search.pairs.iter().find(|(name, _)| name == "_cursor").map(|(_, text)| text.as_str());
        let start = cursor_text.map(|text| self.opened(access, text)).transpose()?;
        let start = start.as_deref().map(Start::read).transpose()?;
        let own: Vec<Pair> = search
            .pairs
            .iter()
            .filter(|(name, _)| !matches!(name.as_str(), "_type" | "_cursor"))
            .cloned()
            .collect();
        let named = named_types(search.pairs)?;
        // Whatever the type, this says when: the place comes first, so that the types are those there were.
        let probe = self.query_of(search, r4().well_known().patient, &timing(&own))?;
        let place = match &start {
            Some(start) if start.place <= reader.place() => start.place,
            Some(_) => {
                let message =
                    "_cursor: this place in a search lies in the future of this hub; begin the search anew";
                return Err(Issue::error(IssueType::Invalid, message).into());
            }
            None => reader.place_of(&probe, None)?,
        };
        let all = named.clone().unwrap_or_else(|| r4().resource_types.clone());
        let mut queries = Vec::new();
        for resource_type in all {
            let is_member = search.compartment.is_none_or(|(owner, _)| {
                let of = r4().compartment(r4().type_name(owner));
                of.is_some_and(|c| !c.parameters(resource_type).is_empty())
            });
            // Of all types only those are searched that there are.
            let is_granted = access.of_type(resource_type).is_ok();
            if named.is_none()
                && (!is_member || !is_granted || reader.total(resource_type, Some(place))? == 0)
            {
                continue;
            }
            queries.push(self.query_of(search, resource_type, &own)?);
        }
        let first = match queries.first() {
            Some(query) => query.clone(),
            // Nothing is there to be searched; what was asked is checked all the same.
            None => self.query_of(search, r4().well_known().patient, &own)?,
        };
        if !first.sort.is_empty() && queries.len() > 1 {
            let message = "_sort: several types are answered one after the other; search one type to sort it";
            return Err(Issue::error(IssueType::NotSupported, message).into());
        }
        let mut answer = SearchAnswer {
            matches: Vec::new(),
            included: Vec::new(),
            total: None,
            next: None,
            previous: None,
            instant: reader.instant_of(place)?,
            query: Query { cursor: cursor_text.map(str::to_owned), ..first },
        };
        answer.query.understood.extend(search.pairs.iter().filter(|(name, _)| name == "_type").cloned());
        if answer.query.is_count_only || answer.query.total == Total::Accurate {
            let mut total = 0;
            for query in &queries {
                total += reader.count(query, place, budget.clone())?;
            }
            answer.total = Some(total);
            if answer.query.is_count_only {
                return Ok(answer);
            }
        }
        let count =
            answer.query.count.unwrap_or(self.search_limits.default_count).min(self.search_limits.max_count);
        fill(&reader, &queries, start, place, count, budget, &mut answer)?;
        once_each(&mut answer);
        answer.next = answer.next.map(|text| self.sealed(access, text)).transpose()?;
        access.saw_all(answer.matches.iter().chain(&answer.included));
        Ok(answer)
    }

    fn query_of(
        &self,
        search: &SystemSearch<'_>,
        resource_type: TypeId,
        pairs: &[Pair],
    ) -> Result<Query, Failure> {
        let reading =
            query::Reading { base: Some(search.base), is_lenient: search.is_lenient, ..self.reading() };
        let mut query = query::read(resource_type, pairs, reading)?;
        if let Some((owner, id)) = search.compartment {
            query.criteria.push(compartment(owner, id, resource_type)?);
        }
        if query.count == Some(0) {
            query.is_count_only = true;
        }
        Ok(query)
    }
}

/// Fills a page from one type after the other.
fn fill(
    reader: &Reader,
    queries: &[Query],
    start: Option<Start>,
    place: Place,
    count: usize,
    budget: Budget,
    answer: &mut SearchAnswer,
) -> Result<(), Failure> {
    let number = |query: &Query| r4().resource_number(query.resource_type).unwrap_or(u8::MAX);
    let first = start.as_ref().map_or(0, |s| s.type_number);
    let mut inner = start.and_then(|s| s.inner);
    for query in queries.iter().filter(|q| number(q) >= first) {
        let cursor = inner.take().filter(|_| number(query) == first);
        let left = count - answer.matches.len();
        if left == 0 {
            // The page is full; whether there is another depends on whether there is one more.
            let more = reader.search(query, place, 1, None, budget.clone())?;
            if more.matches.is_empty() {
                continue;
            }
            answer.next = Some(Start { place, type_number: number(query), inner: None }.write());
            return Ok(());
        }
        let page = reader.search(query, place, left, cursor.as_ref(), budget.clone())?;
        for (found, out) in [(&page.matches, &mut answer.matches), (&page.included, &mut answer.included)] {
            for one in found {
                out.extend(reader.kept(*one, place)?);
            }
        }
        if let Some(next) = page.next {
            answer.next = Some(Start { place, type_number: number(query), inner: Some(next) }.write());
            return Ok(());
        }
    }
    Ok(())
}

/// What one type includes may be another's match.
fn once_each(answer: &mut SearchAnswer) {
    let matches: std::collections::BTreeSet<(TypeId, &str)> =
        answer.matches.iter().map(|k| (k.resource_type, k.id.as_str())).collect();
    let mut seen = std::collections::BTreeSet::new();
    answer.included.retain(|k| {
        !matches.contains(&(k.resource_type, k.id.as_str())) && seen.insert((k.resource_type, k.id.clone()))
    });
}

/// The parameters that say as of when.
fn timing(pairs: &[Pair]) -> Vec<Pair> {
    pairs.iter().filter(|(name, _)| name == "_asOf").cloned().collect()
}
