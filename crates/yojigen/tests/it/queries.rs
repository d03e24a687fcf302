//! Searches over HTTP, compared with brute force over the files the hub was loaded from.
//!
//! The oracle is this module alone: it shares no code with the hub's search, knows only the parameters it uses
//! ([`PARAMETERS`]), and evaluates a query by looking at every resource. Its rules are those of
//! <https://hl7.org/fhir/R4/search.html>. Where the specification leaves a choice, the comment says which.
//!
//! The hub gives new ids to what a transaction creates, so the oracle must know which resource became which. It
//! pairs, type by type, the entries in the order of the archive with the hub's resources in the order of their
//! ids, and then *proves* the pairing: every raw resource, with its own id and all its references rewritten
//! through the pairing, must equal the hub's resource. A pairing that passes is an isomorphism, whatever the
//! order was; thus answers are compared by id, not as bags of contents.
//!
//! Every query has a near miss: another query, which a slightly wrong implementation would answer instead. It is
//! asked too, and the oracle's two answers must differ, so that no query passes by luck.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::Read;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::hub::{self, Hub};

// ---------------------------------------------------------------------------------------------------------------
// The queries
// ---------------------------------------------------------------------------------------------------------------

/// A query; its near miss; what is told apart. `{Type/name}` stands for the id of the first of that name or code.
type Query = (&'static str, &'static str, &'static str);

const STRINGS: &[Query] = &[
    ("Patient?family=ma", "Patient?family:contains=ma", "the beginning, not anywhere (Kuhlman)"),
    ("Patient?family=MAGG", "Patient?family:exact=MAGG", "case does not matter"),
    ("Patient?family:contains=ERT", "Patient?family=ERT", "anywhere (Reichert), in any case"),
    ("Patient?given:exact=Rob", "Patient?given=Rob", "the whole value (Roberto)"),
    ("Patient?family:exact=Gómez", "Patient?family=Gómez", "accents matter to :exact (Gomez)"),
    ("Patient?family=gomez", "Patient?family:exact=Gomez", "accents do not matter"),
    ("Patient?family=TREVIÑO", "Patient?family:exact=TREVIÑO", "accents and case in the query do not matter"),
    ("Patient?family:contains=VINO", "Patient?family=VINO", "nor within :contains"),
    ("Patient?name=mrs", "Patient?given=mrs", "a name's every part, the prefix too"),
    ("Patient?name=María Lu", "Patient?name:contains=Lu", "one value of two words"),
    ("Patient?address=boston", "Patient?address-state=boston", "an address's every part"),
    ("Patient?address-city=west", "Patient?address-city:contains=west", "Westwood, not Southwest"),
    ("Patient?address-postalcode=021", "Patient?address-postalcode:contains=021", "02108, not 01021"),
    ("Patient?address-postalcode:missing=true", "Patient?address-city:missing=true", "an absent part"),
    ("Patient?name=Schroeder,Witting", "Patient?name=Schroeder", "either"),
    ("Patient?name=louis&name=maggio", "Patient?name=louis,maggio", "both, not either"),
    (
        "Organization?name=SOUTHCOAST HOSPITAL GROUP\\, INC",
        "Organization?name=SOUTHCOAST HOSPITAL GROUP, INC",
        "an escaped comma is no OR",
    ),
    ("Observation?value-string=patient is", "Observation?value-string:exact=patient is", "a plain string"),
    ("Practitioner?name=dr.&family=k", "Practitioner?name=k,dr.", "two parameters"),
];

const TOKENS: &[Query] = &[
    ("Observation?code=http://loinc.org|10230-1", "Observation?code=http://loinc.org|1023", "whole codes"),
    ("Observation?code=10230-1", "Observation?code=http://snomed.info/sct|10230-1", "any system"),
    ("Observation?code=|local", "Observation?code=local", "no system"),
    ("Observation?code=local", "Observation?code=|local", "any system or none"),
    (
        "Observation?code=http://example.org/c|",
        "Observation?code=http://example.org/c|local",
        "a system's every code",
    ),
    ("Observation?code=http://example.org/c|local", "Observation?code=local", "that system alone"),
    ("Observation?combo-code=8480-6", "Observation?code=8480-6", "components too"),
    ("Observation?code=10230-1,8331-1", "Observation?code=10230-1", "either code"),
    ("Observation?code:not=http://loinc.org|8302-2", "Observation?code=8302-2", "all others"),
    ("Patient?gender=male", "Patient?gender=female", "a code is no part of another (female)"),
    (
        "Patient?gender=http://hl7.org/fhir/administrative-gender|male",
        "Patient?gender=female",
        "an implied system",
    ),
    ("Patient?gender:not=male", "Patient?gender=female", "those without a gender too"),
    (
        "Patient?identifier=http://hl7.org/fhir/sid/us-ssn|999-30-7608",
        "Patient?identifier=999-30",
        "whole values",
    ),
    ("Patient?identifier=s99930817", "Patient?identifier=s9993081", "values in any case"),
    (
        "Patient?identifier=http://standardhealthrecord.org/fhir/StructureDefinition/passportNumber|",
        "Patient?identifier=http://hl7.org/fhir/sid/us-ssn|",
        "who has a passport",
    ),
    ("Encounter?class=IMP,EMER", "Encounter?class=IMP", "a Coding"),
    ("Encounter?reason-code:missing=false", "Encounter?type:missing=false", "who has a reason"),
    (
        "Encounter?reason-code:not=http://snomed.info/sct|72892002",
        "Encounter?reason-code:missing=false&reason-code:not=72892002",
        "those without a reason too",
    ),
    ("Patient?deceased=true", "Patient?death-date=ge2000", "a date of death is a death"),
    ("Patient?deceased=false", "Patient?deceased=true", "no element is no death"),
    ("Patient?phone=555-186-2275", "Patient?phone=555-186", "whole numbers"),
    ("Patient?language=es,pt", "Patient?language=es", "either language"),
    ("Condition?clinical-status=active&code=38341003", "Condition?clinical-status=active", "both"),
    ("ImagingStudy?modality=DX", "ImagingStudy?modality=CT", "within the series"),
    ("AllergyIntolerance?category=environment", "AllergyIntolerance?category=food", "a list of codes"),
    ("Observation?value-concept=8517006", "Observation?value-concept:missing=false", "a coded value"),
    (
        "Patient?_tag=https://smarthealthit.org/tags|synthea-5-2019",
        "Patient?_tag=http://other|synthea-5-2019",
        "tags",
    ),
    ("Patient?_id={Patient/Hartmann},{Patient/Kihn}", "Patient?_id={Patient/Hartmann}", "two ids"),
];

const DATES: &[Query] = &[
    ("Patient?birthdate=1972", "Patient?birthdate=1972-07-30", "all the year"),
    ("Patient?birthdate=1972-07", "Patient?birthdate=1972", "all the month"),
    ("Patient?birthdate=eq1950-08-03", "Patient?birthdate=eq1950", "the day"),
    ("Patient?birthdate=ne1972", "Patient?birthdate=gt1972", "both sides"),
    ("Patient?birthdate=gt2019-05-27", "Patient?birthdate=ge2019-05-27", "after the day"),
    ("Patient?birthdate=ge2019-05-27", "Patient?birthdate=gt2019-05-27", "the day and after"),
    ("Patient?birthdate=lt1913-01-13", "Patient?birthdate=le1913-01-13", "before the day"),
    ("Patient?birthdate=le1913-01-13", "Patient?birthdate=lt1913-01-13", "the day and before"),
    ("Patient?birthdate=gt2019", "Patient?birthdate=ge2019", "after all the year"),
    ("Patient?birthdate=sa2019", "Patient?birthdate=ge2019", "starts after all the year"),
    ("Patient?birthdate=eb1913-01-13", "Patient?birthdate=le1913-01-13", "ends before the day"),
    ("Patient?birthdate=1972-07-30,1981", "Patient?birthdate=1981", "either"),
    (
        "Patient?birthdate=ge1972-03-30&birthdate=le1972-07-30",
        "Patient?birthdate=gt1972-03-30&birthdate=lt1972-07-30",
        "the ends too",
    ),
    ("Patient?birthdate:missing=true", "Patient?birthdate:missing=false", "no day of birth"),
    (
        "Patient?death-date=1999-11-08",
        "Patient?death-date=1999-11-07",
        "23:11 in Greenwich is the next day in Tokyo",
    ),
    (
        "Patient?death-date=1999-11-07T23:11:46Z",
        "Patient?death-date=1999-11-07T23:11:46",
        "a zone of its own",
    ),
    ("Patient?death-date=1999-11-08T08:11", "Patient?death-date=1999-11-08T08:12", "a minute, Tokyo's"),
    (
        "Patient?death-date=lt1999-11-07T23:11:46Z",
        "Patient?death-date=le1999-11-07T23:11:46Z",
        "before the second",
    ),
    ("Observation?code=8302-2&date=2013-02-13", "Observation?code=8302-2&date=2013-02", "the day in Tokyo"),
    (
        "Observation?date=2019-05-27",
        "Observation?date=ge2019-05-27T00:00:00Z&date=lt2019-05-28T00:00:00Z",
        "Tokyo's day is not Greenwich's",
    ),
    (
        "Observation?code=local&date=2012-10",
        "Observation?code=local&date=2012",
        "a year is not within its month",
    ),
    (
        "Observation?code=local&date=2012-10-24",
        "Observation?code=local&date=ge2012-10-24&date=le2012-10-24",
        "a month is not within its day",
    ),
    (
        "Observation?code=local&date=ne2012-10",
        "Observation?code=local&date=lt2012-10",
        "a year is not within a month",
    ),
    (
        "Observation?code=local&date=gt2012-10-24",
        "Observation?code=local&date=sa2012-10-24",
        "a month reaches beyond its day",
    ),
    (
        "Observation?code=local&date=sa2012-10-24",
        "Observation?code=local&date=gt2012-10-24",
        "but starts before it",
    ),
    (
        "Observation?code=local&date=lt2012-10-24",
        "Observation?code=local&date=eb2012-10-24",
        "a month begins before its day",
    ),
    (
        "Observation?code=local&date=eb2012-10-24",
        "Observation?code=local&date=lt2012-10-24",
        "but ends after it",
    ),
    ("Encounter?date=1951", "Encounter?date=1951-12", "periods within the year"),
    ("Encounter?date=1978-10", "Encounter?date=1978-10-03", "periods within the month"),
    ("Encounter?date=gt1951-12-03", "Encounter?date=sa1951-12-03", "a period that reaches beyond"),
    (
        "Encounter?date=ge1951-12-04",
        "Encounter?date=gt1951-12-03",
        "spec: 'ge' overlaps above, or is contained",
    ),
    (
        "Encounter?date=le1951-12-02",
        "Encounter?date=lt1951-12-03",
        "spec: 'le' overlaps below, or is contained",
    ),
    ("Encounter?date=sa2020-05-18", "Encounter?date=ge2020-05-18", "starts after"),
    ("Encounter?date=eb1951-12-04", "Encounter?date=lt1951-12-04", "ends before"),
    ("Encounter?date=ge2008-12-14&date=le2008-12-18", "Encounter?date=ge2008-12-14", "both bounds"),
    ("CarePlan?date=gt2021", "CarePlan?date=sa2021", "a period without an end lasts"),
    ("CarePlan?date=sa2020", "CarePlan?date=gt2020", "but starts when it does"),
    ("CarePlan?date=eb2000", "CarePlan?date=lt2000", "a period without an end never ends before"),
    ("CarePlan?date=2013", "CarePlan?date=ge2013&date=le2013", "nor is within a year"),
    ("CarePlan?date=ne2013", "CarePlan?date=sa2013", "all that is not within"),
    ("Procedure?date=2013-07-24", "Procedure?date=2013-07", "performedPeriod"),
    ("Condition?abatement-date:missing=true", "Condition?abatement-date:missing=false", "not over"),
    (
        "Condition?onset-date=2003-01-15T22:06:23",
        "Condition?onset-date=2003-01-15T13:06:23",
        "no zone is Tokyo",
    ),
    ("Patient?_lastUpdated=gt{moment}", "Patient?_lastUpdated=ge{moment}", "after a microsecond"),
    ("Patient?_lastUpdated=le{moment}", "Patient?_lastUpdated=lt{moment}", "up to a microsecond"),
];

/// The spec calls 10 % a recommendation, and "now" moves: what lies within 8 % must be found, beyond 12 % must not.
const APPROXIMATE: &[Query] = &[
    ("Patient?birthdate=ap1970", "Patient?birthdate=1970", "10 % of the distance to now"),
    ("Encounter?date=ap2000-01-01", "Encounter?date=2000-01-01", "periods that overlap it"),
    ("RiskAssessment?probability=ap0.3", "RiskAssessment?probability=0.3", "10 % of the number"),
    (
        "Observation?code=2339-0&value-quantity=ap100",
        "Observation?code=2339-0&value-quantity=100",
        "10 % of the amount",
    ),
];

const NUMBERS: &[Query] = &[
    ("RiskAssessment?probability=0.3", "RiskAssessment?probability=0.30", "one digit: [0.25, 0.35)"),
    ("RiskAssessment?probability=0.30", "RiskAssessment?probability=0.3", "two digits: [0.295, 0.305)"),
    (
        "RiskAssessment?probability=eq3e-1",
        "RiskAssessment?probability=eq3.0e-1",
        "the digits before the exponent",
    ),
    ("RiskAssessment?probability=ne0.3", "RiskAssessment?probability=ne0.30", "outside [0.25, 0.35)"),
    ("RiskAssessment?probability=gt0.3", "RiskAssessment?probability=ge0.3", "exactly 0.3 is not greater"),
    ("RiskAssessment?probability=ge0.3", "RiskAssessment?probability=gt0.3", "exactly 0.3 is"),
    ("RiskAssessment?probability=lt0.3", "RiskAssessment?probability=le0.3", "exactly 0.3 is not less"),
    ("RiskAssessment?probability=le0.3", "RiskAssessment?probability=lt0.3", "exactly 0.3 is"),
    ("RiskAssessment?probability=sa0.3", "RiskAssessment?probability=ge0.3", "above"),
    ("RiskAssessment?probability=eb0.3", "RiskAssessment?probability=le0.3", "below"),
    ("RiskAssessment?probability=0.1,0.4", "RiskAssessment?probability=0.10,0.40", "either"),
    ("RiskAssessment?probability:missing=true", "RiskAssessment?probability:missing=false", "none"),
];

const QUANTITIES: &[Query] = &[
    (
        "Observation?code=amount&value-quantity=5.4",
        "Observation?code=amount&value-quantity=5.40",
        "[5.35, 5.45)",
    ),
    (
        "Observation?code=amount&value-quantity=5.40",
        "Observation?code=amount&value-quantity=5.4",
        "[5.395, 5.405)",
    ),
    (
        "Observation?code=amount&value-quantity=ne5.4",
        "Observation?code=amount&value-quantity=gt5.4",
        "outside",
    ),
    ("Observation?code=amount&value-quantity=gt5.4", "Observation?code=amount&value-quantity=ge5.4", "above"),
    (
        "Observation?code=amount&value-quantity=ge5.4",
        "Observation?code=amount&value-quantity=gt5.4",
        "or exactly",
    ),
    ("Observation?code=amount&value-quantity=lt5.4", "Observation?code=amount&value-quantity=le5.4", "below"),
    (
        "Observation?code=amount&value-quantity=le5.4",
        "Observation?code=amount&value-quantity=lt5.4",
        "or exactly",
    ),
    ("Observation?code=amount&value-quantity=sa5.4", "Observation?code=amount&value-quantity=ge5.4", "above"),
    ("Observation?code=amount&value-quantity=eb5.4", "Observation?code=amount&value-quantity=le5.4", "below"),
    (
        "Observation?value-quantity=5.8|http://unitsofmeasure.org|%25",
        "Observation?value-quantity=5.8",
        "system and code of the unit",
    ),
    ("Observation?value-quantity=gt150||cm", "Observation?value-quantity=gt150", "the unit alone"),
    ("Observation?value-quantity=5.4||tablets", "Observation?value-quantity=5.4", "a unit without a code"),
    (
        "Observation?value-quantity=5.4|http://example.org/units|mg",
        "Observation?value-quantity=5.4||mg",
        "that system alone",
    ),
    ("Observation?component-value-quantity=lt69", "Observation?combo-value-quantity=lt69", "of a component"),
    (
        "Observation?code=4548-4&value-quantity=gt5.8&value-quantity=lt5.9",
        "Observation?code=4548-4&value-quantity=5.8",
        "between",
    ),
];

const REFERENCES: &[Query] = &[
    ("Observation?code=8302-2&subject=Patient/{Patient/Hartmann}", "Observation?code=8302-2", "type and id"),
    (
        "Condition?subject={Patient/Hartmann}",
        "Condition?subject={Patient/Hartmann},{Patient/Kihn}",
        "an id alone",
    ),
    ("Condition?patient={Patient/Kihn}", "Condition?patient={Patient/Hartmann}", "patient is subject"),
    (
        "Condition?subject:Patient={Patient/Kihn}",
        "Condition?subject:Patient={Patient/Hartmann}",
        "with its type",
    ),
    (
        "Condition?subject={base}/Patient/{Patient/Kihn}",
        "Condition?subject=Patient/{Patient/Hartmann}",
        "its address",
    ),
    (
        "Condition?subject=Patient/{Patient/Kihn},Patient/{Patient/Hartmann}",
        "Condition?subject=Patient/{Patient/Kihn}",
        "either",
    ),
    ("Encounter?participant=Practitioner/{Practitioner/Torphy}", "Encounter?class=EMER", "within a list"),
    ("Encounter?practitioner={Practitioner/Torphy}", "Encounter?participant:missing=false", "of that type"),
    ("Encounter?participant:missing=true", "Encounter?participant:missing=false", "nobody took part"),
    (
        "MedicationRequest?requester:missing=false&status=stopped",
        "MedicationRequest?requester:missing=false",
        "both",
    ),
    ("Observation?subject:missing=true", "Observation?subject:missing=false", "of nobody"),
    (
        "RiskAssessment?subject:identifier=http://example.org/people|P-1",
        "RiskAssessment?subject:Patient.identifier=http://example.org/people|P-1",
        "the reference's own identifier, not its target's",
    ),
    (
        "RiskAssessment?subject:identifier=P-1",
        "RiskAssessment?subject:identifier=http://example.org/people|P-1",
        "any system",
    ),
    (
        "ExplanationOfBenefit?claim=Claim/{Claim/pharmacy},Claim/{claimed}",
        "ExplanationOfBenefit?status=active",
        "a reference to a claim",
    ),
];

const URIS: &[Query] = &[
    (
        "ValueSet?url=http://example.org/fhir/ValueSet/colour",
        "ValueSet?url=http://example.org/fhir/ValueSet/Colour",
        "the whole of it, its case too",
    ),
    (
        "ValueSet?url=http://example.org/fhir/ValueSet/colour,urn:oid:1.2.3",
        "ValueSet?url=http://example.org/fhir/ValueSet/colour",
        "either",
    ),
    ("ValueSet?url:missing=true", "ValueSet?url:missing=false", "none"),
    (
        "ValueSet?_profile=http://example.org/fhir/StructureDefinition/short",
        "ValueSet?_profile:missing=false",
        "meta.profile",
    ),
    (
        "ValueSet?reference=http://example.org/colours",
        "ValueSet?reference=http://example.org/colour",
        "within the definition",
    ),
];

const COMPOSITES: &[Query] = &[
    (
        "Observation?code-value-quantity=http://loinc.org|2339-0$gt100",
        "Observation?value-quantity=gt100",
        "that code's amount",
    ),
    (
        "Observation?component-code-value-quantity=http://loinc.org|8462-4$gt95",
        "Observation?component-code=http://loinc.org|8462-4&component-value-quantity=gt95",
        "both of one component (the other may be above)",
    ),
    (
        "Observation?component-code-value-quantity=8480-6$lt115,8462-4$gt110",
        "Observation?component-code-value-quantity=8480-6$lt115",
        "either pair",
    ),
    (
        "Observation?component-code-value-quantity=8480-6$ge150&component-code-value-quantity=8462-4$lt90",
        "Observation?component-code-value-quantity=8480-6$ge150",
        "a pair each from two components",
    ),
    (
        "Observation?combo-code-value-quantity=8462-4$gt95",
        "Observation?code-value-quantity=8462-4$gt95",
        "of a component too",
    ),
    (
        "Observation?code-value-concept=http://loinc.org|72166-2$http://snomed.info/sct|8517006",
        "Observation?code=http://loinc.org|72166-2",
        "that code's coded value",
    ),
    (
        "Observation?code-value-quantity=4548-4$5.8|http://unitsofmeasure.org|%25",
        "Observation?code-value-quantity=4548-4$5.80|http://unitsofmeasure.org|%25",
        "with a unit and its precision",
    ),
];

const CHAINS: &[Query] = &[
    (
        "Observation?code=8302-2&subject:Patient.name=schro",
        "Observation?code=8302-2&subject:Patient.name:contains=ro",
        "the subject's name",
    ),
    (
        "Observation?code=8302-2&patient.birthdate=lt1932-06-09",
        "Observation?code=8302-2&patient.birthdate=le1932-06-09",
        "a day at the bound",
    ),
    (
        "Condition?patient.gender=female&patient.birthdate=ge2000",
        "Condition?patient.gender=female",
        "two chains",
    ),
    ("Condition?patient.family=Witting,Kihn", "Condition?patient.family=Witting", "either"),
    ("Condition?patient.family:exact=Green", "Condition?patient.family=Green", "a modifier at the end"),
    (
        "Encounter?service-provider.name=lowell",
        "Encounter?service-provider.name:contains=hospital",
        "of an Organization",
    ),
    (
        "Condition?encounter:Encounter.service-provider:Organization.name=norwood",
        "Condition?encounter:missing=false",
        "two steps",
    ),
    (
        "DiagnosticReport?result.code-value-quantity=2339-0$gt100",
        "DiagnosticReport?result.code=2339-0",
        "a composite at the end",
    ),
    (
        "Patient?_has:Observation:patient:code=10230-1",
        "Patient?_has:Observation:patient:code=8302-2",
        "who has one",
    ),
    (
        "Patient?_has:Condition:patient:code=44054006&_has:Condition:patient:code=38341003",
        "Patient?_has:Condition:patient:code=44054006,38341003",
        "both, not either",
    ),
    (
        "Patient?_has:Observation:patient:code-value-quantity=2339-0$gt120",
        "Patient?_has:Observation:patient:value-quantity=gt120",
        "a composite at the end",
    ),
    (
        "Practitioner?_has:Encounter:participant:class=EMER",
        "Practitioner?_has:Encounter:participant:class=AMB",
        "who was there",
    ),
    (
        "Organization?_has:Encounter:service-provider:_has:Condition:encounter:code=38341003",
        "Organization?_has:Encounter:service-provider:class=AMB",
        "two steps back",
    ),
    (
        "Patient?gender=female&_has:Encounter:patient:class=IMP",
        "Patient?_has:Encounter:patient:class=IMP",
        "with another",
    ),
    (
        "Condition?patient._has:Encounter:patient:class=IMP",
        "Condition?patient.gender=female",
        "there and back",
    ),
];

const COMPARTMENTS: &[Query] = &[
    ("Patient/{Patient/Hartmann}/Observation?code=8302-2", "Observation?code=8302-2", "that person's"),
    ("Patient/{Patient/Hartmann}/Condition", "Patient/{Patient/Kihn}/Condition", "another's"),
    ("Patient/{Patient/Kihn}/Encounter?date=ge2015", "Patient/{Patient/Kihn}/Encounter", "with a date"),
    ("Patient/{Patient/Kihn}/Claim", "Claim?use=claim", "the insured's claims"),
    ("Encounter/{seen}/Observation", "Observation?status=final", "what was seen at an encounter"),
    ("Practitioner/{Practitioner/Torphy}/Encounter", "Encounter?class=AMB", "whom one has seen"),
];

const TABLES: &[(&str, &[Query])] = &[
    ("string", STRINGS),
    ("token", TOKENS),
    ("date", DATES),
    ("approximate", APPROXIMATE),
    ("number", NUMBERS),
    ("quantity", QUANTITIES),
    ("reference", REFERENCES),
    ("uri", URIS),
    ("composite", COMPOSITES),
    ("chain", CHAINS),
    ("compartment", COMPARTMENTS),
];

/// A query with `_include` or `_revinclude`; and the types of what comes along, none of which is a match.
const INCLUDES: &[(&str, &[&str])] = &[
    ("Condition?code=38341003&_include=Condition:subject", &["Patient"]),
    (
        "Condition?code=38341003&_include=Condition:patient&_include=Condition:encounter",
        &["Encounter", "Patient"],
    ),
    ("Encounter?class=EMER&_include=Encounter:participant:Practitioner", &["Practitioner"]),
    (
        "MedicationRequest?status=stopped&authoredon=ge2019&_include=MedicationRequest:encounter&_include:iterate=Encounter:service-provider",
        &["Encounter", "Organization"],
    ),
    ("Patient?family=schr&_revinclude=Condition:patient", &["Condition"]),
    (
        "Patient?family=kihn&_revinclude=Encounter:patient&_revinclude=Condition:subject",
        &["Condition", "Encounter"],
    ),
];

/// A query with `_sort`, and the elements whose values must stand in that order.
const SORTS: &[(&str, &[&str])] = &[
    ("Patient?birthdate:missing=false&_sort=birthdate", &["birthDate"]),
    ("Patient?birthdate:missing=false&_sort=-birthdate", &["birthDate"]),
    ("Patient?birthdate=ne1900&_sort=gender,-birthdate", &["gender", "birthDate"]),
    ("Observation?code=8302-2&_sort=date", &["effectiveDateTime"]),
    ("Observation?code=8302-2&_sort=-date", &["effectiveDateTime"]),
    ("Observation?code=4548-4&_sort=-value-quantity", &["valueQuantity.value"]),
    ("RiskAssessment?probability:missing=false&_sort=-probability", &["prediction.probabilityDecimal"]),
    ("Condition?code=444814009&_sort=code,-onset-date", &["code.coding.code", "onsetDateTime"]),
    ("Patient?_sort=_lastUpdated,-_id", &["meta.lastUpdated", "id"]),
];

/// What cannot be asked; the words the OperationOutcome must have.
const ERRORS: &[(&str, &[&str])] = &[
    ("Patient?birthdat=2000", &["birthdat", "birthdate"]),
    ("Patient?nmae=x", &["nmae", "name"]),
    ("Observation?codes=1", &["codes", "code"]),
    ("Patient?birthdate:exact=2000", &[":exact", "date"]),
    ("Patient?name:foo=x", &[":foo", ":contains"]),
    ("ValueSet?url:below=http://example.org/", &[":below", ":missing"]),
    ("Patient?birthdate=2000-13", &["birthdate", "2000-13"]),
    ("Patient?birthdate=2001-02-29", &["birthdate", "2001-02-29"]),
    ("Patient?birthdate=zz2000", &["zz", "sa"]),
    ("Observation?value-quantity=xx5.4", &["xx", "ap"]),
    ("RiskAssessment?probability=high", &["probability", "high"]),
    ("Observation?code-value-quantity=8302-2", &["code-value-quantity", "8302-2"]),
    ("Patient?family:missing=maybe", &["family:missing", "true"]),
    ("Patient?_sort=brithdate", &["_sort", "brithdate", "birthdate"]),
    ("Condition?_include=Condition:subjct", &["_include", "subjct", "subject"]),
    ("Patient?_has:Observation:subjct:code=1", &["_has", "subjct", "subject"]),
    ("Condition?patient.gendr=male", &["patient.gendr", "gender"]),
    ("Patient?_count=-1", &["_count", "-1"]),
    ("Patient?name=", &["name"]),
];

// ---------------------------------------------------------------------------------------------------------------
// The parameters the oracle knows
// ---------------------------------------------------------------------------------------------------------------

#[derive(Clone, Copy)]
enum Kind {
    Text,
    Token,
    /// A code, with the system its binding implies.
    Code(&'static str),
    /// True when there is a value other than false (`deceased`).
    Exists,
    Date,
    Number,
    Quantity,
    Uri,
    /// With the types that may be meant.
    Reference(&'static [&'static str]),
}

use Kind::{Code, Date, Exists, Number, Quantity, Reference, Text, Token, Uri};

/// Type, parameter, kind, elements.
type Parameter = (&'static str, &'static str, Kind, &'static [&'static str]);

