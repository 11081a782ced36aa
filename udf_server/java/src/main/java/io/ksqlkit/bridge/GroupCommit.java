package io.ksqlkit.bridge;

import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.locks.LockSupport;

/**
 * Group commit for one function and version. With a connection free, a row is sent at once by its own thread; with
 * all busy, rows wait together, and the first of them sends all when a connection gets free. So one row alone pays
 * for nothing, and sixteen threads cost hardly more calls than one. The threads that a call answers come back together:
 * the first of them waits a moment for the rest, a fraction of a call's time, and whoever makes them complete sends all.
 *
 * <p>Each function has calls of its own: ksqlDB asks for the functions of a row one after another, so they never wait
 * together, and rows of different functions in one call would wait for the slowest and cost the server no less.
 */
final class GroupCommit {
    private static final int ATTEMPTS = 3;
    private static final int MAX_BYTES = 7 * 1024 * 1024; // of rows together: under the server's 8 MiB
    private static final int MAX_ROW = 8 * 1024 * 1024 - 64;
    private static final long FIRST_PAUSE_MS = 50;
    private static final long LONGEST_PAUSE_MS = 1_000;
    private static final long SLICE_NS = 25_000_000L;
    private static final int MANY = 4;
    private static final long GATHER_NS = 200_000L;
    private static final byte[] OPEN = "{\"data\":[".getBytes(StandardCharsets.US_ASCII);
    private static final byte[] CLOSE = "]}".getBytes(StandardCharsets.US_ASCII);

    /** What a row got: the JSON value, and the version that answered. */
    static final class Answer {
        final Object json;
        final int version;

        Answer(Object json, int version) {
            this.json = json;
            this.version = version;
        }
    }

    private static final class Row {
        final byte[] arguments;
        final long deadline;
        final Thread thread = Thread.currentThread();
        volatile Object result; // an Answer or a RowFailed
        volatile boolean leads;
        /** Until when the row waits for others although a connection is free; 0 while none is. */
        volatile long gathersUntil;

        Row(byte[] arguments, long deadline) {
            this.arguments = arguments;
            this.deadline = deadline;
        }
    }

    private final Endpoint endpoint;
    private final Spec spec;
    private final Counters counters;
    private final Breaker own = new Breaker(System::nanoTime);
    private final String path;
    private final int connections;
    /** Answers of this version; null where they may not be kept: of the live version, or not deterministic. */
    final ResultCache cache;
    private final ArrayDeque<Row> waiting = new ArrayDeque<>();
    private int busy;
    /** Rows that are about to come, by how many the last call answered and how many waited meanwhile. */
    private int expected;
    private long lastNs;

    GroupCommit(Endpoint endpoint, Spec spec, int version, int connections, int cacheEntries, Counters counters) {
        this.endpoint = endpoint;
        this.spec = spec;
        this.counters = counters;
        this.connections = connections;
        this.cache = version > 0 && spec.deterministic && cacheEntries > 0 ? new ResultCache(cacheEntries) : null;
        this.path = "/v1/functions/" + spec.name + (version > 0 ? "@" + version : "") + ":batch";
    }

    boolean refuses() {
        return endpoint.breaker.isOpen() || own.isOpen();
    }

    /**
     * Answers a row whose arguments are given as JSON, each after a comma. Throws RowFailed, at the latest shortly
     * after the deadline or when the thread's query is to stop.
     */
    Answer call(byte[] arguments, long deadline, long graceMs) {
        if (arguments.length > MAX_ROW) { // told here: the server would hang up in the middle of it
            throw new RowFailed(RowFailed.INVALID_INPUT, "the arguments take " + arguments.length
                    + " bytes; the scoring server takes 8 MiB in a call");
        }
        Row row = new Row(arguments, deadline);
        boolean leads;
        synchronized (waiting) {
            boolean free = busy < connections;
            leads = free && complete(1);
            if (leads) {
                busy++;
            } else {
                row.gathersUntil = free ? gatherEnd() : 0;
                waiting.add(row);
            }
        }
        if (leads || await(row, graceMs)) {
            lead(row, graceMs);
        }
        if (row.result instanceof RowFailed) {
            throw (RowFailed) row.result;
        }
        return (Answer) row.result;
    }

    /** Waits until the row is answered (false) or it is its turn to send (true). */
    private boolean await(Row row, long graceMs) {
        while (row.result == null && !row.leads) {
            long left = row.deadline - System.nanoTime();
            Long stop = Stopping.deadline(row.thread, graceMs);
            boolean stopped = stop != null && System.nanoTime() - stop >= 0;
            if (left <= 0 || stopped) {
                return leave(row, stopped);
            }
            long gathers = row.gathersUntil;
            if (gathers == 0) {
                LockSupport.parkNanos(this, Math.min(left, SLICE_NS));
            } else if (gathers - System.nanoTime() > 0) {
                LockSupport.parkNanos(this, Math.min(left, gathers - System.nanoTime()));
            } else {
                synchronized (waiting) {
                    row.gathersUntil = 0;
                    if (busy < connections && waiting.remove(row)) {
                        busy++;
                        return true; // the others do not come: go without them
                    }
                }
            }
        }
        return row.result == null;
    }

