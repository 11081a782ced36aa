package io.ksqlkit.bridge;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import javax.net.ServerSocketFactory;

/** A scoring server that answers each row with its first argument, and misbehaves as it is told. */
final class FakeServer implements AutoCloseable {
    /** What to do with the next calls. */
    enum Mode { GOOD, SLOW, RESET, SHORT, SWAPPED, ERROR_500, BUSY_THEN_GOOD, HALF, GARBAGE, BAD_ROW, CLOSE_AFTER, UNAUTHORIZED, UNKNOWN,
        OTHER_TYPE }

    volatile Mode mode = Mode.GOOD;
    volatile long delayMs;
    volatile int version = 1;
    volatile int formStatus = 200;
    final AtomicInteger looks = new AtomicInteger();
    final AtomicInteger forms = new AtomicInteger();
    private final Map<Integer, byte[]> models = new java.util.concurrent.ConcurrentHashMap<>();
    private final Map<Integer, String> etags = new java.util.concurrent.ConcurrentHashMap<>();
    private volatile int liveForm;
    final AtomicInteger calls = new AtomicInteger();
    final AtomicInteger rows = new AtomicInteger();
    final AtomicInteger largest = new AtomicInteger();
    final List<String> paths = Collections.synchronizedList(new ArrayList<>());
    final List<String> keys = Collections.synchronizedList(new ArrayList<>());
    final List<String> tokens = Collections.synchronizedList(new ArrayList<>());
    private final ServerSocket listener;
    private final Thread accept;
    private final String scheme;
    private final List<Socket> open = Collections.synchronizedList(new ArrayList<>());

    FakeServer() throws IOException {
        this(ServerSocketFactory.getDefault(), "http");
    }

    FakeServer(ServerSocketFactory sockets, String scheme) throws IOException {
        this.scheme = scheme;
        listener = sockets.createServerSocket(0, 100, InetAddress.getLoopbackAddress());
        accept = new Thread(() -> {
            while (!listener.isClosed()) {
                try {
                    Socket socket = listener.accept();
                    open.add(socket);
                    Thread one = new Thread(() -> serve(socket));
                    one.setDaemon(true);
                    one.start();
                } catch (IOException e) {
                    return;
                }
            }
        });
        accept.setDaemon(true);
        accept.start();
    }

    String url() {
        return scheme + "://localhost:" + listener.getLocalPort();
    }

    private void serve(Socket socket) {
        try (socket) {
            InputStream in = socket.getInputStream();
            while (true) {
                String head = head(in);
                if (head.isEmpty()) {
                    return;
                }
                int length = 0;
                String known = "";
                for (String line : head.split("\r\n")) {
                    if (line.startsWith("content-length: ")) {
                        length = Integer.parseInt(line.substring(16));
                    } else if (line.startsWith("idempotency-key: ")) {
                        keys.add(line.substring(17));
                    } else if (line.startsWith("if-none-match: ")) {
                        known = line.substring(15);
                    } else if (line.startsWith("authorization: ")) {
                        tokens.add(line.substring(15));
                    }
                }
                String path = head.split(" ")[1];
                byte[] answer;
                if (path.startsWith("/v1/models/")) {
                    answer = form(path, known);
                } else {
                    paths.add(path);
                    answer = answer(in.readNBytes(length));
                }
                if (answer == null) {
                    socket.setSoLinger(true, 0);
                    return;
                }
                socket.getOutputStream().write(answer);
                if (mode == Mode.HALF || mode == Mode.CLOSE_AFTER) {
                    return;
                }
            }
        } catch (IOException | InterruptedException e) {
            // the client went away
        }
    }

    private static String head(InputStream in) throws IOException {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        int seen = 0;
        for (int b = in.read(); b >= 0; b = in.read()) {
            out.write(b);
            seen = b == "\r\n\r\n".charAt(seen) ? seen + 1 : b == '\r' ? 1 : 0;
            if (seen == 4) {
                return out.toString(StandardCharsets.ISO_8859_1);
            }
        }
        return "";
    }