const PATIENT: Kind = Reference(&["Patient"]);
const GENDER: Kind = Code("http://hl7.org/fhir/administrative-gender");

const PARAMETERS: &[Parameter] = &[
    ("*", "_id", Token, &["id"]),
    ("*", "_lastUpdated", Date, &["meta.lastUpdated"]),
    ("*", "_tag", Token, &["meta.tag"]),
    ("*", "_profile", Uri, &["meta.profile"]),
    ("AllergyIntolerance", "category", Token, &["category"]),
    ("CarePlan", "date", Date, &["period"]),
    ("Claim", "use", Token, &["use"]),
    ("Claim", "patient", PATIENT, &["patient"]),
    ("Condition", "abatement-date", Date, &["abatementDateTime"]),
    ("Condition", "clinical-status", Token, &["clinicalStatus"]),
    ("Condition", "code", Token, &["code"]),
    ("Condition", "encounter", Reference(&["Encounter"]), &["encounter"]),
    ("Condition", "onset-date", Date, &["onsetDateTime"]),
    ("Condition", "patient", PATIENT, &["subject"]),
    ("Condition", "subject", PATIENT, &["subject"]),
    ("DiagnosticReport", "result", Reference(&["Observation"]), &["result"]),
    ("Encounter", "class", Token, &["class"]),
    ("Encounter", "date", Date, &["period"]),
    ("Encounter", "participant", Reference(&["Practitioner"]), &["participant.individual"]),
    ("Encounter", "patient", PATIENT, &["subject"]),
    ("Encounter", "practitioner", Reference(&["Practitioner"]), &["participant.individual"]),
    ("Encounter", "reason-code", Token, &["reasonCode"]),
    ("Encounter", "service-provider", Reference(&["Organization"]), &["serviceProvider"]),
    ("Encounter", "type", Token, &["type"]),
    ("ExplanationOfBenefit", "claim", Reference(&["Claim"]), &["claim"]),
    ("ExplanationOfBenefit", "status", Token, &["status"]),
    ("ImagingStudy", "modality", Token, &["series.modality"]),
    ("MedicationRequest", "authoredon", Date, &["authoredOn"]),
    ("MedicationRequest", "encounter", Reference(&["Encounter"]), &["encounter"]),
    ("MedicationRequest", "requester", Reference(&["Practitioner"]), &["requester"]),
    ("MedicationRequest", "status", Token, &["status"]),
    ("Observation", "code", Token, &["code"]),
    ("Observation", "combo-code", Token, &["code", "component.code"]),
    ("Observation", "combo-value-quantity", Quantity, &["valueQuantity", "component.valueQuantity"]),
    ("Observation", "component-code", Token, &["component.code"]),
    ("Observation", "component-value-quantity", Quantity, &["component.valueQuantity"]),
    ("Observation", "date", Date, &["effectiveDateTime", "effectivePeriod"]),
    ("Observation", "encounter", Reference(&["Encounter"]), &["encounter"]),
    ("Observation", "patient", PATIENT, &["subject"]),
    ("Observation", "status", Token, &["status"]),
    ("Observation", "subject", PATIENT, &["subject"]),
    ("Observation", "value-concept", Token, &["valueCodeableConcept"]),
    ("Observation", "value-quantity", Quantity, &["valueQuantity"]),
    ("Observation", "value-string", Text, &["valueString"]),
    ("Organization", "name", Text, &["name", "alias"]),
    ("Patient", "address", Text, &["address"]),
    ("Patient", "address-city", Text, &["address.city"]),
    ("Patient", "address-postalcode", Text, &["address.postalCode"]),
    ("Patient", "address-state", Text, &["address.state"]),
    ("Patient", "birthdate", Date, &["birthDate"]),
    ("Patient", "death-date", Date, &["deceasedDateTime"]),
    ("Patient", "deceased", Exists, &["deceasedDateTime", "deceasedBoolean"]),
    ("Patient", "family", Text, &["name.family"]),
    ("Patient", "gender", GENDER, &["gender"]),
    ("Patient", "given", Text, &["name.given"]),
    ("Patient", "identifier", Token, &["identifier"]),
    ("Patient", "language", Token, &["communication.language"]),
    ("Patient", "name", Text, &["name"]),
    ("Patient", "phone", Token, &["telecom"]),
    ("Practitioner", "family", Text, &["name.family"]),
    ("Practitioner", "name", Text, &["name"]),
    ("Procedure", "date", Date, &["performedPeriod"]),
    ("RiskAssessment", "probability", Number, &["prediction.probabilityDecimal"]),
    ("RiskAssessment", "subject", PATIENT, &["subject"]),
    ("ValueSet", "reference", Uri, &["compose.include.system"]),
    ("ValueSet", "url", Uri, &["url"]),
];

