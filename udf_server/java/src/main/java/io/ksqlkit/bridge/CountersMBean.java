package io.ksqlkit.bridge;

/** What JMX shows of a function, since the server's start. */
public interface CountersMBean {
    /** Rows asked. */
    long getRows();

    /** Rows answered. */
    long getOk();

    /** Rows that were at fault. */
    long getInvalidInput();

    /** Rows not answered in time. */
    long getTimeout();

    /** Rows without a server or model to answer them. */
    long getUnavailable();

    /** Rows that got the function's default value after a failure. */
    long getDefaulted();

    /** Rows answered from the cache, or by a call that was under way for an equal row. */
    long getCached();

    /** Rows answered by a model in this process. */
    long getLocal();

    /** Calls to the scoring server. */
    long getCalls();

    /** Calls made again after a failure. */
    long getRetries();

    /** Rows sent; divided by calls, the mean batch. */
    long getSentRows();

    /** Milliseconds that rows have waited, all together. */
    long getWaitedMs();
}
