package hapi;

import org.hl7.fhir.instance.model.api.IIdType;
import org.hl7.fhir.r4.model.Bundle;
import org.hl7.fhir.r4.model.Coding;
import org.hl7.fhir.r4.model.Meta;
import org.hl7.fhir.r4.model.Observation;
import org.hl7.fhir.r4.model.Parameters;
import org.hl7.fhir.r4.model.Patient;
import org.hl7.fhir.r4.model.StringType;

/** Operations: $everything, $lastn, $meta and its kin. */
final class Operations {
    private Operations() {}

    static void run(Session s) {
        IIdType id = s.created(s.patient(""));
        s.created(s.weight(id, 1));
        s.created(s.weight(id, 2));
        Bundle all = s.client().operation().onInstance(id).named("$everything").withNoParameters(Parameters.class)
                .returnResourceType(Bundle.class).execute();
        s.equal(3, all.getEntry().size(), "$everything");
        Parameters wrapped = s.client().operation().onInstance(id).named("$everything").withNoParameters(Parameters.class).useHttpGet().execute();
        s.that(wrapped.getParameterFirstRep().getResource() instanceof Bundle, "$everything by GET");
        Parameters asked = new Parameters();
        asked.addParameter("patient", new StringType(id.getValue()));
        asked.addParameter("max", new org.hl7.fhir.r4.model.IntegerType(1));
        Bundle last = s.client().operation().onType(Observation.class).named("$lastn").withParameters(asked)
                .returnResourceType(Bundle.class).execute();
        s.equal(1, Session.of(last, Observation.class).size(), "$lastn");

        Meta label = new Meta().addTag(new Coding("http://hapi.example/tag", "x", null));
        Meta meta = s.client().meta().add().onResource(id).meta(label).execute();
        s.equal(1, meta.getTag().size(), "$meta-add");
        meta = s.client().meta().get(Meta.class).fromResource(id).execute();
        s.equal(1, meta.getTag().size(), "$meta");
        Bundle tagged = s.client().search().forResource(Patient.class).withTag("http://hapi.example/tag", "x")
                .returnBundle(Bundle.class).execute();
        s.that(!tagged.getEntry().isEmpty(), "found by its tag");
        meta = s.client().meta().delete().onResource(id).meta(label).execute();
        s.that(meta.getTag().isEmpty(), "$meta-delete");
    }
}