/// A part of a composite: its kind, and its element from the base on.
type Part = (Kind, &'static str);

/// Parameter of Observation, bases (empty: the resource), the two parts.
const PAIRS: &[(&str, &[&str], Part, Part)] = &[
    ("code-value-quantity", &[""], (Token, "code"), (Quantity, "valueQuantity")),
    ("code-value-concept", &[""], (Token, "code"), (Token, "valueCodeableConcept")),
    ("component-code-value-quantity", &["component"], (Token, "code"), (Quantity, "valueQuantity")),
    ("combo-code-value-quantity", &["", "component"], (Token, "code"), (Quantity, "valueQuantity")),
];

/// The elements that put a resource into a compartment (as far as the data has them).
const MEMBERS: &[(&str, &str, &str)] = &[
    ("Patient", "Claim", "patient"),
    ("Patient", "Condition", "subject"),
    ("Patient", "Encounter", "subject"),
    ("Patient", "Observation", "subject"),
    ("Encounter", "Observation", "encounter"),
    ("Practitioner", "Encounter", "participant.individual"),
];

// ---------------------------------------------------------------------------------------------------------------
// Values: numbers, moments, texts
// ---------------------------------------------------------------------------------------------------------------

/// How wide `ap` is, in percent.
const AP_INNER: i128 = 8;
const AP_OUTER: i128 = 12;

/// Numbers are counted in units of 10⁻²⁰, so that every decimal of the data is exact.
const DIGITS: usize = 20;

/// A number as written: its value, and half a unit of its last digit.
fn number(text: &str) -> (i128, i128) {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let exponent: i32 = exponent.parse().unwrap();
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits: i128 = format!("{whole}{fraction}").parse().unwrap();
    let unit = i32::try_from(DIGITS).unwrap() + exponent - i32::try_from(fraction.len()).unwrap();
    let unit = 10_i128.pow(u32::try_from(unit).unwrap());
    (digits * unit, unit / 2)
}

/// Microseconds since 1970, from (inclusive) and to (exclusive).
type Interval = (i128, i128);

const SECOND: i128 = 1_000_000;
const DAY: i128 = 86_400 * SECOND;
const TOKYO: i128 = 9 * 3600 * SECOND;
const FOREVER: i128 = i128::MAX / 4;

fn leap(year: i128) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

/// Days from 1970-01-01 to the first of a month, counted year by year and month by month.
fn first_of(year: i128, month: i128) -> i128 {
    let years: i128 = (1800..year).map(|y| if leap(y) { 366 } else { 365 }).sum();
    let months = [31, if leap(year) { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let months: i128 = months.iter().take(usize::try_from(month - 1).unwrap()).sum();
    years + months - 62_091 // 1800-01-01 to 1970-01-01
}

/// The interval a date, dateTime or instant means.
fn interval(text: &str) -> Interval {
    let (date, time) = text.split_once('T').unwrap_or((text, ""));
    let fields: Vec<i128> = date.split('-').map(|f| f.parse().unwrap()).collect();
    if let [year] = fields[..] {
        return (first_of(year, 1) * DAY - TOKYO, first_of(year + 1, 1) * DAY - TOKYO);
    }
    if let [year, month] = fields[..] {
        let (y, m) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
        return (first_of(year, month) * DAY - TOKYO, first_of(y, m) * DAY - TOKYO);
    }
    let day = (first_of(fields[0], fields[1]) + fields[2] - 1) * DAY;
    if time.is_empty() {
        return (day - TOKYO, day + DAY - TOKYO);
    }
    let (clock, zone) = split_zone(time);
    let (from, width) = clock_time(clock);
    (day + from - zone, day + from - zone + width)
}

/// A time and its offset; without one it is Tokyo's.
fn split_zone(time: &str) -> (&str, i128) {
    if let Some(clock) = time.strip_suffix('Z') {
        return (clock, 0);
    }
    let Some(at) = time.find(['+', '-']) else { return (time, TOKYO) };
    let (from, _) = clock_time(&time[at + 1..]);
    (&time[..at], if time[at..].starts_with('-') { -from } else { from })
}

/// `hh:mm`, `hh:mm:ss` or `hh:mm:ss.fff`: since midnight, and how long it lasts.
fn clock_time(clock: &str) -> (i128, i128) {
    let fields: Vec<&str> = clock.split(':').collect();
    let minutes = fields[0].parse::<i128>().unwrap() * 60 + fields[1].parse::<i128>().unwrap();
    let Some(seconds) = fields.get(2) else { return (minutes * 60 * SECOND, 60 * SECOND) };
    let (whole, fraction) = seconds.split_once('.').unwrap_or((seconds, ""));
    let micros: i128 = format!("{fraction:0<6}")[..6].parse().unwrap();
    let from = (minutes * 60 + whole.parse::<i128>().unwrap()) * SECOND + micros;
    (from, SECOND / 10_i128.pow(u32::try_from(fraction.len().min(6)).unwrap()))
}

fn now() -> i128 {
    i128::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros()).unwrap()
}

/// A dateTime's interval, or a Period's, which may lack an end.
fn element_interval(value: &Value) -> Interval {
    if let Some(text) = value.as_str() {
        return interval(text);
    }
    let side = |name: &str| value[name].as_str().map(interval);
    (side("start").map_or(-FOREVER, |i| i.0), side("end").map_or(FOREVER, |i| i.1))
}

/// A text without case and accents (those that occur in the data).
fn folded(text: &str) -> String {
    let plain = |c: char| match c {
        'á' | 'å' => 'a',
        'é' => 'e',
        'í' => 'i',
        'ñ' => 'n',
        'ó' | 'ö' => 'o',
        'ú' | 'ü' => 'u',
        _ => c,
    };
    text.chars().flat_map(char::to_lowercase).map(plain).collect()
}

/// The two-letter prefix of an ordered value.
fn prefixed(text: &str) -> (&str, &str) {
    if text.starts_with(|c: char| c.is_ascii_lowercase()) { text.split_at(2) } else { ("eq", text) }
}

/// Splits where the separator is not escaped; the escapes stay.
fn split(text: &str, separator: char) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut escaped = false;
    for c in text.chars() {
        if c == separator && !escaped {
            parts.push(String::new());
        } else {
            parts.last_mut().unwrap().push(c);
        }
        escaped = c == '\\' && !escaped;
    }
    parts
}

fn unescaped(text: &str) -> String {
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        out.extend(if c == '\\' { chars.next() } else { Some(c) });
    }
    out
}

