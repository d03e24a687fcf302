package hapi;

import ca.uhn.fhir.rest.api.MethodOutcome;
import ca.uhn.fhir.rest.server.exceptions.PreconditionFailedException;
import ca.uhn.fhir.rest.server.exceptions.UnprocessableEntityException;
import org.hl7.fhir.instance.model.api.IIdType;
import org.hl7.fhir.r4.model.CodeType;
import org.hl7.fhir.r4.model.Enumerations.AdministrativeGender;
import org.hl7.fhir.r4.model.Parameters;
import org.hl7.fhir.r4.model.Parameters.ParametersParameterComponent;
import org.hl7.fhir.r4.model.Patient;
import org.hl7.fhir.r4.model.StringType;

/** Patches in all three languages. */
final class Patches {
    private Patches() {}

    static void run(Session s) {
        IIdType id = s.created(s.patient(""));
        String json = "[{\"op\":\"add\",\"path\":\"/birthDate\",\"value\":\"1976-01-01\"}]";
        MethodOutcome outcome = s.client().patch().withBody(json).withId(id).execute();
        s.equal("2", outcome.getId().getVersionIdPart(), "JSON Patch");
        String xml = "<diff xmlns:f=\"http://hl7.org/fhir\"><replace sel=\"f:Patient/f:birthDate/@value\">1977-01-01</replace></diff>";
        outcome = s.client().patch().withBody(xml).withId(id).execute();
        s.equal("3", outcome.getId().getVersionIdPart(), "XML Patch");

        Parameters patch = new Parameters();
        ParametersParameterComponent operation = patch.addParameter().setName("operation");
        operation.addPart().setName("type").setValue(new CodeType("replace"));
        operation.addPart().setName("path").setValue(new StringType("Patient.gender"));
        operation.addPart().setName("value").setValue(new CodeType("male"));
        outcome = s.client().patch().withFhirPatch(patch).withId(id).execute();
        s.equal("4", outcome.getId().getVersionIdPart(), "FHIRPath Patch");
        Patient patched = s.client().read().resource(Patient.class).withId(id).execute();
        s.equal(AdministrativeGender.MALE, patched.getGender(), "what it did");
        s.equal("1977-01-01", patched.getBirthDateElement().getValueAsString(), "what the others did");

        outcome = s.client().patch().withBody("[{\"op\":\"add\",\"path\":\"/active\",\"value\":true}]").conditional(Patient.class)
                .where(Patient.IDENTIFIER.exactly().systemAndIdentifier(Session.SYSTEM, s.word())).execute();
        s.equal("5", outcome.getId().getVersionIdPart(), "a conditional patch");
        s.refused(UnprocessableEntityException.class,
                () -> s.client().patch().withBody("[{\"op\":\"remove\",\"path\":\"/photo\"}]").withId(id).execute(),
                "a patch that does not apply");
        s.refused(PreconditionFailedException.class,
                () -> s.client().patch().withBody(json).withId(id).withAdditionalHeader("If-Match", "W/\"1\"").execute(),
                "a patch of another version");
    }
}