    /** Whether those who wait, with some more, are all that can be expected soon. Under the lock. */
    private boolean complete(int more) {
        return expected < MANY || waiting.size() + more >= expected;
    }

    /** For how long rows wait for each other: a fraction of a call's time, since it may save them a call. */
    private long gatherEnd() {
        long end = System.nanoTime() + Math.min(GATHER_NS, lastNs / 4);
        return end == 0 ? 1 : end;
    }

    private boolean leave(Row row, boolean stopped) {
        synchronized (waiting) {
            waiting.remove(row);
            if (row.result == null) {
                row.result = stopped
                        ? new RowFailed(RowFailed.UNAVAILABLE, "the query is stopping")
                        : new RowFailed(RowFailed.TIMEOUT, "no answer in time: the scoring server is behind");
            }
            if (row.leads) {
                pass();
            } else if (busy < connections && !waiting.isEmpty()) { // the others wait for this one to go
                waiting.peek().gathersUntil = System.nanoTime() | 1;
                LockSupport.unpark(waiting.peek().thread);
            }
        }
        return false;
    }

    /** Hands the connection on to the row that waits longest, or sets it free. Under the lock. */
    private void pass() {
        Row next = waiting.peek();
        if (next == null) {
            busy--;
        } else if (complete(0)) {
            waiting.poll();
            next.leads = true;
            LockSupport.unpark(next.thread);
        } else {
            busy--;
            next.gathersUntil = gatherEnd();
            LockSupport.unpark(next.thread);
        }
    }

    private void lead(Row first, long graceMs) {
        List<Row> batch = new ArrayList<>();
        batch.add(first);
        synchronized (waiting) {
            int size = first.arguments.length;
            for (Row row = waiting.peek(); row != null && batch.size() < spec.batchLimit; row = waiting.peek()) {
                size += row.arguments.length + 12;
                if (size > MAX_BYTES) {
                    break;
                }
                batch.add(waiting.poll());
            }
        }
        long started = System.nanoTime();
        RowFailed failure = new RowFailed(RowFailed.UNAVAILABLE, "the call ended without an answer");
        try {
            long deadline = first.deadline;
            for (Row row : batch) {
                deadline = row.deadline - deadline > 0 ? row.deadline : deadline; // nobody's time is cut by the first's
            }
            deliver(batch, ask(batch, deadline, graceMs));
        } catch (RowFailed e) {
            failure = e;
        } finally {
            synchronized (waiting) {
                expected = batch.size() + waiting.size();
                lastNs = System.nanoTime() - started;
                pass();
                for (Row row : batch) {
                    if (row.result == null) {
                        row.result = failure;
                    }
                }
            }
            for (Row row : batch) {
                if (row != first) {
                    LockSupport.unpark(row.thread);
                }
            }
        }
    }

    private static byte[] body(List<Row> batch) {
        int size = OPEN.length + CLOSE.length;
        for (Row row : batch) {
            size += row.arguments.length + 12;
        }
        byte[] out = new byte[size];
        int at = put(out, 0, OPEN);
        for (int i = 0; i < batch.size(); i++) {
            at = put(out, at, ((i == 0 ? "[" : ",[") + i).getBytes(StandardCharsets.US_ASCII));
            at = put(out, at, batch.get(i).arguments);
            out[at++] = ']';
        }
        at = put(out, at, CLOSE);
        return java.util.Arrays.copyOf(out, at);
    }

    private static int put(byte[] out, int at, byte[] part) {
        System.arraycopy(part, 0, out, at, part.length);
        return at + part.length;
    }