// ---------------------------------------------------------------------------------------------------------------
// Elements
// ---------------------------------------------------------------------------------------------------------------

/// All values at a path, through lists.
fn at<'v>(value: &'v Value, path: &str) -> Vec<&'v Value> {
    let mut found = vec![value];
    for name in path.split('.').filter(|n| !n.is_empty()) {
        found = found.into_iter().flat_map(items).filter_map(|v| v.get(name)).collect();
    }
    found.into_iter().flat_map(items).collect()
}

fn items(value: &Value) -> Vec<&Value> {
    value.as_array().map_or_else(|| vec![value], |list| list.iter().collect())
}

/// The strings of a string, a HumanName or an Address.
fn texts(value: &Value) -> Vec<&str> {
    const PARTS: &[&str] = &[
        "family",
        "given",
        "prefix",
        "suffix",
        "text",
        "line",
        "city",
        "district",
        "state",
        "postalCode",
        "country",
    ];
    if let Some(text) = value.as_str() {
        return vec![text];
    }
    PARTS.iter().flat_map(|part| at(value, part)).filter_map(Value::as_str).collect()
}

/// System, value, and whether case matters not (identifiers), of whatever a token may be about.
///
/// A code's case is that of its system. The specification lets servers ignore it "when in doubt"; no query here
/// depends on it. Of identifiers there is doubt.
fn codes(value: &Value) -> Vec<(Option<&str>, String, bool)> {
    let one = |v: &Value| -> Option<String> {
        v.as_str().map(str::to_owned).or_else(|| v.as_bool().map(|b| b.to_string()))
    };
    if let Some(code) = one(value) {
        return vec![(None, code, false)];
    }
    if let Some(codings) = value.get("coding") {
        return items(codings).into_iter().flat_map(codes).collect();
    }
    let system = value["system"].as_str();
    if let Some(code) = one(&value["code"]) {
        return vec![(system, code, false)];
    }
    one(&value["value"]).map(|v| (system, v, true)).into_iter().collect()
}

