package hapi;

import ca.uhn.fhir.rest.api.SearchStyleEnum;
import ca.uhn.fhir.rest.api.SearchTotalModeEnum;
import ca.uhn.fhir.rest.api.SummaryEnum;
import ca.uhn.fhir.rest.server.exceptions.InvalidRequestException;
import org.hl7.fhir.instance.model.api.IIdType;
import org.hl7.fhir.r4.model.Bundle;
import org.hl7.fhir.r4.model.Observation;
import org.hl7.fhir.r4.model.OperationOutcome;
import org.hl7.fhir.r4.model.Patient;

import java.util.HashSet;
import java.util.List;
import java.util.Set;

/** Searches and their pages. */
final class Searches {
    private Searches() {}

    static void run(Session s) {
        IIdType id = s.created(s.patient(""));
        Bundle sent = new Bundle().setType(Bundle.BundleType.TRANSACTION);
        for (int day = 1; day <= 25; day++) {
            sent.addEntry().setResource(s.weight(id, day)).getRequest().setMethod(Bundle.HTTPVerb.POST).setUrl("Observation");
        }
        s.client().transaction().withBundle(sent).execute();

        Bundle page = s.client().search().forResource(Observation.class)
                .where(Observation.SUBJECT.hasId(id)).and(Observation.DATE.afterOrEquals().day("2020-01-03"))
                .sort().descending(Observation.DATE).include(Observation.INCLUDE_SUBJECT)
                .count(10).totalMode(SearchTotalModeEnum.ACCURATE).returnBundle(Bundle.class).execute();
        s.equal(23, page.getTotal(), "total");
        Set<String> seen = new HashSet<>();
        int included = 0;
        int back = 0;
        String last = "9999";
        boolean isSorted = true;
        while (true) {
            for (Observation found : Session.of(page, Observation.class)) {
                seen.add(found.getIdElement().getIdPart());
                String date = found.getEffectiveDateTimeType().getValueAsString();
                isSorted &= date.compareTo(last) <= 0;
                last = date;
            }
            included += Session.of(page, Patient.class).size();
            if (page.getLink(Bundle.LINK_NEXT) == null) {
                break;
            }
            page = s.client().loadPage().next(page).execute();
        }
        while (page.getLink(Bundle.LINK_PREV) != null) {
            page = s.client().loadPage().previous(page).execute();
            back++;
        }
        s.equal(23, seen.size(), "pages");
        s.equal(3, included, "what each page includes");
        s.that(isSorted, "sorted");
        s.equal(2, back, "pages backwards");

        Bundle found = s.client().search().forResource(Patient.class).where(Patient.FAMILY.matches().value("sato" + s.word()))
                .usingStyle(SearchStyleEnum.POST).returnBundle(Bundle.class).execute();
        s.equal(1, found.getEntry().size(), "by POST");
        found = s.client().search().forResource(Patient.class).where(Patient.IDENTIFIER.exactly().systemAndIdentifier(Session.SYSTEM, s.word()))
                .revInclude(Observation.INCLUDE_SUBJECT).returnBundle(Bundle.class).execute();
        s.equal(26, found.getEntry().size(), "with what refers to it");
        found = s.client().search().forResource(Patient.class).where(Patient.IDENTIFIER.exactly().code(s.word()))
                .elementsSubset("gender").returnBundle(Bundle.class).execute();
        Patient part = Session.of(found, Patient.class).get(0);
        s.that(part.hasGender() && !part.hasName(), "elements");
        found = s.client().search().forResource(Patient.class).where(Patient.IDENTIFIER.exactly().code(s.word()))
                .summaryMode(SummaryEnum.DATA).elementsSubset("gender").returnBundle(Bundle.class).execute();
        s.that(Session.of(found, Patient.class).get(0).hasName(), "a summary and elements");
        found = s.client().search().byUrl("Observation?subject.identifier=" + Session.SYSTEM + "|" + s.word() + "&_summary=count")
                .returnBundle(Bundle.class).execute();
        s.equal(25, found.getTotal(), "a chain, counted");
        found = s.client().search().forResource(Observation.class)
                .where(Observation.SUBJECT.hasChainedProperty("Patient", Patient.FAMILY.matchesExactly().value("Sato" + s.word())))
                .and(Observation.VALUE_QUANTITY.greaterThan().number("62").andUnits("http://unitsofmeasure.org", "kg"))
                .count(1).returnBundle(Bundle.class).execute();
        s.equal(1, found.getEntry().size(), "a quantity");
        found = s.client().search().forResource(Patient.class).where(Patient.IDENTIFIER.exactly().code(s.word()))
                .and(Patient.RES_ID.exactly().code(id.getIdPart())).lastUpdated(new ca.uhn.fhir.rest.param.DateRangeParam("2020-01-01", null))
                .returnBundle(Bundle.class).execute();
        s.equal(1, found.getEntry().size(), "by _id and _lastUpdated");
        found = s.client().search().byUrl(s.client().getServerBase() + "/" + id.getValue() + "/Observation?_summary=count").returnBundle(Bundle.class).execute();
        s.equal(25, found.getTotal(), "in a compartment");
        InvalidRequestException refusal = s.refused(InvalidRequestException.class,
                () -> s.client().search().byUrl("Patient?colour=red").returnBundle(Bundle.class).execute(), "what nobody knows");
        s.that(refusal != null && refusal.getOperationOutcome() instanceof OperationOutcome, "it says why");
        found = s.client().search().byUrl("Patient?colour=red&_id=" + id.getIdPart()).withAdditionalHeader("Prefer", "handling=lenient")
                .returnBundle(Bundle.class).execute();
        List<OperationOutcome> said = Session.of(found, OperationOutcome.class);
        s.that(said.size() == 1 && Session.of(found, Patient.class).size() == 1, "leniently");
    }
}
