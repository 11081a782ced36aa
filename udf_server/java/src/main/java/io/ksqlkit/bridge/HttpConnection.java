package io.ksqlkit.bridge;

import java.io.ByteArrayOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.Locale;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.SSLSocketFactory;

/**
 * One kept-alive HTTP/1.1 connection, used by one thread at a time. The calling thread itself writes and reads: with
 * one row to send nothing is faster, and another thread may close the socket to set it free.
 */
final class HttpConnection {
    private static final int MAX_ANSWER = 64 * 1024 * 1024;

    /** An answer. {@code retryAfterMs} is 0 where the server did not say. */
    static final class Reply {
        final int status;
        final byte[] body;
        final long retryAfterMs;
        final String etag;

        Reply(int status, byte[] body, long retryAfterMs, String etag) {
            this.status = status;
            this.body = body;
            this.retryAfterMs = retryAfterMs;
            this.etag = etag;
        }
    }

    private final Socket socket;
    private final InputStream in;
    private final byte[] buffer = new byte[16 * 1024];
    private int from;
    private int to;
    private boolean keep = true;
    /** Whether any byte of the present answer has come: if none, a kept connection may just have grown old. */
    private boolean begun;

    HttpConnection(URI url, SSLSocketFactory tls, int connectMs) throws IOException {
        int port = url.getPort() > 0 ? url.getPort() : tls == null ? 80 : 443;
        Socket plain = new Socket();
        try {
            plain.setTcpNoDelay(true);
            plain.connect(new InetSocketAddress(url.getHost(), port), Math.max(1, connectMs));
            if (tls == null) {
                socket = plain;
            } else {
                plain.setSoTimeout(Math.max(1, connectMs));
                SSLSocket secured = (SSLSocket) tls.createSocket(plain, url.getHost(), port, true);
                SSLParameters parameters = secured.getSSLParameters();
                parameters.setEndpointIdentificationAlgorithm("HTTPS");
                secured.setSSLParameters(parameters);
                secured.startHandshake();
                socket = secured;
            }
            in = socket.getInputStream();
        } catch (IOException | RuntimeException e) {
            plain.close();
            throw e;
        }
    }

    boolean reusable() {
        return keep && !socket.isClosed();
    }

    boolean nothingCame() {
        return !begun;
    }

    void close() {
        keep = false;
        try {
            socket.close();
        } catch (IOException e) {
            // it is closed for us either way
        }
    }

    /** Sends a request and reads its answer. {@code head} is the request line and headers without their length. */
    Reply exchange(String head, byte[] body, int timeoutMs) throws IOException {
        begun = false;
        socket.setSoTimeout(Math.max(1, timeoutMs));
        byte[] start = (head + "content-length: " + body.length + "\r\n\r\n").getBytes(StandardCharsets.ISO_8859_1);
        byte[] all = new byte[start.length + body.length];
        System.arraycopy(start, 0, all, 0, start.length);
        System.arraycopy(body, 0, all, start.length, body.length);
        socket.getOutputStream().write(all);
        try {
            return read();
        } catch (NumberFormatException | IndexOutOfBoundsException e) {
            throw new IOException("the answer is not HTTP");
        }
    }

    private Reply read() throws IOException {
        String status = line();
        if (!status.startsWith("HTTP/1.") || status.length() < 12) {
            throw new IOException("the answer is not HTTP");
        }
        int code = Integer.parseInt(status.substring(9, 12));
        long length = -1;
        boolean chunked = false;
        long retryAfter = 0;
        String etag = "";
        keep = status.startsWith("HTTP/1.1");
        for (String line = line(); !line.isEmpty(); line = line()) {
            int colon = line.indexOf(':');
            String name = line.substring(0, colon).trim().toLowerCase(Locale.ROOT);
            String value = line.substring(colon + 1).trim();
            if (name.equals("content-length")) {
                length = Long.parseLong(value);
            } else if (name.equals("transfer-encoding")) {
                chunked = value.toLowerCase(Locale.ROOT).contains("chunked");
            } else if (name.equals("connection")) {
                keep = !value.equalsIgnoreCase("close");
            } else if (name.equals("etag")) {
                etag = value;
            } else if (name.equals("retry-after") && value.matches("\\d{1,6}")) {
                retryAfter = Long.parseLong(value) * 1000;
            }
        }
        byte[] body;
        if (code == 304 || code == 204) {
            body = new byte[0];
        } else if (chunked) {
            body = chunks();
        } else if (length >= 0) {
            body = bytes(length);
        } else {
            keep = false;
            body = rest();
        }
        return new Reply(code, body, retryAfter, etag);
    }

    private byte[] chunks() throws IOException {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        while (true) {
            String size = line();
            int length = Integer.parseInt(size.split(";")[0].trim(), 16);
            if (length == 0) {
                while (!line().isEmpty()) {
                    continue;
                }
                return out.toByteArray();
            }
            if (out.size() + (long) length > MAX_ANSWER) {
                throw new IOException("the answer is too large");
            }
            out.write(bytes(length));
            line();
        }
    }

    private byte[] rest() throws IOException {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        do {
            out.write(buffer, from, to - from);
            if (out.size() > MAX_ANSWER) {
                throw new IOException("the answer is too large");
            }
            from = 0;
            to = Math.max(0, in.read(buffer, 0, buffer.length));
        } while (to > 0);
        return out.toByteArray();
    }

    private byte[] bytes(long length) throws IOException {
        if (length < 0 || length > MAX_ANSWER) {
            throw new IOException("the answer is too large");
        }
        byte[] out = new byte[(int) length];
        int have = Math.min(out.length, to - from);
        System.arraycopy(buffer, from, out, 0, have);
        from += have;
        while (have < out.length) {
            int got = in.read(out, have, out.length - have);
            if (got < 0) {
                throw new EOFException("the answer ended in the middle");
            }
            have += got;
        }
        return out;
    }

    private String line() throws IOException {
        StringBuilder out = new StringBuilder();
        while (true) {
            if (from == to) {
                from = 0;
                to = Math.max(0, in.read(buffer, 0, buffer.length));
                if (to == 0) {
                    throw new EOFException(begun ? "the answer ended in the middle" : "the connection was closed");
                }
                begun = true;
            }
            char c = (char) (buffer[from++] & 0xff);
            if (c == '\n') {
                int length = out.length();
                return length > 0 && out.charAt(length - 1) == '\r' ? out.substring(0, length - 1) : out.toString();
            }
            if (out.length() > 16_384) {
                throw new IOException("the answer is not HTTP");
            }
            out.append(c);
        }
    }
}
