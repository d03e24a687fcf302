package hapi;

import org.hl7.fhir.instance.model.api.IIdType;
import org.hl7.fhir.r4.model.Bundle;
import org.hl7.fhir.r4.model.Patient;

import java.util.Date;

/** Histories of a resource, a type, everything. */
final class Histories {
    private Histories() {}

    static void run(Session s) {
        IIdType id = s.created(s.patient(""));
        Patient patient = s.client().read().resource(Patient.class).withId(id).execute();
        Date first = patient.getMeta().getLastUpdated();
        patient.setActive(true);
        s.client().update().resource(patient).execute();
        s.client().delete().resourceById(id).execute();

        Bundle history = s.client().history().onInstance(id).returnBundle(Bundle.class).execute();
        s.equal(3, history.getEntry().size(), "of a resource");
        s.equal(Bundle.HTTPVerb.DELETE, history.getEntry().get(0).getRequest().getMethod(), "newest first");
        s.equal("2", history.getEntry().get(1).getResource().getMeta().getVersionId(), "then the versions");
        history = s.client().history().onInstance(id).returnBundle(Bundle.class).since(first).count(1).execute();
        s.that(history.getEntry().size() == 1 && history.getLink(Bundle.LINK_NEXT) != null, "since a moment, in pages");
        history = s.client().loadPage().next(history).execute();
        s.equal("2", history.getEntry().get(0).getResource().getMeta().getVersionId(), "the next page");
        history = s.client().history().onType(Patient.class).returnBundle(Bundle.class).count(2).execute();
        s.equal(2, history.getEntry().size(), "of a type");
        history = s.client().history().onServer().returnBundle(Bundle.class).count(3).execute();
        s.equal(3, history.getEntry().size(), "of everything");
    }
}
