package io.ksqlkit.bridge;

import java.io.IOException;
import java.util.List;
import java.util.Map;

/** The models of a scoring server, by name and version; asked now and then whether another version went live. */
final class ServerModels extends ModelSource {
    private static final long TIMEOUT_NS = 30_000_000_000L;
    private static final long LONGEST_MS = 60_000;

    private final Endpoint endpoint;
    private final String path;

    private ServerModels(Endpoint endpoint, String name, String sha256, long pollMs) {
        super(name, endpoint.toString(), sha256, pollMs, LONGEST_MS);
        this.endpoint = endpoint;
        this.path = "/v1/models/" + name + "/versions/";
    }

    static ModelSource of(Endpoint endpoint, String name, String sha256, long pollMs) {
        return shared(
                List.of(endpoint, name, sha256, pollMs), false, k -> new ServerModels(endpoint, name, sha256, pollMs));
    }

    @Override
    Form fetch(PortableModel known) throws IOException {
        return get("live", known == null ? "" : "if-none-match: \"" + known.sha256 + "\"\r\n");
    }

    @Override
    Form fetch(int version) throws IOException {
        return get(Integer.toString(version), "");
    }

    private Form get(String version, String headers) throws IOException {
        HttpConnection.Reply reply;
        try {
            long deadline = System.nanoTime() + TIMEOUT_NS;
            reply = endpoint.send(path + version + "/portable", new byte[0], headers, deadline, 0);
        } catch (Endpoint.NoReply e) {
            throw new IOException(e.getMessage());
        }
        if (reply.status == 304) {
            return Form.SAME;
        }
        if (reply.status != 200) {
            throw new IOException(said(reply));
        }
        return new Form(reply.body, reply.etag.replaceFirst("^W/", "").replace("\"", ""));
    }

    private static String said(HttpConnection.Reply reply) {
        String message = "status " + reply.status;
        try {
            message = String.valueOf(((Map<?, ?>) Json.parse(reply.body)).get("message"));
        } catch (IllegalArgumentException | ClassCastException e) {
            // the status says it
        }
        return "the scoring server refused it: " + message + Settings.adviceFor(reply.status);
    }
}