/// Does a token match a wanted `code`, `system|code`, `|code` or `system|`?
fn is_token(value: &Value, implied: Option<&str>, wanted: &str) -> bool {
    let wanted: Vec<String> = split(wanted, '|').iter().map(|p| unescaped(p)).collect();
    codes(value).iter().any(|(system, code, caseless)| {
        let same = |w: &str| if *caseless { w.eq_ignore_ascii_case(code) } else { w == code };
        match &wanted[..] {
            [code] => same(code),
            [want, code] if want.is_empty() => system.is_none() && same(code),
            [want, code] => system.or(implied) == Some(want.as_str()) && (code.is_empty() || same(code)),
            _ => unreachable!(),
        }
    })
}

fn is_text(value: &Value, modifier: Option<&str>, wanted: &str) -> bool {
    let wanted = unescaped(wanted);
    texts(value).into_iter().any(|text| match modifier {
        Some("exact") => text == wanted,
        Some("contains") => folded(text).contains(&folded(&wanted)),
        _ => folded(text).starts_with(&folded(&wanted)),
    })
}

/// The table of prefixes: `(a, b)` is what was asked for, `(from, to)` what the resource has.
fn is_date(value: &Value, ap: i128, wanted: &str) -> bool {
    let (prefix, text) = prefixed(wanted);
    let (a, b) = interval(text);
    let (from, to) = element_interval(value);
    let contained = a <= from && to <= b;
    match prefix {
        "eq" => contained,
        "ne" => !contained,
        "gt" => to > b,
        "lt" => from < a,
        "ge" => to > b || contained,
        "le" => from < a || contained,
        "sa" => from >= b,
        "eb" => to <= a,
        "ap" => {
            let slack = (now() - a).abs() * ap / 100;
            from < b + slack && to > a - slack
        }
        _ => unreachable!("{prefix}"),
    }
}

/// A number in the data is a point; with the ordering prefixes the one asked for is, too.
fn is_number(value: &Value, ap: i128, wanted: &str) -> bool {
    let (prefix, text) = prefixed(wanted);
    let (sought, half) = number(text);
    let (found, _) = number(&value.to_string());
    let within = sought - half <= found && found < sought + half;
    match prefix {
        "eq" => within,
        "ne" => !within,
        "gt" | "sa" => found > sought,
        "lt" | "eb" => found < sought,
        "ge" => found >= sought,
        "le" => found <= sought,
        "ap" => (found - sought).abs() * 100 <= sought.abs() * ap,
        _ => unreachable!("{prefix}"),
    }
}

/// `number`, `number|system|code` or `number||unit`, the last of which is about code or unit.
fn is_quantity(value: &Value, ap: i128, wanted: &str) -> bool {
    let parts = split(wanted, '|');
    let unit = match &parts[1..] {
        [] => true,
        [system, code] if system.is_empty() => value["code"] == code[..] || value["unit"] == code[..],
        [system, code] => value["system"] == system[..] && value["code"] == code[..],
        _ => unreachable!(),
    };
    unit && value.get("value").is_some_and(|v| is_number(v, ap, &parts[0]))
}

// ---------------------------------------------------------------------------------------------------------------
// The oracle
// ---------------------------------------------------------------------------------------------------------------

/// What the hub must hold, and by whose id; resources are known by their place.
struct World {
    resources: Vec<Value>,
    /// `Type/id` to the place.
    places: HashMap<String, usize>,
    by_type: BTreeMap<String, Vec<usize>>,
    base: String,
    moment: String,
    ap: i128,
}

type Places = BTreeSet<usize>;

impl World {
    fn new(resources: Vec<Value>, base: &str) -> World {
        let mut places = HashMap::new();
        let mut by_type: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (place, resource) in resources.iter().enumerate() {
            places.insert(address(resource), place);
            by_type.entry(type_of(resource).to_owned()).or_default().push(place);
        }
        let mut moments: Vec<&str> =
            by_type["Patient"].iter().filter_map(|&p| resources[p]["meta"]["lastUpdated"].as_str()).collect();
        moments.sort_unstable();
        let moment = moments[moments.len() / 2].to_owned();
        World { resources, places, by_type, base: base.to_owned(), moment, ap: AP_INNER }
    }

    fn of_type(&self, name: &str) -> Places {
        self.by_type.get(name).into_iter().flatten().copied().collect()
    }

    /// The resource a Reference is to, if the hub has it.
    fn target(&self, reference: &Value) -> Option<usize> {
        self.places.get(reference["reference"].as_str()?).copied()
    }

    /// The resources a parameter of a resource refers to.
    fn targets(&self, place: usize, parameter: &Parameter) -> Places {
        values(&self.resources[place], parameter).into_iter().filter_map(|v| self.target(v)).collect()
    }

    /// The resources `[compartment/id/]Type?query` is about.
    fn answer(&self, query: &str) -> Places {
        let (path, query) = query.split_once('?').unwrap_or((query, ""));
        let steps: Vec<&str> = path.split('/').collect();
        let name = *steps.last().unwrap();
        let mut found = self.of_type(name);
        if let [compartment, id, _] = steps[..] {
            let (_, _, element) = MEMBERS.iter().find(|m| m.0 == compartment && m.1 == name).unwrap();
            let owner = self.places[&format!("{compartment}/{id}")];
            found.retain(|&p| {
                at(&self.resources[p], element).into_iter().any(|v| self.target(v) == Some(owner))
            });
        }
        for (parameter, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
            if !is_control(parameter) {
                found = &found & &self.matching(name, parameter, &value.replace("%25", "%"));
            }
        }
        found
    }

