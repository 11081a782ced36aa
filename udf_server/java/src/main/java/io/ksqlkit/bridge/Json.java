package io.ksqlkit.bridge;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * JSON, read into maps, lists, strings, booleans, longs and doubles. Our own, as {@link JsonWriter} is, so that the jar
 * brings no library that could clash with ksqlDB's.
 */
final class Json {
    private static final int DEEPEST = 64;

    private final byte[] text;
    private final int end;
    private int at;

    private Json(byte[] text, int end) {
        this.text = text;
        this.end = end;
    }

    /** The value of a UTF-8 text; throws IllegalArgumentException with the place where it is not JSON. */
    static Object parse(byte[] utf8) {
        Json reader = new Json(utf8, utf8.length);
        Object value = reader.value(0);
        reader.skip();
        if (reader.at != reader.end) {
            throw reader.wrong("something after the value");
        }
        return value;
    }

    /** As {@link #parse(byte[])}, of a string. */
    static Object parse(String text) {
        return parse(text.getBytes(StandardCharsets.UTF_8));
    }

    private Object value(int depth) {
        if (depth > DEEPEST) {
            throw wrong("too deep");
        }
        skip();
        if (at >= end) {
            throw wrong("the end");
        }
        switch (text[at]) {
            case '{':
                return object(depth);
            case '[':
                return array(depth);
            case '"':
                return string();
            case 't':
                return word("true", Boolean.TRUE);
            case 'f':
                return word("false", Boolean.FALSE);
            case 'n':
                return word("null", null);
            default:
                return number();
        }
    }

    private Map<String, Object> object(int depth) {
        Map<String, Object> out = new LinkedHashMap<>();
        at++;
        if (next() == '}') {
            at++;
            return out;
        }
        while (true) {
            if (next() != '"') {
                throw wrong("no name");
            }
            String name = string();
            if (next() != ':') {
                throw wrong("no colon");
            }
            at++;
            out.put(name, value(depth + 1));
            int c = next();
            at++;
            if (c == '}') {
                return out;
            }
            if (c != ',') {
                throw wrong("no comma");
            }
        }
    }

    private List<Object> array(int depth) {
        List<Object> out = new ArrayList<>();
        at++;
        if (next() == ']') {
            at++;
            return out;
        }
        while (true) {
            out.add(value(depth + 1));
            int c = next();
            at++;
            if (c == ']') {
                return out;
            }
            if (c != ',') {
                throw wrong("no comma");
            }
        }
    }

    private String string() {
        int start = ++at;
        while (at < end && text[at] != '"' && text[at] != '\\') {
            at++;
        }
        if (at < end && text[at] == '"') {
            return new String(text, start, at++ - start, StandardCharsets.UTF_8);
        }
        StringBuilder out = new StringBuilder();
        while (true) {
            out.append(new String(text, start, at - start, StandardCharsets.UTF_8));
            if (at >= end) {
                throw wrong("an open string");
            }
            if (text[at++] == '"') {
                return out.toString();
            }
            if (at >= end) {
                throw wrong("an open string");
            }
            out.append(escaped());
            start = at;
            while (at < end && text[at] != '"' && text[at] != '\\') {
                at++;
            }
        }
    }

    private char escaped() {
        char c = (char) text[at++];
        switch (c) {
            case 'n':
                return '\n';
            case 't':
                return '\t';
            case 'r':
                return '\r';
            case 'b':
                return '\b';
            case 'f':
                return '\f';
            case 'u':
                if (at + 4 > end) {
                    throw wrong("a short escape");
                }
                try {
                    int code = Integer.parseInt(new String(text, at, 4, StandardCharsets.US_ASCII), 16);
                    at += 4;
                    return (char) code;
                } catch (NumberFormatException e) {
                    throw wrong("a bad escape");
                }
            case '"':
            case '\\':
            case '/':
                return c;
            default:
                throw wrong("a bad escape");
        }
    }

    private Object word(String expected, Object value) {
        for (int i = 0; i < expected.length(); i++) {
            if (at + i >= end || text[at + i] != expected.charAt(i)) {
                throw wrong("no JSON");
            }
        }
        at += expected.length();
        return value;
    }

    private Object number() {
        int start = at;
        boolean whole = true;
        while (at < end && "+-.eE0123456789".indexOf(text[at]) >= 0) {
            whole &= text[at] == '-' || text[at] >= '0' && text[at] <= '9';
            at++;
        }
        String found = new String(text, start, at - start, StandardCharsets.US_ASCII);
        try {
            if (whole && found.length() < 19) {
                return Long.valueOf(found);
            }
            if (whole) {
                java.math.BigInteger big = new java.math.BigInteger(found);
                return big.bitLength() < 64 ? (Object) big.longValue() : (Object) big.doubleValue();
            }
            return Double.valueOf(found);
        } catch (NumberFormatException e) {
            at = start;
            throw wrong("no JSON");
        }
    }

    private int next() {
        skip();
        return at < end ? text[at] : -1;
    }

    private void skip() {
        while (at < end && (text[at] == ' ' || text[at] == '\n' || text[at] == '\r' || text[at] == '\t')) {
            at++;
        }
    }

    private IllegalArgumentException wrong(String what) {
        return new IllegalArgumentException("not JSON: " + what + " at byte " + at);
    }
}
