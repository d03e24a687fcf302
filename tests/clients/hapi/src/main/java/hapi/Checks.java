package hapi;

/** What was checked, and what did not hold. */
final class Checks {
    private int done;
    private int failed;

    void that(boolean holds, String what) {
        done++;
        if (!holds) {
            failed++;
            System.out.println("FAILED " + what);
        }
    }

    void equal(Object expected, Object found, String what) {
        that(expected.equals(found), what + ": expected " + expected + ", found " + found);
    }

    /** What is asked must be refused in this way. */
    <E extends Exception> E refused(Class<E> how, Runnable asked, String what) {
        try {
            asked.run();
            that(false, what + ": it was not refused");
        } catch (Exception refusal) {
            that(how.isInstance(refusal), what + ": " + refusal);
            return how.isInstance(refusal) ? how.cast(refusal) : null;
        }
        return null;
    }

    /** Whether everything held. */
    boolean end() {
        System.out.println(done + " checks, " + failed + " failed");
        return failed == 0;
    }
}
