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
 * they wait for each other while they keep coming, at most for a call's time, and whoever makes them complete sends all.
 *
 * <p>Each function has calls of its own: ksqlDB asks for the functions of a row one after another, so they never wait
 * together, and rows of different functions in one call would wait for the slowest and cost the server no less.
 */
final class GroupCommit {
    /** Bytes of a row's arguments. */
    static final int MAX_ROW = 8 * 1024 * 1024 - 64;
    private static final int ATTEMPTS = 3;
    private static final int MAX_BYTES = 7 * 1024 * 1024; // of rows together: under the server's 8 MiB
    private static final long FIRST_PAUSE_MS = 50;
    private static final long LONGEST_PAUSE_MS = 1_000;
    private static final long SLICE_NS = 25_000_000L;
    private static final long SHORTEST_GAP_NS = 100_000L;
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
        boolean leads; // of its own thread
        /** Whether this row is to send when those expected do not come. */
        volatile boolean gathers;

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
    /** How long a call takes. */
    private long callNs;
    /** When the rows that gather began to, and when the last of them came. */
    private long gatheringSince;
    private long lastCame;

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
     * Answers a row whose arguments are given as JSON, each after a comma, at most MAX_ROW bytes. Throws RowFailed, at the latest shortly
     * after the deadline or when the thread's query is to stop.
     */
    Answer call(byte[] arguments, long deadline, long graceMs) {
        Row row = new Row(arguments, deadline);
        if (leads(row) || await(row, graceMs)) {
            lead(row, graceMs);
        }
        Object result = row.result;
        if (result instanceof RowFailed) {
            throw (RowFailed) result;
        }
        return (Answer) result;
    }

    /** Whether a row that comes is to send, as the last of those expected; else it waits. */
    private boolean leads(Row row) {
        synchronized (waiting) {
            boolean free = busy < connections;
            if (free && waiting.size() + 1 >= expected) {
                busy++;
                return true;
            }
            waiting.add(row);
            if (free) {
                lastCame = System.nanoTime();
                if (waiting.size() == 1) {
                    gatheringSince = lastCame;
                    row.gathers = true;
                }
            }
            return false;
        }
    }

    /** Waits until the row is answered (false) or it is its turn to send (true). */
    private boolean await(Row row, long graceMs) {
        while (row.result == null && !row.leads) {
            long now = System.nanoTime();
            long left = row.deadline - now;
            Long stop = Stopping.deadline(row.thread, graceMs);
            boolean stopped = stop != null && now - stop >= 0;
            if (left <= 0 || stopped) {
                return leave(row, stopped);
            }
            long slice = Math.min(left, SLICE_NS);
            if (row.gathers) {
                slice = Math.min(slice, patience(row, now));
            }
            if (slice > 0) {
                LockSupport.parkNanos(this, slice);
            }
        }
        return row.result == null;
    }

    /** For how much longer the row that gathers does; with no time left it no more does, and leads where it can. */
    private long patience(Row row, long now) {
        synchronized (waiting) {
            // Going without those who are late costs them and the next call about half a call's time.
            long gap = Math.max(SHORTEST_GAP_NS, callNs / 2);
            long left = Math.min(lastCame - now + gap, gatheringSince - now + callNs);
            if (left <= 0) {
                row.gathers = false;
                if (busy < connections && waiting.remove(row)) {
                    busy++;
                    row.leads = true;
                }
            }
            return left;
        }
    }

    private boolean leave(Row row, boolean stopped) {
        Thread next = null;
        synchronized (waiting) {
            waiting.remove(row);
            if (row.result == null) {
                row.result = stopped
                        ? new RowFailed(RowFailed.UNAVAILABLE, "the query is stopping")
                        : new RowFailed(RowFailed.TIMEOUT, "no answer in time: the scoring server is behind");
            }
            if (row.gathers) {
                next = gather();
            }
        }
        LockSupport.unpark(next);
        return false;
    }

    /** Where rows wait though a connection is free: has the first of them gather, and names its thread. Under the lock. */
    private Thread gather() {
        Row first = waiting.peek();
        if (first == null || busy >= connections) {
            return null;
        }
        lastCame = gatheringSince = System.nanoTime();
        first.gathers = true;
        return first.thread;
    }

    private void lead(Row first, long graceMs) {
        List<Row> batch = new ArrayList<>();
        batch.add(first);
        Thread next;
        synchronized (waiting) {
            int size = first.arguments.length;
            for (Row row = waiting.peek(); row != null && batch.size() < spec.batchLimit; row = waiting.peek()) {
                size += row.arguments.length + 12;
                if (size > MAX_BYTES) {
                    break;
                }
                batch.add(waiting.poll());
            }
            next = gather();
        }
        LockSupport.unpark(next);
        long started = System.nanoTime();
        Object[] results = null;
        RowFailed failure = new RowFailed(RowFailed.UNAVAILABLE, "the call ended without an answer");
        try {
            long deadline = first.deadline;
            for (Row row : batch) {
                deadline = row.deadline - deadline > 0 ? row.deadline : deadline; // nobody's time is cut by the first's
            }
            results = read(batch.size(), ask(batch, deadline, graceMs));
        } catch (RowFailed e) {
            failure = e;
        } finally {
            synchronized (waiting) {
                expected = batch.size() + waiting.size();
                callNs = System.nanoTime() - started;
                busy--;
                next = gather();
            }
            LockSupport.unpark(next);
            for (int i = 0; i < batch.size(); i++) {
                Row row = batch.get(i);
                row.result = results == null ? failure : results[i];
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

    /** What each row gets. Never guesses which row an answer belongs to: what does not fit fails them all. */
    private Object[] read(int rows, HttpConnection.Reply reply) {
        Object[] results = new Object[rows];
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
        return results;
    }
}
