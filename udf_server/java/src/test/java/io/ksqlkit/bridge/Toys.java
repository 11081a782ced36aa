package io.ksqlkit.bridge;

import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.Base64;

/** Toy models in the portable form. */
final class Toys {
    private Toys() {}

    static String doubles(double... values) {
        ByteBuffer out = ByteBuffer.allocate(values.length * 8).order(ByteOrder.LITTLE_ENDIAN);
        out.asDoubleBuffer().put(values);
        return '"' + Base64.getEncoder().encodeToString(out.array()) + '"';
    }

    static String floats(double... values) {
        ByteBuffer out = ByteBuffer.allocate(values.length * 4).order(ByteOrder.LITTLE_ENDIAN);
        for (double value : values) {
            out.putFloat((float) value);
        }
        return '"' + Base64.getEncoder().encodeToString(out.array()) + '"';
    }

    static String ints(int... values) {
        ByteBuffer out = ByteBuffer.allocate(values.length * 4).order(ByteOrder.LITTLE_ENDIAN);
        out.asIntBuffer().put(values);
        return '"' + Base64.getEncoder().encodeToString(out.array()) + '"';
    }

    /** One split of B: below 1 gives {@code low}, from 1 on 2.5; missing goes right; 0.5 is added. */
    static String tree(int version, double low) {
        return "{\"name\":\"toy\",\"version\":" + version + ",\"classes\":[],\"calibration\":{},"
                + "\"features\":[\"A\",\"B\"],\"categories\":{},\"derived\":[],\"values\":true,\"threshold\":null,"
                + "\"link\":\"identity\",\"single\":true,\"answer\":\"value\",\"base\":" + doubles(0.5)
                + ",\"trees\":{\"roots\":" + ints(0) + ",\"outputs\":" + ints(0) + ",\"left\":" + ints(1, -1, -1)
                + ",\"right\":" + ints(2, -1, -1) + ",\"feature\":" + ints(1, 0, 0) + ",\"value\":"
                + floats(1, low, 2.5) + ",\"missing_left\":" + ints(0, 0, 0) + "},\"vectors\":{\"rows\":"
                + doubles(0, 0, Double.NaN, Double.NaN) + ",\"margins\":" + doubles(0.5 + low, 3) + ",\"values\":"
                + doubles(0.5 + low, 3) + "}}";
    }

    /** A line over NUMBER (mean 1, weight 2) and WORD (red 0, blue 1; weight 4), intercept -1; red is at its mean. */
    static String line() {
        return "{\"name\":\"toy\",\"version\":1,\"classes\":[\"no\",\"yes\"],\"calibration\":{},"
                + "\"features\":[\"NUMBER\",\"WORD\"],\"categories\":{\"WORD\":[\"red\",\"blue\"]},\"derived\":[],"
                + "\"values\":false,\"threshold\":0.7,\"link\":\"logistic\",\"single\":false,\"answer\":\"value\",\"base\":"
                + doubles(-1) + ",\"line\":{\"weights\":" + doubles(2, 4) + ",\"means\":" + doubles(1, 0)
                + "},\"vectors\":{\"rows\":" + doubles(1.5, 1) + ",\"margins\":" + doubles(4) + ",\"values\":"
                + doubles(1 / (1 + Math.exp(-4))) + "}}";
    }

    static String sha(String body) throws Exception {
        byte[] digest = MessageDigest.getInstance("SHA-256").digest(body.getBytes(StandardCharsets.UTF_8));
        return String.format("%064x", new BigInteger(1, digest));
    }

    /** A file whose first line has the checksum of {@code signed}. */
    static byte[] file(String body, String signed) throws Exception {
        Object version = ((java.util.Map<?, ?>) Json.parse(body)).get("version");
        return ("{\"format\":\"ksqlkit-model-2\",\"sha256\":\"" + sha(signed) + "\",\"name\":\"toy\",\"version\":" + version
                        + "}\n" + body)
                .getBytes(StandardCharsets.UTF_8);
    }

    static byte[] file(String body) throws Exception {
        return file(body, body);
    }
}