    /// The resources of a type that one `parameter=value` selects.
    fn matching(&self, name: &str, parameter: &str, value: &str) -> Places {
        if let Some(path) = parameter.strip_prefix("_has:") {
            let [source, reference, rest] = path.splitn(3, ':').collect::<Vec<_>>()[..] else {
                unreachable!()
            };
            let reference = find(source, reference);
            let sources = self.matching(source, rest, value);
            let found: Places = sources.iter().flat_map(|&p| self.targets(p, reference)).collect();
            return &found & &self.of_type(name);
        }
        if let Some((link, rest)) = parameter.split_once('.') {
            return self.chained(name, link, rest, value);
        }
        let (parameter, modifier) = split_modifier(parameter);
        if modifier == Some("not") {
            return &self.of_type(name) - &self.matching(name, parameter, value);
        }
        let places = self.of_type(name).into_iter();
        if let Some((_, bases, left, right)) =
            PAIRS.iter().find(|p| p.0 == parameter && name == "Observation")
        {
            return places.filter(|&p| self.has_pair(p, bases, [left, right], value)).collect();
        }
        let parameter = find(name, parameter);
        if modifier == Some("missing") {
            return places
                .filter(|&p| values(&self.resources[p], parameter).is_empty() == (value == "true"))
                .collect();
        }
        places.filter(|&p| self.selects(p, parameter, modifier, value)).collect()
    }

    fn chained(&self, name: &str, link: &str, rest: &str, value: &str) -> Places {
        let (link, asked) = split_modifier(link);
        let link = find(name, link);
        let Reference(types) = link.2 else { panic!("{} is no reference", link.1) };
        let types = types.iter().filter(|t| asked.is_none_or(|a| a == **t));
        let ends: Places = types.flat_map(|t| self.matching(t, rest, value)).collect();
        self.of_type(name).into_iter().filter(|&p| !self.targets(p, link).is_disjoint(&ends)).collect()
    }

    /// Both parts must be of the same base, or else parts of two components would make a pair.
    fn has_pair(&self, place: usize, bases: &[&str], parts: [&Part; 2], value: &str) -> bool {
        let mut bases = bases.iter().flat_map(|base| at(&self.resources[place], base));
        bases.any(|base| {
            split(value, ',').iter().any(|pair| {
                let wanted = split(pair, '$');
                let holds = |((kind, path), w): (&Part, &String)| {
                    at(base, path).into_iter().any(|v| self.is(v, *kind, None, w))
                };
                parts.into_iter().zip(&wanted).all(holds)
            })
        })
    }

    fn selects(&self, place: usize, parameter: &Parameter, modifier: Option<&str>, value: &str) -> bool {
        let found = values(&self.resources[place], parameter);
        if matches!(parameter.2, Exists) {
            return found.iter().any(|v| **v != Value::Bool(false)) == (value == "true");
        }
        split(value, ',').iter().any(|w| found.iter().any(|v| self.is(v, parameter.2, modifier, w)))
    }

    /// Does one element match one wanted value?
    fn is(&self, value: &Value, kind: Kind, modifier: Option<&str>, wanted: &str) -> bool {
        match kind {
            Text => is_text(value, modifier, wanted),
            Token => is_token(value, None, wanted),
            Code(system) => is_token(value, Some(system), wanted),
            Date => is_date(value, self.ap, wanted),
            Number => is_number(value, self.ap, wanted),
            Quantity => is_quantity(value, self.ap, wanted),
            Uri => value == wanted,
            Reference(_) if modifier == Some("identifier") => is_token(&value["identifier"], None, wanted),
            Reference(types) => self.is_reference(value, modifier.map_or(types, |_| types), modifier, wanted),
            Exists => unreachable!(),
        }
    }

    fn is_reference(&self, value: &Value, types: &[&str], modifier: Option<&str>, wanted: &str) -> bool {
        let Some(reference) = value["reference"].as_str() else { return false };
        let wanted = wanted.strip_prefix(&format!("{}/", self.base)).unwrap_or(wanted);
        let types = types.iter().filter(|t| modifier.is_none_or(|m| m == **t));
        if wanted.contains('/') {
            reference == wanted
        } else {
            types.into_iter().any(|t| reference == format!("{t}/{wanted}"))
        }
    }

    /// A query with its `{…}` filled in.
    fn filled(&self, query: &str) -> String {
        let mut out = query.to_owned();
        while let Some((before, rest)) = out.split_once('{') {
            let (name, after) = rest.split_once('}').unwrap();
            out = format!("{before}{}{after}", self.named(name));
        }
        out
    }

    fn named(&self, name: &str) -> String {
        let first = |wanted: &dyn Fn(&Value) -> bool| {
            self.resources.iter().find(|r| wanted(r)).unwrap_or_else(|| panic!("nothing is {name}"))
        };
        match name {
            "base" => self.base.clone(),
            "moment" => self.moment.clone(),
            "seen" => {
                let seen = first(&|r| type_of(r) == "Observation" && r.get("encounter").is_some());
                seen["encounter"]["reference"].as_str().unwrap().replace("Encounter/", "")
            }
            "claimed" => {
                let claimed = first(&|r| type_of(r) == "ExplanationOfBenefit");
                claimed["claim"]["reference"].as_str().unwrap().replace("Claim/", "")
            }
            _ => {
                let (kind, name) = name.split_once('/').unwrap();
                let is = |r: &Value| {
                    at(r, "name.family").iter().chain(&at(r, "type.coding.code")).any(|v| **v == name)
                };
                first(&|r| type_of(r) == kind && is(r))["id"].as_str().unwrap().to_owned()
            }
        }
    }

    fn addresses(&self, places: &Places) -> BTreeSet<String> {
        places.iter().map(|&p| address(&self.resources[p])).collect()
    }
}

fn is_control(parameter: &str) -> bool {
    const CONTROLS: &[&str] = &["_include", "_revinclude", "_sort", "_count", "_total", "_summary"];
    CONTROLS.contains(&parameter.split(':').next().unwrap())
}

fn find(name: &str, parameter: &str) -> &'static Parameter {
    let found = PARAMETERS.iter().find(|p| (p.0 == name || p.0 == "*") && p.1 == parameter);
    found.unwrap_or_else(|| panic!("the oracle does not know {name}?{parameter}"))
}

fn split_modifier(parameter: &str) -> (&str, Option<&str>) {
    parameter.split_once(':').map_or((parameter, None), |(p, m)| (p, Some(m)))
}

fn values<'v>(resource: &'v Value, parameter: &Parameter) -> Vec<&'v Value> {
    parameter.3.iter().flat_map(|path| at(resource, path)).collect()
}

fn type_of(resource: &Value) -> &str {
    resource["resourceType"].as_str().unwrap()
}

fn address(resource: &Value) -> String {
    format!("{}/{}", type_of(resource), resource["id"].as_str().unwrap())
}

// ---------------------------------------------------------------------------------------------------------------
// The data, and which of it is which in the hub
// ---------------------------------------------------------------------------------------------------------------

/// What Synthea has not: numbers, uris, partial dates, references by identifier, amounts at the edge.
fn extras() -> Vec<Value> {
    let mut all = vec![
        json!({"resourceType": "Patient", "id": "q-nobody", "active": true}),
        json!({"resourceType": "Patient", "id": "q-gomez", "name": [{"family": "Gomez", "given": ["Lu"]}],
               "birthDate": "2001-01-01", "gender": "other",
               "identifier": [{"system": "http://example.org/people", "value": "P-1"}]}),
        json!({"resourceType": "Patient", "id": "q-postcode", "address": [{"city": "Southwest", "postalCode": "01021"}]}),
        json!({"resourceType": "Organization", "id": "q-old", "name": "Southcoast Hospital Group"}),
    ];
    let people = [
        ("0.1", json!({"reference": "Patient/q-gomez"})),
        ("0.25", json!({"identifier": {"system": "http://example.org/people", "value": "P-1"}})),
        ("0.3", json!({"identifier": {"system": "http://example.org/other", "value": "P-1"}})),
        ("0.349", json!({"identifier": {"system": "http://example.org/people", "value": "P-11"}})),
        ("0.35", json!({"reference": "Patient/q-nobody"})),
        ("0.4", json!({"reference": "Patient/q-nobody"})),
        ("", json!({"reference": "Patient/q-nobody"})),
    ];
    for (n, (probability, subject)) in people.into_iter().enumerate() {
        let mut risk = json!({"resourceType": "RiskAssessment", "id": format!("q-risk-{n}"), "status": "final", "subject": subject});
        if !probability.is_empty() {
            let probability: Value = serde_json::from_str(probability).unwrap();
            risk["prediction"] = json!([{"probabilityDecimal": probability}]);
        }
        all.push(risk);
    }
    let urls = [
        "http://example.org/fhir/ValueSet/colour",
        "http://example.org/fhir/ValueSet/Colour",
        "http://example.org/fhir/ValueSet/colour-old",
        "http://example.org/fhir/ValueSet",
        "urn:oid:1.2.3",
        "",
    ];
    for (n, url) in urls.into_iter().enumerate() {
        all.push(value_set(n, url));
    }
    for (n, categories) in [&["food", "environment"][..], &["environment"], &[]].into_iter().enumerate() {
        let mut allergy = json!({"resourceType": "AllergyIntolerance", "id": format!("q-allergy-{n}"),
            "patient": {"reference": "Patient/q-nobody"}});
        if !categories.is_empty() {
            allergy["category"] = json!(categories);
        }
        all.push(allergy);
    }
    all.extend(partial_dates());
    all.extend(amounts());
    all
}