    private byte[] answer(byte[] body) throws InterruptedException {
        int number = calls.incrementAndGet();
        List<?> data = (List<?>) ((Map<?, ?>) Json.parse(body)).get("data");
        rows.addAndGet(data.size());
        largest.accumulateAndGet(data.size(), Math::max);
        Thread.sleep(mode == Mode.SLOW ? 3_000 : delayMs);
        switch (mode) {
            case RESET:
                return null;
            case ERROR_500:
                return http(500, "{\"code\":\"INTERNAL\",\"message\":\"it failed\"}");
            case BUSY_THEN_GOOD:
                if (number % 2 == 1) {
                    return http(429, "{\"code\":\"OVERLOADED\",\"message\":\"busy\"}");
                }
                break;
            case UNAUTHORIZED:
                return http(401, "{\"code\":\"UNAUTHORIZED\",\"message\":\"send a valid token\"}");
            case UNKNOWN:
                return http(404, "{\"code\":\"UNKNOWN_FUNCTION\",\"message\":\"there is no function ECHO\"}");
            case GARBAGE:
                return http(200, "<html>");
            default:
        }
        StringBuilder out = new StringBuilder("{\"data\":[");
        int count = mode == Mode.SHORT ? data.size() - 1 : data.size();
        for (int i = 0; i < count; i++) {
            List<?> row = (List<?>) data.get(i);
            Object index = mode == Mode.SWAPPED ? (Object) (data.size() - i) : row.get(0);
            out.append(i == 0 ? "[" : ",[").append(index).append(',');
            Object value = row.get(1) instanceof String ? ((String) row.get(1)).length() : row.get(1);
            out.append(mode == Mode.OTHER_TYPE ? "\"text\"" : value).append(']');
        }
        out.append("],\"errors\":[");
        if (mode == Mode.BAD_ROW) {
            out.append("[0,\"INVALID_INPUT\",\"no such thing\"]");
        }
        out.append("],\"model\":null,\"version\":").append(version).append('}');
        byte[] whole = http(200, out.toString());
        return mode == Mode.HALF ? java.util.Arrays.copyOf(whole, whole.length - 5) : whole;
    }

    /** Makes a model of the name toy the live one. */
    void form(int number, String body) throws Exception {
        form(number, Toys.file(body), Toys.sha(body));
    }

    void form(int number, byte[] file, String etag) {
        models.put(number, file);
        etags.put(number, etag);
        liveForm = number;
    }

    private byte[] form(String path, String known) throws IOException {
        looks.incrementAndGet();
        String text = path.split("/")[5];
        int number = text.equals("live") ? liveForm : Integer.parseInt(text);
        if (formStatus != 200 || !path.startsWith("/v1/models/toy/") || !models.containsKey(number)) {
            return http(formStatus == 200 ? 404 : formStatus, "{\"code\":\"X\",\"message\":\"no such form\"}");
        }
        if (known.equals('"' + etags.get(number) + '"')) {
            return "HTTP/1.1 304 X\r\n\r\n".getBytes(StandardCharsets.UTF_8);
        }
        forms.incrementAndGet();
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        byte[] file = models.get(number);
        String etag = etags.get(number).isEmpty() ? "" : "etag: \"" + etags.get(number) + "\"\r\n";
        out.write(("HTTP/1.1 200 X\r\n" + etag + "content-length: " + file.length + "\r\n\r\n")
                .getBytes(StandardCharsets.UTF_8));
        out.write(file);
        return out.toByteArray();
    }

    private static byte[] http(int status, String body) {
        byte[] bytes = body.getBytes(StandardCharsets.UTF_8);
        return ("HTTP/1.1 " + status + " X\r\ncontent-type: application/json\r\ncontent-length: " + bytes.length
                + "\r\n\r\n" + body).getBytes(StandardCharsets.UTF_8);
    }

    /** Closes all connections; new ones are still taken. */
    void hangUp() throws IOException {
        synchronized (open) {
            for (Socket socket : open) {
                socket.close();
            }
            open.clear();
        }
    }

    @Override
    public void close() throws IOException {
        listener.close();
        try {
            accept.join(); // until then the system may still take connections for it
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        hangUp();
    }
}
