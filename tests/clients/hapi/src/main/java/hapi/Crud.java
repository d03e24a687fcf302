package hapi;

import ca.uhn.fhir.rest.api.MethodOutcome;
import ca.uhn.fhir.rest.api.PreferReturnEnum;
import ca.uhn.fhir.rest.api.SummaryEnum;
import ca.uhn.fhir.rest.server.exceptions.InvalidRequestException;
import ca.uhn.fhir.rest.server.exceptions.PreconditionFailedException;
import ca.uhn.fhir.rest.server.exceptions.ResourceGoneException;
import ca.uhn.fhir.rest.server.exceptions.ResourceNotFoundException;
import org.hl7.fhir.instance.model.api.IIdType;
import org.hl7.fhir.r4.model.Binary;
import org.hl7.fhir.r4.model.CapabilityStatement;
import org.hl7.fhir.r4.model.DateType;
import org.hl7.fhir.r4.model.OperationOutcome;
import org.hl7.fhir.r4.model.Patient;

import java.nio.charset.StandardCharsets;

/** Capabilities, create, read, vread, update, delete. */
final class Crud {
    private Crud() {}

    static void run(Session s) {
        CapabilityStatement statement = s.client().capabilities().ofType(CapabilityStatement.class).execute();
        s.equal("4.0.1", statement.getFhirVersion().toCode(), "capabilities");

        MethodOutcome outcome = s.client().create().resource(s.patient("")).execute();
        s.that(outcome.getCreated() && outcome.getId().hasVersionIdPart(), "create " + outcome.getId());
        IIdType id = outcome.getId().toUnqualifiedVersionless();
        outcome = s.client().create().resource(s.patient("-silent")).prefer(PreferReturnEnum.MINIMAL).execute();
        s.that(outcome.getResource() == null && outcome.getId().hasIdPart(), "create, return=minimal");
        outcome = s.client().create().resource(s.patient("-told")).prefer(PreferReturnEnum.OPERATION_OUTCOME).execute();
        s.that(outcome.getOperationOutcome() instanceof OperationOutcome, "create, return=OperationOutcome");

        Patient read = s.client().read().resource(Patient.class).withId(id).execute();
        s.equal("Sato" + s.word(), read.getNameFirstRep().getFamily(), "read");
        s.equal("1", read.getMeta().getVersionId(), "version");
        s.that(read.getMeta().getLastUpdated() != null, "lastUpdated");
        Patient part = s.client().read().resource(Patient.class).withId(id).elementsSubset("gender").execute();
        s.that(part.hasGender() && !part.hasName(), "read of elements");
        Patient summary = s.client().read().resource(Patient.class).withId(id).summaryMode(SummaryEnum.TEXT).execute();
        s.that(!summary.hasName() && !summary.getMeta().getTag().isEmpty(), "read of the text");
        Patient there = s.client().read().resource(Patient.class).withUrl(s.client().getServerBase() + "/" + id.getValue()).execute();
        s.equal(id.getIdPart(), there.getIdElement().getIdPart(), "read by address");

        read.setBirthDateElement(new DateType("1975-04-02"));
        outcome = s.client().update().resource(read).execute();
        s.equal("2", outcome.getId().getVersionIdPart(), "update");
        s.that(!Boolean.TRUE.equals(outcome.getCreated()), "an update creates nothing");
        // The client asks for the version a resource came with: If-Match.
        s.refused(PreconditionFailedException.class, () -> s.client().update().resource(read).execute(), "update of a version that was");
        read.setId(id);
        read.setBirthDateElement(new DateType("1975-04-03"));
        outcome = s.client().update().resource(read).summaryMode(SummaryEnum.TRUE).execute();
        s.equal("3", outcome.getId().getVersionIdPart(), "update, answered in short");
        Patient first = s.client().read().resource(Patient.class).withIdAndVersion(id.getIdPart(), "1").execute();
        s.that(!first.hasBirthDate(), "vread");

        Patient own = s.patient("-own");
        own.setId("own-" + s.word());
        outcome = s.client().update().resource(own).execute();
        s.that(Boolean.TRUE.equals(outcome.getCreated()), "update creates under an id of the client's");

        s.client().delete().resourceById("Patient", own.getIdElement().getIdPart()).execute();
        s.refused(ResourceGoneException.class,
                () -> s.client().read().resource(Patient.class).withId(own.getIdElement().getIdPart()).execute(), "read of what is deleted");
        outcome = s.client().update().resource(own).execute();
        s.equal("3", outcome.getId().getVersionIdPart(), "back to life");
        s.client().delete().resourceById("Patient", "nobody-" + s.word()).execute();
        s.that(true, "delete of what never was");

        ResourceNotFoundException missing = s.refused(ResourceNotFoundException.class,
                () -> s.client().read().resource(Patient.class).withId("nobody").execute(), "read of nobody");
        s.that(missing != null && missing.getOperationOutcome() != null, "it says why");
        s.refused(InvalidRequestException.class,
                () -> s.client().read().resource(Patient.class).withId(id).summaryMode(SummaryEnum.COUNT).execute(), "a read counts nothing");

        Binary binary = new Binary();
        binary.setContentType("text/plain").setData("a report".getBytes(StandardCharsets.UTF_8));
        IIdType content = s.created(binary);
        Binary back = s.client().read().resource(Binary.class).withId(content).execute();
        s.equal("a report", new String(back.getData(), StandardCharsets.UTF_8), "Binary");
    }
}
