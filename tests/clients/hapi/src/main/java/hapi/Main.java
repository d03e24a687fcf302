package hapi;

import ca.uhn.fhir.context.FhirContext;
import ca.uhn.fhir.rest.api.EncodingEnum;
import ca.uhn.fhir.rest.client.api.IGenericClient;
import ca.uhn.fhir.rest.client.api.ServerValidationModeEnum;

import java.util.List;
import java.util.UUID;
import java.util.function.Consumer;

/** Asks a FHIR server, whose base is the one argument, in JSON and in XML. */
public final class Main {
    private static final List<Consumer<Session>> ALL = List.of(
            Crud::run, Conditional::run, Patches::run, Searches::run, Transactions::run, Histories::run,
            Operations::run);

    private Main() {}

    public static void main(String[] arguments) {
        FhirContext context = FhirContext.forR4();
        context.getRestfulClientFactory().setServerValidationMode(ServerValidationModeEnum.ONCE);
        Checks checks = new Checks();
        for (EncodingEnum form : List.of(EncodingEnum.JSON, EncodingEnum.XML)) {
            IGenericClient client = context.newRestfulGenericClient(arguments[0]);
            client.setEncoding(form);
            for (Consumer<Session> one : ALL) {
                Session session = new Session(client, checks, UUID.randomUUID().toString().substring(0, 8));
                try {
                    one.accept(session);
                } catch (RuntimeException failure) {
                    failure.printStackTrace(System.out);
                    session.that(false, "what came after " + failure);
                }
            }
        }
        System.exit(checks.end() ? 0 : 1);
    }
}
