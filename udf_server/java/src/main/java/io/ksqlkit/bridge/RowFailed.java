package io.ksqlkit.bridge;

/** A row that was not answered: INVALID_INPUT, TIMEOUT or UNAVAILABLE, and why. Without a stack trace: it is data. */
final class RowFailed extends RuntimeException {
    static final String INVALID_INPUT = "INVALID_INPUT";
    static final String TIMEOUT = "TIMEOUT";
    static final String UNAVAILABLE = "UNAVAILABLE";

    final String code;

    RowFailed(String code, String message) {
        super(message, null, false, false);
        this.code = code;
    }

    @Override
    public String toString() {
        return code + ": " + getMessage();
    }
}
