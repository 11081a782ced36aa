package io.ksqlkit.bridge;

import java.io.IOException;
import java.net.ConnectException;
import java.net.NoRouteToHostException;
import java.net.SocketTimeoutException;
import java.net.URI;
import java.net.UnknownHostException;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedDeque;
import javax.net.ssl.SSLException;
import javax.net.ssl.SSLSocketFactory;

/** A scoring server as all functions of the jar share it: idle connections, breaker, and a watch over calls under way. */
final class Endpoint {
    private static final int CONNECT_MS = 2_000;
    private static final long WATCH_MS = 25;
    private static final String CHECK_URL =
            " (is it running, and is " + Settings.GLOBAL + "scoring.url its address as seen from here?)";
    private static final Map<Object, Endpoint> SHARED = new ConcurrentHashMap<>();
    private static final Map<HttpConnection, Watched> UNDER_WAY = new ConcurrentHashMap<>();

    /** No usable answer came. */
    static final class NoReply extends Exception {
        final boolean timedOut;
        /** Whether the server was asked at all: a file that is not there is not its fault. */
        final boolean asked;

        NoReply(String message, boolean timedOut, boolean asked) {
            super(message, null, false, false);
            this.timedOut = timedOut;
            this.asked = asked;
        }
    }

    private static final class Watched {
        final Thread thread;
        final long deadline;
        final long graceMs;

        Watched(Thread thread, long deadline, long graceMs) {
            this.thread = thread;
            this.deadline = deadline;
            this.graceMs = graceMs;
        }
    }

    static {
        Thread watch = new Thread(Endpoint::watch, "ksqlkit-bridge-watch");
        watch.setDaemon(true);
        watch.start();
    }

    final Breaker breaker = new Breaker(System::nanoTime);
    private final URI url;
    private final String prefix;
    private final Credentials credentials;
    private final ConcurrentLinkedDeque<HttpConnection> idle = new ConcurrentLinkedDeque<>();
    private final Map<String, GroupCommit> lanes = new ConcurrentHashMap<>();
    private volatile SSLSocketFactory tls;

    private Endpoint(URI url, Credentials credentials) {
        this.url = url;
        this.prefix = url.getRawPath() == null ? "" : url.getRawPath().replaceAll("/+$", "");
        this.credentials = credentials;
    }

    /** The one endpoint for a URL and its credentials. */
    static Endpoint of(String text, Credentials credentials) {
        URI url = URI.create(text);
        boolean known = "http".equalsIgnoreCase(url.getScheme()) || "https".equalsIgnoreCase(url.getScheme());
        if (!known || url.getHost() == null || url.getUserInfo() != null) {
            throw new IllegalArgumentException(
                    Settings.GLOBAL + "scoring.url must be http://HOST:PORT or https://HOST:PORT, not '"
                            + text.replaceAll("//.*@", "//***@") + "'");
        }
        return SHARED.computeIfAbsent(Map.entry(url, credentials), k -> new Endpoint(url, credentials));
    }

    /** The lane of a function and version; version 0 is the live one. */
    GroupCommit lane(Spec spec, int version, int connections, int cacheEntries, Counters counters) {
        return lanes.computeIfAbsent(
                spec.name + "@" + version,
                k -> new GroupCommit(this, spec, version, connections, cacheEntries, counters));
    }

    /** Sends a POST, or a GET where there is no body, and returns the answer. The breaker is the caller's to ask. */
    HttpConnection.Reply send(String path, byte[] body, String headers, long deadline, long graceMs) throws NoReply {
        for (boolean fresh = false; ; fresh = true) {
            long left = deadline - System.nanoTime();
            if (left <= 0) {
                throw new NoReply("no time is left", true, true);
            }
            HttpConnection connection = null;
            String head = head(path, body, headers, left);
            try {
                connection = fresh ? null : idle.pollFirst();
                boolean kept = connection != null;
                if (connection == null) {
                    connection = connect(left);
                }
                UNDER_WAY.put(connection, new Watched(Thread.currentThread(), deadline, graceMs));
                int timeout = (int) Math.min(Integer.MAX_VALUE, (deadline - System.nanoTime()) / 1_000_000L + 1);
                try {
                    HttpConnection.Reply reply = connection.exchange(head, body, timeout);
                    UNDER_WAY.remove(connection);
                    if (connection.reusable()) {
                        idle.addFirst(connection);
                    }
                    return reply;
                } catch (IOException e) {
                    connection.close();
                    if (kept && connection.nothingCame() && !(e instanceof SocketTimeoutException)
                            && deadline - System.nanoTime() > 0 && !Thread.currentThread().isInterrupted()) {
                        drop();
                        continue; // a kept connection had grown old: nobody has seen the request
                    }
                    throw e;
                }
            } catch (IOException e) {
                boolean late = e instanceof SocketTimeoutException || deadline - System.nanoTime() <= 0;
                throw new NoReply(
                        "the scoring server at " + url + (late ? " took too long" : " failed: " + said(e)), late, true);
            } finally {
                if (connection != null) {
                    UNDER_WAY.remove(connection);
                }
            }
        }
    }

    private HttpConnection connect(long left) throws IOException, NoReply {
        boolean secure = "https".equalsIgnoreCase(url.getScheme());
        if (secure && tls == null) {
            try {
                tls = credentials.sockets();
            } catch (IOException e) {
                throw new NoReply(said(e), false, false);
            }
        }
        int millis = (int) Math.min(CONNECT_MS, left / 1_000_000L + 1);
        try {
            return new HttpConnection(url, secure ? tls : null, millis);
        } catch (SocketTimeoutException e) {
            throw new IOException("no connection within " + millis + " ms" + CHECK_URL);
        } catch (UnknownHostException e) {
            throw new IOException("there is no host " + url.getHost() + CHECK_URL);
        } catch (SSLException e) {
            throw new IOException(said(e) + " (set " + Settings.GLOBAL
                    + "scoring.ca.file to the certificate of who signed the server's, whose name must be the URL's)");
        } catch (ConnectException | NoRouteToHostException e) {
            throw new IOException(said(e) + CHECK_URL);
        }
    }

    private String head(String path, byte[] body, String headers, long left) throws NoReply {
        String token;
        try {
            token = credentials.token();
        } catch (IOException e) {
            throw new NoReply(said(e), false, false);
        }
        return (body.length == 0 ? "GET " : "POST ") + prefix + path + " HTTP/1.1\r\nhost: " + url.getAuthority()
                + "\r\naccept: application/json\r\ncontent-type: application/json\r\nx-deadline-ms: "
                + Math.max(1, left / 1_000_000L) + "\r\n"
                + (token == null ? "" : "authorization: Bearer " + token + "\r\n") + headers;
    }

    private void drop() {
        for (HttpConnection old = idle.pollFirst(); old != null; old = idle.pollFirst()) {
            old.close();
        }
    }

    private static String said(IOException e) {
        return Objects.toString(e.getMessage(), e.getClass().getSimpleName());
    }

    /** Closes the sockets of calls that are late, or whose thread is to stop, so that the thread goes on. */
    private static void watch() {
        while (true) {
            try {
                Thread.sleep(WATCH_MS);
            } catch (InterruptedException e) {
                return;
            }
            UNDER_WAY.forEach((connection, watched) -> {
                Long stop = Stopping.deadline(watched.thread, watched.graceMs);
                long now = System.nanoTime();
                if (now - watched.deadline > 0 || stop != null && now - stop >= 0) {
                    connection.close();
                }
            });
        }
    }

    @Override
    public String toString() {
        return url.toString();
    }
}
