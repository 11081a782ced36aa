package io.ksqlkit.bridge;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.Map;

/**
 * A model in the scoring server's portable form: one line of JSON with the format, the model's name and version and
 * the SHA-256 of what follows; then the model as JSON, with rows and the answers they must get. A model whose checksum
 * or answers differ is not taken.
 */
abstract class PortableModel {
    static final String FORMAT = "ksqlkit-model-2";

    /** The model cannot tell by itself what the server would make of a row; the server can. */
    static final class Unsure extends RuntimeException {
        Unsure(String message) {
            super(message, null, false, false);
        }
    }

    final String name;
    final int version;
    final String sha256;
    final List<String> classes;

    PortableModel(Map<?, ?> json, String sha256) {
        name = (String) json.get("name");
        version = ((Long) json.get("version")).intValue();
        this.sha256 = sha256;
        List<String> named = strings(json.get("classes"));
        classes = named.isEmpty() ? List.of("0", "1") : named;
    }

    /**
     * What a function answers for a row: {@code "score"} the number, {@code "label"} the class, {@code "chances"} a map
     * of class and probability. {@code given} are the arguments, the model's from {@code from} on. Throws RowFailed for
     * a row at fault, Unsure for one that only the server can answer.
     */
    abstract Object answer(String what, Object[] given, int from);

    /** Compares the answers of the rows that came with the model; throws IOException that names the first that differs. */
    abstract void verify(Map<?, ?> vectors) throws IOException;

    /** Reads and verifies; throws IOException that says what is wrong. */
    static PortableModel read(byte[] file) throws IOException {
        int end = 0;
        while (end < file.length && file[end] != '\n') {
            end++;
        }
        try {
            Map<?, ?> header = (Map<?, ?>) Json.parse(Arrays.copyOf(file, end));
            if (!FORMAT.equals(header.get("format"))) {
                throw new IOException("the format is " + header.get("format") + ", this jar reads " + FORMAT
                        + ": build it again with `ksqlkit functions build`, or write the model again");
            }
            byte[] body = Arrays.copyOfRange(file, Math.min(file.length, end + 1), file.length);
            String found = hex(MessageDigest.getInstance("SHA-256").digest(body));
            if (!found.equals(header.get("sha256"))) {
                throw new IOException("the checksum is " + found + ", not " + header.get("sha256"));
            }
            Map<?, ?> json = (Map<?, ?>) Json.parse(body);
            PortableModel model = json.containsKey("text") ? new TextModel(json, found) : new RowModel(json, found);
            if (!model.name.equals(header.get("name")) || model.version != (Long) header.get("version")) {
                throw new IOException("its first line names another model than " + model);
            }
            model.verify((Map<?, ?>) json.get("vectors"));
            return model;
        } catch (ClassCastException | NullPointerException | IndexOutOfBoundsException | IllegalArgumentException e) {
            throw new IOException("it is no model: " + e.getMessage(), e);
        } catch (NoSuchAlgorithmException e) {
            throw new IOException(e);
        }
    }

    private static String hex(byte[] digest) {
        StringBuilder out = new StringBuilder();
        for (byte b : digest) {
            out.append(String.format("%02x", b));
        }
        return out.toString();
    }

    /** A list of strings; empty for null. */
    static List<String> strings(Object json) {
        List<String> out = new java.util.ArrayList<>();
        for (Object item : json == null ? List.of() : (List<?>) json) {
            out.add((String) item);
        }
        return List.copyOf(out);
    }

    private static ByteBuffer bytes(Object base64) {
        return ByteBuffer.wrap(Base64.getDecoder().decode((String) base64)).order(ByteOrder.LITTLE_ENDIAN);
    }

    /** Arrays come in base64, little-endian, so that no number is rounded on its way. */
    static int[] ints(Object base64) {
        ByteBuffer in = bytes(base64);
        int[] out = new int[in.remaining() / 4];
        in.asIntBuffer().get(out);
        return out;
    }

    static float[] floats(Object base64) {
        ByteBuffer in = bytes(base64);
        float[] out = new float[in.remaining() / 4];
        in.asFloatBuffer().get(out);
        return out;
    }

    static double[] doubles(Object base64) {
        ByteBuffer in = bytes(base64);
        double[] out = new double[in.remaining() / 8];
        in.asDoubleBuffer().get(out);
        return out;
    }

    @Override
    public final String toString() {
        return name + " version " + version;
    }
}