fn value_set(n: usize, url: &str) -> Value {
    let profile = [
        "http://example.org/fhir/StructureDefinition/short",
        "http://example.org/fhir/StructureDefinition/shorter",
    ][n % 2];
    let system = ["http://example.org/colours", "http://example.org/colour"][n % 2];
    let mut set = json!({"resourceType": "ValueSet", "id": format!("q-set-{n}"), "status": "active",
        "meta": {"profile": [profile]}, "compose": {"include": [{"system": system}]}});
    if !url.is_empty() {
        set["url"] = json!(url);
    }
    set
}

fn partial_dates() -> Vec<Value> {
    let dates = [
        json!("2012"),
        json!("2012-10"),
        json!("2012-10-24"),
        json!("2012-10-23"),
        json!("2012-10-25"),
        json!("2012-10-24T00:00:00+09:00"),
        json!("2012-10-23T23:59:59+09:00"),
        json!("2013"),
        json!("2011"),
        json!({"start": "2012-10-24"}),
        json!({"end": "2012-10-24"}),
        json!({"start": "2012-10-24T10:00:00+09:00", "end": "2012-10-24T11:00:00+09:00"}),
    ];
    let codings = [
        json!([{"code": "local"}]),
        json!([{"system": "http://example.org/c", "code": "local"}]),
        json!([{"system": "http://example.org/c", "code": "LOCALE"}, {"system": "http://example.org/d", "code": "local"}]),
    ];
    let observation = |(n, date): (usize, Value)| {
        let element = if date.is_string() { "effectiveDateTime" } else { "effectivePeriod" };
        json!({"resourceType": "Observation", "id": format!("q-date-{n}"), "status": "final",
            "code": {"coding": codings[n % 3]}, element: date})
    };
    dates.into_iter().enumerate().map(observation).collect()
}

fn amounts() -> Vec<Value> {
    let amounts = [
        ("5.34", json!({"unit": "mg", "system": "http://unitsofmeasure.org", "code": "mg"})),
        ("5.35", json!({"unit": "mg", "system": "http://unitsofmeasure.org", "code": "mg"})),
        ("5.4", json!({"unit": "mg", "system": "http://unitsofmeasure.org", "code": "mg"})),
        ("5.4", json!({"unit": "mg", "system": "http://example.org/units", "code": "mg"})),
        ("5.4", json!({"unit": "tablets"})),
        ("5.449", json!({"unit": "mg", "system": "http://unitsofmeasure.org", "code": "mg"})),
        ("5.45", json!({"unit": "mg", "system": "http://unitsofmeasure.org", "code": "mg"})),
        ("-5.4", json!({"unit": "mg", "system": "http://unitsofmeasure.org", "code": "mg"})),
        ("5.8", json!({"unit": "mg", "system": "http://unitsofmeasure.org", "code": "mg"})),
    ];
    let observation = |(n, (amount, mut quantity)): (usize, (&str, Value))| {
        quantity["value"] = serde_json::from_str(amount).unwrap();
        json!({"resourceType": "Observation", "id": format!("q-amount-{n}"), "status": "final",
            "code": {"coding": [{"system": "http://example.org/c", "code": "amount"}]}, "valueQuantity": quantity})
    };
    amounts.into_iter().enumerate().map(observation).collect()
}

/// The bundles of the archive, in its order.
fn bundles(archive: &Path) -> Vec<String> {
    let file = zstd::Decoder::new(std::fs::File::open(archive).unwrap()).unwrap();
    let mut archive = tar::Archive::new(file);
    let mut found = Vec::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        if entry.path().unwrap().extension().is_some_and(|e| e == "json") {
            let mut text = String::new();
            entry.read_to_string(&mut text).unwrap();
            found.push(text);
        }
    }
    found
}

/// A resource with each reference as `rewrite` says.
fn rewritten(value: &mut Value, rewrite: &HashMap<String, String>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                match member {
                    Value::String(text) if name == "reference" => {
                        if let Some(new) = rewrite.get(text) {
                            new.clone_into(text);
                        }
                    }
                    _ => rewritten(member, rewrite),
                }
            }
        }
        Value::Array(list) => list.iter_mut().for_each(|v| rewritten(v, rewrite)),
        _ => {}
    }
}

/// Every page of a query: its entries.
fn pages(hub: &Hub, query: &str) -> Vec<Value> {
    let mut found = Vec::new();
    let mut next = Some(query.to_owned());
    while let Some(query) = next {
        let (status, mut bundle) = hub.get(&query);
        assert_eq!(status, 200, "{query}: {bundle}");
        next = link(&bundle, "next");
        if let Some(Value::Array(entries)) = bundle.get_mut("entry") {
            found.append(entries);
        }
    }
    found
}

fn link(bundle: &Value, relation: &str) -> Option<String> {
    let found = items(bundle.get("link")?).into_iter().find(|l| l["relation"] == relation)?;
    Some(found["url"].as_str()?.to_owned())
}

/// The hub's resources of a type, in the order of their ids; what [`extras`] put in is not among them.
fn held(hub: &Hub, name: &str) -> Vec<Value> {
    let mut found: Vec<Value> =
        pages(hub, &format!("{name}?_count=2000")).into_iter().map(|mut e| e["resource"].take()).collect();
    found.retain(|r| !r["id"].as_str().unwrap().starts_with("q-"));
    found.sort_by_key(address);
    found
}

/// Pairs raw and held, proves it (see the module), and gives the raw with the ids and moments the hub gave.
fn world(hub: &Hub, bundles: &[String]) -> World {
    let mut held_by_type: BTreeMap<String, std::vec::IntoIter<Value>> = BTreeMap::new();
    let mut pairs = Vec::new();
    for bundle in bundles {
        let mut bundle: Value = serde_json::from_str(bundle).unwrap();
        let mut rewrite = HashMap::new();
        let first = pairs.len();
        for entry in bundle["entry"].as_array_mut().unwrap() {
            let raw = entry["resource"].take();
            let name = type_of(&raw).to_owned();
            let held = held_by_type.entry(name.clone()).or_insert_with(|| held(hub, &name).into_iter());
            let held = held.next().unwrap_or_else(|| panic!("the hub has too few of {name}"));
            rewrite.insert(entry["fullUrl"].as_str().unwrap().to_owned(), address(&held));
            pairs.push((raw, held));
        }
        pairs[first..].iter_mut().for_each(|(raw, _)| rewritten(raw, &rewrite));
    }
    for (name, mut rest) in held_by_type {
        assert_eq!(rest.next(), None, "the hub has too many of {name}");
    }
    let mut resources: Vec<Value> = pairs.into_iter().map(|(raw, held)| proven(raw, &held)).collect();
    for mut extra in extras() {
        let (status, held) = hub.get(&address(&extra));
        assert_eq!(status, 200, "{held}");
        extra["meta"] = extra["meta"].take();
        resources.push(proven(extra, &held));
    }
    World::new(resources, &hub.base)
}

/// The raw resource under its new id, which must then be what the hub holds.
fn proven(mut raw: Value, held: &Value) -> Value {
    raw["id"] = held["id"].clone();
    if raw["meta"].is_null() {
        raw["meta"] = json!({});
    }
    for member in ["versionId", "lastUpdated"] {
        raw["meta"][member] = held["meta"][member].clone();
    }
    assert_eq!(&raw, held, "the pairing is wrong, or the hub holds something else than it was given");
    raw
}

// ---------------------------------------------------------------------------------------------------------------
// Asking
// ---------------------------------------------------------------------------------------------------------------

/// What was wrong, collected so that one run tells all.
#[derive(Default)]
struct Report {
    asked: usize,
    wrong: Vec<String>,
}

impl Report {
    fn check(&mut self, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            self.wrong.push(what());
        }
    }
}

/// Entries by their search mode, as `Type/id`, in order.
fn addresses(entries: &[Value], mode: &str) -> Vec<String> {
    entries.iter().filter(|e| e["search"]["mode"] == mode).map(|e| address(&e["resource"])).collect()
}

/// All the hub answers; what it refuses is reported.
fn ask(hub: &Hub, query: &str, report: &mut Report) -> Option<Vec<Value>> {
    report.asked += 1;
    let paged = format!("{query}{}_count=2000", if query.contains('?') { '&' } else { '?' });
    let (status, body) = hub.get(&paged);
    if status != 200 {
        report.wrong.push(format!("{query}: {status} {}", body["issue"][0]["diagnostics"]));
        return None;
    }
    Some(pages(hub, &paged))
}

/// A query and its near miss: both are asked, and the oracle must tell them apart.
fn agree(hub: &Hub, world: &mut World, (query, near, why): &Query, report: &mut Report) {
    let (query, near) = (world.filled(query), world.filled(near));
    world.ap = AP_INNER;
    let (hits, misses) = (world.answer(&query), world.answer(&near));
    let all = world.of_type(query.split('?').next().unwrap().rsplit('/').next().unwrap()).len();
    report.check(!hits.is_empty() && hits.len() < all, || {
        format!("{query}: {} of {all} is no test", hits.len())
    });
    report.check(hits != misses, || format!("{query}: {near} is no near miss ({why})"));
    for query in [&query, &near] {
        compare(hub, world, query, why, report);
    }
}

