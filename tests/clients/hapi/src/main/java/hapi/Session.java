package hapi;

import ca.uhn.fhir.rest.api.MethodOutcome;
import ca.uhn.fhir.rest.client.api.IGenericClient;
import org.hl7.fhir.instance.model.api.IIdType;
import org.hl7.fhir.r4.model.Bundle;
import org.hl7.fhir.r4.model.CodeableConcept;
import org.hl7.fhir.r4.model.Coding;
import org.hl7.fhir.r4.model.DateTimeType;
import org.hl7.fhir.r4.model.Enumerations.AdministrativeGender;
import org.hl7.fhir.r4.model.Observation;
import org.hl7.fhir.r4.model.Patient;
import org.hl7.fhir.r4.model.Quantity;
import org.hl7.fhir.r4.model.Resource;

import java.math.BigDecimal;
import java.util.List;

/** A client that speaks one form, the checks, and a word that names what this session wrote. */
record Session(IGenericClient client, Checks checks, String word) {
    static final String SYSTEM = "http://hapi.example/id";

    void that(boolean holds, String what) {
        checks.that(holds, client.getEncoding() + " " + what);
    }

    void equal(Object expected, Object found, String what) {
        checks.equal(expected, found, client.getEncoding() + " " + what);
    }

    <E extends Exception> E refused(Class<E> how, Runnable asked, String what) {
        return checks.refused(how, asked, client.getEncoding() + " " + what);
    }

    /** A patient whom nobody else has. */
    Patient patient(String suffix) {
        Patient patient = new Patient();
        patient.addIdentifier().setSystem(SYSTEM).setValue(word + suffix);
        patient.addName().setFamily("Sato" + word).addGiven("Hana");
        patient.setGender(AdministrativeGender.FEMALE);
        return patient;
    }

    IIdType created(Resource resource) {
        MethodOutcome outcome = client.create().resource(resource).execute();
        return outcome.getId().toUnqualifiedVersionless();
    }

    Observation weight(IIdType patient, int day) {
        Observation weight = new Observation();
        weight.setStatus(Observation.ObservationStatus.FINAL);
        weight.setCode(new CodeableConcept().addCoding(new Coding("http://loinc.org", "29463-7", null)));
        weight.getSubject().setReference(patient.getValue());
        weight.setEffective(new DateTimeType(String.format("2020-01-%02d", day)));
        Quantity value = new Quantity().setValue(new BigDecimal("62.50")).setUnit("kg");
        weight.setValue(value.setSystem("http://unitsofmeasure.org").setCode("kg"));
        return weight;
    }

    static <R extends Resource> List<R> of(Bundle bundle, Class<R> type) {
        return bundle.getEntry().stream().map(Bundle.BundleEntryComponent::getResource)
                .filter(type::isInstance).map(type::cast).toList();
    }
}
