package hapi;

import ca.uhn.fhir.rest.api.MethodOutcome;
import ca.uhn.fhir.rest.gclient.ICriterion;
import ca.uhn.fhir.rest.server.exceptions.PreconditionFailedException;
import ca.uhn.fhir.rest.server.exceptions.ResourceGoneException;
import org.hl7.fhir.instance.model.api.IIdType;
import org.hl7.fhir.r4.model.Patient;

/** Conditional read, create, update, delete; updates of a version. */
final class Conditional {
    private Conditional() {}

    private static ICriterion<?> identifier(Session s, String suffix) {
        return Patient.IDENTIFIER.exactly().systemAndIdentifier(Session.SYSTEM, s.word() + suffix);
    }

    static void run(Session s) {
        MethodOutcome outcome = s.client().create().resource(s.patient("a")).conditional().where(identifier(s, "a")).execute();
        s.that(Boolean.TRUE.equals(outcome.getCreated()), "a conditional create of nothing creates");
        IIdType id = outcome.getId().toUnqualifiedVersionless();
        outcome = s.client().create().resource(s.patient("a")).conditional().where(identifier(s, "a")).execute();
        s.that(!Boolean.TRUE.equals(outcome.getCreated()), "of one it creates nothing");
        s.equal(id.getIdPart(), outcome.getId().getIdPart(), "and finds it");

        Patient same = s.client().read().resource(Patient.class).withId(id).ifVersionMatches("1").returnNull().execute();
        s.that(same == null, "a conditional read of what the client has");
        Patient other = s.client().read().resource(Patient.class).withId(id).ifVersionMatches("7").returnNull().execute();
        s.that(other != null, "of what it has not");

        Patient changed = s.patient("a");
        changed.setActive(true);
        outcome = s.client().update().resource(changed).conditional().where(identifier(s, "a")).execute();
        s.equal(id.getIdPart() + "/2", outcome.getId().getIdPart() + "/" + outcome.getId().getVersionIdPart(), "a conditional update of one");
        outcome = s.client().update().resource(s.patient("b")).conditional().where(identifier(s, "b")).execute();
        s.that(Boolean.TRUE.equals(outcome.getCreated()), "of nothing");
        s.refused(PreconditionFailedException.class,
                () -> s.client().update().resource(s.patient("a")).conditional()
                        .where(Patient.FAMILY.matches().value("Sato" + s.word())).execute(), "of several");

        changed.setId(id);
        changed.setActive(false);
        s.refused(PreconditionFailedException.class,
                () -> s.client().update().resource(changed).withAdditionalHeader("If-Match", "W/\"1\"").execute(),
                "an update of another version");
        outcome = s.client().update().resource(changed).withAdditionalHeader("If-Match", "W/\"2\"").execute();
        s.equal("3", outcome.getId().getVersionIdPart(), "of this one");

        s.client().delete().resourceConditionalByType("Patient").where(identifier(s, "a")).execute();
        s.refused(ResourceGoneException.class,
                () -> s.client().read().resource(Patient.class).withId(id).execute(), "after a conditional delete");
        s.client().delete().resourceConditionalByUrl("Patient?identifier=" + Session.SYSTEM + "|" + s.word() + "b").execute();
        s.that(true, "a conditional delete by address");
    }
}
