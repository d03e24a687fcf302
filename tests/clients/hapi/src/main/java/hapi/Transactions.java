package hapi;

import ca.uhn.fhir.rest.server.exceptions.PreconditionFailedException;
import ca.uhn.fhir.rest.server.exceptions.ResourceNotFoundException;
import org.hl7.fhir.r4.model.Bundle;
import org.hl7.fhir.r4.model.IdType;
import org.hl7.fhir.r4.model.Observation;
import org.hl7.fhir.r4.model.Patient;

import java.util.UUID;

/** Transactions and batches. */
final class Transactions {
    private Transactions() {}

    static void run(Session s) {
        Bundle sent = new Bundle().setType(Bundle.BundleType.TRANSACTION);
        String patient = "urn:uuid:" + UUID.randomUUID();
        sent.addEntry().setResource(s.weight(new IdType(patient), 1)).getRequest().setMethod(Bundle.HTTPVerb.POST).setUrl("Observation");
        sent.addEntry().setFullUrl(patient).setResource(s.patient("")).getRequest().setMethod(Bundle.HTTPVerb.POST).setUrl("Patient")
                .setIfNoneExist("identifier=" + Session.SYSTEM + "|" + s.word());
        String search = "Patient?identifier=" + Session.SYSTEM + "|" + s.word();
        sent.addEntry().setResource(s.weight(new IdType(search), 2)).getRequest().setMethod(Bundle.HTTPVerb.POST).setUrl("Observation");
        Bundle answer = s.client().transaction().withBundle(sent).execute();
        s.equal(Bundle.BundleType.TRANSACTIONRESPONSE, answer.getType(), "transaction");
        s.that(answer.getEntry().stream().allMatch(e -> e.getResponse().getStatus().startsWith("201")), "all are created");
        IdType observation = new IdType(answer.getEntry().get(2).getResponse().getLocation());
        Observation read = s.client().read().resource(Observation.class).withId(observation.toVersionless()).execute();
        IdType id = new IdType(answer.getEntry().get(1).getResponse().getLocation());
        s.equal("Patient/" + id.getIdPart(), read.getSubject().getReference(), "a reference by the search of another entry");
        Bundle again = s.client().transaction().withBundle(sent).execute();
        s.that(again.getEntry().get(1).getResponse().getStatus().startsWith("200"), "the second time the patient is found");

        Bundle failing = new Bundle().setType(Bundle.BundleType.TRANSACTION);
        Patient never = s.patient("-never");
        never.setId("never-" + s.word());
        failing.addEntry().setResource(never).getRequest().setMethod(Bundle.HTTPVerb.PUT).setUrl("Patient/" + never.getIdElement().getIdPart());
        failing.addEntry().setResource(s.weight(new IdType("Patient?identifier=nobody-" + s.word()), 1)).getRequest()
                .setMethod(Bundle.HTTPVerb.POST).setUrl("Observation");
        s.refused(PreconditionFailedException.class, () -> s.client().transaction().withBundle(failing).execute(), "a transaction that fails");
        s.refused(ResourceNotFoundException.class,
                () -> s.client().read().resource(Patient.class).withId(never.getIdElement().getIdPart()).execute(), "leaves nothing");

        Bundle batch = new Bundle().setType(Bundle.BundleType.BATCH);
        batch.addEntry().getRequest().setMethod(Bundle.HTTPVerb.GET).setUrl("Patient/" + id.getIdPart());
        batch.addEntry().getRequest().setMethod(Bundle.HTTPVerb.GET).setUrl("Patient/" + id.getIdPart()).setIfNoneMatch("W/\"1\"");
        batch.addEntry().getRequest().setMethod(Bundle.HTTPVerb.GET).setUrl("Patient/nobody");
        batch.addEntry().getRequest().setMethod(Bundle.HTTPVerb.GET).setUrl("Observation?_summary=count&subject=Patient/" + id.getIdPart());
        batch.addEntry().getRequest().setMethod(Bundle.HTTPVerb.GET).setUrl("Patient/" + id.getIdPart() + "/$everything");
        batch.addEntry().getRequest().setMethod(Bundle.HTTPVerb.DELETE).setUrl("Observation/" + observation.getIdPart());
        answer = s.client().transaction().withBundle(batch).execute();
        s.equal(Bundle.BundleType.BATCHRESPONSE, answer.getType(), "batch");
        s.that(answer.getEntry().get(0).getResource() instanceof Patient, "a read in a batch");
        s.that(answer.getEntry().get(0).getResponse().getLastModified() != null, "says when");
        s.equal("304", answer.getEntry().get(1).getResponse().getStatus(), "on a condition");
        s.equal("404", answer.getEntry().get(2).getResponse().getStatus(), "of nobody");
        s.that(answer.getEntry().get(2).getResponse().getOutcome() != null, "says why");
        // Deletions come first, as in a transaction.
        s.equal(3, ((Bundle) answer.getEntry().get(3).getResource()).getTotal(), "a search in a batch");
        s.that(answer.getEntry().get(4).getResource() instanceof Bundle, "an operation in a batch");
        s.equal("204", answer.getEntry().get(5).getResponse().getStatus(), "a deletion in a batch");
    }
}