fn compare(hub: &Hub, world: &mut World, query: &str, why: &str, report: &mut Report) {
    let Some(entries) = ask(hub, query, report) else { return };
    let listed = addresses(&entries, "match");
    let got: BTreeSet<String> = listed.iter().cloned().collect();
    report
        .check(got.len() == listed.len() && listed.len() == entries.len(), || format!("{query}: some twice"));
    world.ap = AP_OUTER;
    let at_most = world.addresses(&world.answer(query));
    world.ap = AP_INNER;
    let at_least = world.addresses(&world.answer(query));
    let example = |set: &BTreeSet<String>, other: &BTreeSet<String>| {
        let mut only = set.difference(other);
        let text = only.next().map(|a| world.resources[world.places[a]].to_string()).unwrap_or_default();
        (text.chars().take(600).collect::<String>(), only.count())
    };
    report.check(at_least.is_subset(&got) && got.is_subset(&at_most), || {
        let (missing, extra) = (example(&at_least, &got), example(&got, &at_most));
        let counts = format!("expected {}, got {}", at_least.len(), got.len());
        format!("{query} ({why}): {counts}\n    missing: {missing:?}\n    too much: {extra:?}")
    });
}

/// `_include` and `_revinclude`: the matches as without; with them exactly what they, and `:iterate`, refer to.
fn includes(hub: &Hub, world: &World, report: &mut Report) {
    for (query, types) in INCLUDES {
        let Some(entries) = ask(hub, query, report) else { continue };
        let matches = world.answer(query);
        let expected = world.addresses(&included(world, query, &matches));
        let found: BTreeSet<String> =
            expected.iter().map(|a| a.split('/').next().unwrap().to_owned()).collect();
        report.check(found.iter().eq(types.iter()), || format!("{query}: the oracle includes {found:?}"));
        let listed = addresses(&entries, "match");
        report.check(listed.iter().cloned().collect::<BTreeSet<_>>() == world.addresses(&matches), || {
            format!("{query}: {} matches, not {}", listed.len(), matches.len())
        });
        let along = addresses(&entries, "include");
        let once: BTreeSet<String> = along.iter().cloned().collect();
        report.check(once == expected, || {
            format!("{query}: {} come along, not {}", once.len(), expected.len())
        });
        report.check(along.len() == once.len(), || format!("{query}: an include is there twice on one page"));
    }
}

fn included(world: &World, query: &str, matches: &Places) -> Places {
    let mut found = Places::new();
    for (name, value) in query.split(['?', '&']).filter_map(|pair| pair.split_once('=')) {
        let parts: Vec<&str> = value.split(':').collect();
        match name {
            "_include" | "_include:iterate" => {
                let from = if name == "_include" { matches.clone() } else { matches | &found };
                let from = &from & &world.of_type(parts[0]);
                found.extend(from.iter().flat_map(|&p| world.targets(p, find(parts[0], parts[1]))));
            }
            "_revinclude" => {
                let parameter = find(parts[0], parts[1]);
                let refers = |p: &usize| !world.targets(*p, parameter).is_disjoint(matches);
                found.extend(world.of_type(parts[0]).into_iter().filter(refers));
            }
            _ => {}
        }
    }
    &found - matches
}

/// What two values of a sort are compared by: numbers, moments or text.
fn sort_key(resource: &Value, path: &str) -> (i128, String) {
    let value = at(resource, path)[0];
    match value {
        Value::Number(n) => (number(&n.to_string()).0, String::new()),
        Value::String(s) if path.ends_with("Date") || path.ends_with("Time") || path.ends_with("Updated") => {
            (interval(s).0, String::new())
        }
        other => (0, folded(other.as_str().unwrap())),
    }
}

/// `_sort`: the matches as without it, the values of the keys in order (equals may stand as they like).
fn sorts(hub: &Hub, world: &World, report: &mut Report) {
    for (query, elements) in SORTS {
        let keys = query.split_once("_sort=").unwrap().1;
        let Some(entries) = ask(hub, query, report) else { continue };
        let listed = addresses(&entries, "match");
        let expected = world.addresses(&world.answer(query));
        report.check(listed.len() == expected.len() && expected == listed.iter().cloned().collect(), || {
            format!("{query}: {} matches, not {}", listed.len(), expected.len())
        });
        let order = |a: &Value, b: &Value| {
            let mut keys = keys.split(',').zip(*elements);
            let compared = keys.find_map(|(key, element)| {
                let order = sort_key(a, element).cmp(&sort_key(b, element));
                let order = if key.starts_with('-') { order.reverse() } else { order };
                order.is_ne().then_some(order)
            });
            compared.is_none_or(|o| o.is_lt())
        };
        let sorted = entries.windows(2).find(|w| !order(&w[0]["resource"], &w[1]["resource"]));
        report.check(sorted.is_none(), || {
            let [a, b] = [0, 1].map(|n| address(&sorted.unwrap()[n]["resource"]));
            format!("{query}: {a} stands before {b}")
        });
    }
}

/// Totals: `_total=accurate`, `_total=none`, `_summary=count`, `_count=0`.
fn totals(hub: &Hub, world: &World, report: &mut Report) {
    for query in ["Observation?code=8302-2", "Patient?gender:not=male", "Condition?patient.gender=female"] {
        let expected = world.answer(query).len();
        for (control, total, empty) in [
            ("_total=accurate&_count=3", true, false),
            ("_total=none&_count=3", false, false),
            ("_summary=count", true, true),
            ("_count=0&_total=accurate", true, true),
        ] {
            report.asked += 1;
            let (status, bundle) = hub.get(&format!("{query}&{control}"));
            let right = if total { bundle["total"] == expected } else { bundle.get("total").is_none() };
            let entries = bundle.get("entry").map_or(0, |e| items(e).len());
            report.check(status == 200 && right && entries == if empty { 0 } else { 3 }, || {
                format!(
                    "{query}&{control}: {status}, total {}, {entries} entries, not {expected}",
                    bundle["total"]
                )
            });
        }
    }
}

/// Seven at a time to the end, and back again: nothing twice, nothing missing, the same pages.
fn paging(hub: &Hub, world: &World, report: &mut Report) {
    for query in [
        "Patient?gender=female",
        "Condition?code=444814009&_sort=-onset-date",
        "Encounter?class=EMER&_sort=date",
    ] {
        report.asked += 1;
        let mut forth = vec![page(hub, &format!("{query}&_count=7"))];
        while let Some(next) = link(forth.last().unwrap(), "next") {
            forth.push(page(hub, &next));
        }
        let of = |bundle: &Value| addresses(bundle["entry"].as_array().unwrap(), "match");
        let listed: Vec<String> = forth.iter().flat_map(&of).collect();
        let once: BTreeSet<String> = listed.iter().cloned().collect();
        report.check(once.len() == listed.len(), || format!("{query}: some on two pages"));
        report.check(once == world.addresses(&world.answer(query)), || format!("{query}: pages lack some"));
        let full = forth.split_last().unwrap().1.iter().all(|p| of(p).len() == 7);
        report.check(full && forth.len() > 2, || format!("{query}: pages of other than 7"));
        let mut back = vec![of(forth.last().unwrap())];
        let mut previous = link(forth.last().unwrap(), "previous");
        while let Some(url) = previous {
            let bundle = page(hub, &url);
            back.push(of(&bundle));
            previous = link(&bundle, "previous");
        }
        back.reverse();
        report.check(back == forth.iter().map(of).collect::<Vec<_>>(), || {
            format!("{query}: {} pages forth, {} back, or others", forth.len(), back.len())
        });
    }
}

fn page(hub: &Hub, query: &str) -> Value {
    let (status, bundle) = hub.get(query);
    assert_eq!(status, 200, "{query}: {bundle}");
    bundle
}

/// What is refused is refused with 400 and words that help.
fn errors(hub: &Hub, report: &mut Report) {
    for (query, words) in ERRORS {
        report.asked += 1;
        let (status, outcome) = hub.get(query);
        let issue = &outcome["issue"][0];
        let said = issue["diagnostics"].as_str().unwrap_or_default();
        let told = words.iter().all(|w| said.contains(w)) && issue["severity"] == "error";
        report.check(status == 400 && outcome["resourceType"] == "OperationOutcome" && told, || {
            format!("{query}: {status} {outcome}, not 400 with {words:?}")
        });
    }
}

#[test]
fn searches_agree_with_brute_force() {
    let Some(shared) = shared::folder("searches_agree_with_brute_force") else { return };
    let archive = shared.join("data/synthea-r4-112-patients.tar.zst");
    let folder = tempfile::tempdir().unwrap();
    let (data, more) = (folder.path().join("hub"), folder.path().join("more.ndjson"));
    let lines: Vec<String> = extras().iter().map(Value::to_string).collect();
    std::fs::write(&more, lines.join("\n")).unwrap();
    hub::import(&data, &[&more]);
    let hub = Hub::serve(&data);
    // One after the other: `import` prepares several at once, and their ids are not in the order of the archive.
    let bundles = bundles(&archive);
    for bundle in &bundles {
        let answer = hub.send("POST", "", &[], bundle);
        assert_eq!(answer.status, 200, "{}", answer.body);
    }
    let mut world = world(&hub, &bundles);
    let mut report = Report::default();
    for (_, queries) in TABLES {
        queries.iter().for_each(|query| agree(&hub, &mut world, query, &mut report));
    }
    includes(&hub, &world, &mut report);
    sorts(&hub, &world, &mut report);
    totals(&hub, &world, &mut report);
    paging(&hub, &world, &mut report);
    errors(&hub, &mut report);
    println!("{} searches", report.asked);
    assert!(
        report.wrong.is_empty(),
        "{} wrong of {}:\n{}",
        report.wrong.len(),
        report.asked,
        report.wrong.join("\n")
    );
}
