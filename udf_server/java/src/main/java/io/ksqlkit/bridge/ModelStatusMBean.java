package io.ksqlkit.bridge;

/** What JMX shows of a model in this process. */
public interface ModelStatusMBean {
    /** The live version; 0 while there is none. */
    int getVersion();

    /** Its SHA-256. */
    String getSha256();

    /** When it came, in milliseconds since 1970. */
    long getTakenAt();

    /** How often another model became the live one. */
    long getSwaps();

    /** Forms refused since they did not verify. */
    long getRefused();

    /** How often was looked for a newer one. */
    long getLooks();

    /** OK, or what is wrong. */
    String getStatus();
}