    /** The server's 200, after some tries with the same body and the same key; throws RowFailed. */
    private HttpConnection.Reply ask(List<Row> batch, long deadline, long graceMs) {
        RowFailed failure = null;
        byte[] body = body(batch);
        String headers = spec.deterministic || spec.detailOf != null
                ? ""
                : "idempotency-key: " + UUID.randomUUID() + "\r\n";
        long pause = FIRST_PAUSE_MS;
        for (int attempt = 1; attempt <= ATTEMPTS; attempt++) {
            if (deadline - System.nanoTime() <= 0 || !endpoint.breaker.allow() || !own.allow()) {
                break;
            }
            counters.sent(batch.size(), attempt > 1);
            try {
                HttpConnection.Reply reply = endpoint.send(path, body, headers, deadline, graceMs);
                endpoint.breaker.success();
                if (reply.status == 200) {
                    return reply;
                }
                failure = refusal(reply);
                if (reply.status != 429 && reply.status != 502 && reply.status != 503) {
                    own.success(); // it answers, if only to refuse
                    break;
                }
                pause = Math.max(pause, Math.min(reply.retryAfterMs, LONGEST_PAUSE_MS));
            } catch (Endpoint.NoReply e) {
                Long stop = Stopping.deadline(Thread.currentThread(), graceMs);
                if (stop != null && System.nanoTime() - stop >= 0) {
                    throw new RowFailed(RowFailed.UNAVAILABLE, "the query is stopping");
                }
                if (!e.asked) {
                    failure = new RowFailed(RowFailed.UNAVAILABLE, e.getMessage());
                    break;
                }
                (e.timedOut ? own : endpoint.breaker).failure(e.getMessage());
                failure = new RowFailed(e.timedOut ? RowFailed.TIMEOUT : RowFailed.UNAVAILABLE, e.getMessage());
            }
            if (attempt < ATTEMPTS && !pause(ThreadLocalRandom.current().nextLong(pause + 1), deadline, graceMs)) {
                break; // full jitter above, so that many queries do not come back together
            }
            pause = Math.min(pause * 2, LONGEST_PAUSE_MS);
        }
        throw failure != null ? failure : new RowFailed(RowFailed.UNAVAILABLE, givenUp());
    }

    private String givenUp() {
        String because = endpoint.breaker.because().isEmpty() ? own.because() : endpoint.breaker.because();
        return because.isEmpty() ? "no time is left" : because + "; given up for a moment, then tried again";
    }

    /** Sleeps; false when the deadline or the end of the query comes first. */
    static boolean pause(long millis, long deadline, long graceMs) {
        long until = System.nanoTime() + millis * 1_000_000L;
        while (true) {
            long now = System.nanoTime();
            Long stop = Stopping.deadline(Thread.currentThread(), graceMs);
            if (deadline - now <= 0 || stop != null && now - stop >= 0) {
                return false;
            }
            if (until - now <= 0) {
                return true;
            }
            LockSupport.parkNanos(Math.min(SLICE_NS, Math.min(until - now, deadline - now)));
        }
    }

    private static RowFailed refusal(HttpConnection.Reply reply) {
        String message = "status " + reply.status;
        try {
            message = String.valueOf(((Map<?, ?>) Json.parse(reply.body)).get("message"));
        } catch (IllegalArgumentException | ClassCastException e) {
            // the status says it
        }
        message += Settings.adviceFor(reply.status);
        boolean input = reply.status == 400 || reply.status == 413;
        return new RowFailed(
                input ? RowFailed.INVALID_INPUT : RowFailed.UNAVAILABLE,
                "the scoring server refused the call: " + message);
    }

    /** Gives each row its own answer. Never guesses which row an answer belongs to: what does not fit fails them all. */
    private void deliver(List<Row> batch, HttpConnection.Reply reply) {
        Object[] results = new Object[batch.size()];
        boolean late;
        try {
            Map<?, ?> document = (Map<?, ?>) Json.parse(reply.body);
            List<?> data = (List<?>) document.get("data");
            if (data.size() != results.length) {
                throw new IllegalArgumentException(data.size() + " rows for " + results.length);
            }
            int version = ((Long) document.get("version")).intValue();
            for (int i = 0; i < results.length; i++) {
                List<?> pair = (List<?>) data.get(i);
                if (((Long) pair.get(0)) != i) {
                    throw new IllegalArgumentException("row " + pair.get(0) + " in place of row " + i);
                }
                results[i] = new Answer(pair.get(1), version);
            }
            int timedOut = 0;
            for (Object error : (List<?>) document.get("errors")) {
                List<?> parts = (List<?>) error;
                RowFailed failed = new RowFailed((String) parts.get(1), String.valueOf(parts.get(2)));
                results[((Long) parts.get(0)).intValue()] = failed;
                timedOut += failed.code.equals(RowFailed.TIMEOUT) ? 1 : 0;
            }
            late = timedOut == results.length;
        } catch (ClassCastException | IllegalArgumentException | NullPointerException | IndexOutOfBoundsException e) {
            String why = "the scoring server's answer makes no sense: " + e.getMessage();
            own.failure(why);
            throw new RowFailed(RowFailed.UNAVAILABLE, why);
        }
        if (late) {
            own.failure("the scoring server took too long");
        } else {
            own.success();
        }
        for (int i = 0; i < results.length; i++) {
            batch.get(i).result = results[i];
        }
    }
}
