package io.ksqlkit.bridge;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/** JSON being written, as UTF-8, up to a limit. */
final class JsonWriter {
    /** The limit is reached. */
    static final class Full extends RuntimeException {
        Full(int limit) {
            super("over " + limit + " bytes", null, false, false);
        }
    }

    private final int limit;
    private final Digits digits = new Digits();
    private byte[] bytes = new byte[256];
    private int size;

    /** What is longer than {@code limit} bytes is {@link Full} at the write that makes it so. */
    JsonWriter(int limit) {
        this.limit = limit;
    }

    private void room(int more) {
        if (more > limit - size) {
            throw new Full(limit);
        }
        if (more > bytes.length - size) {
            bytes = Arrays.copyOf(bytes, Math.max(size + more, Math.min(limit, 2 * size)));
        }
    }

    /** A character of ASCII as it is. */
    JsonWriter put(char ascii) {
        room(1);
        bytes[size++] = (byte) ascii;
        return this;
    }

    /** ASCII as it is. */
    JsonWriter put(String ascii) {
        room(ascii.length());
        for (int i = 0; i < ascii.length(); i++) {
            bytes[size++] = (byte) ascii.charAt(i);
        }
        return this;
    }

    /** A finite number, in the fewest digits that read back as the same; never without a point or an exponent. */
    void number(double value) {
        room(26);
        if (Double.doubleToRawLongBits(value) < 0) {
            bytes[size++] = '-';
        }
        if (value == 0) {
            put("0.0");
            return;
        }
        digits.of(Math.abs(value));
        int start = size;
        int count = 0;
        for (long left = digits.digits; left > 0; left /= 10) {
            count++;
        }
        int point = count + digits.exponent;
        if (point > 17 || point < -4) {
            write(digits.digits, start, start + count);
            size = start + count;
            put('E').put(Integer.toString(digits.exponent));
        } else if (point <= 0) {
            Arrays.fill(bytes, start, start + 2 - point, (byte) '0');
            bytes[start + 1] = '.';
            size = start + 2 - point + count;
            write(digits.digits, size - count, size);
        } else if (count <= point) {
            write(digits.digits, start, start + count);
            Arrays.fill(bytes, start + count, start + point, (byte) '0');
            size = start + point;
            put(".0");
        } else {
            size = start + count + 1;
            long rest = write(digits.digits, start + point + 1, size);
            bytes[start + point] = '.';
            write(rest, start, start + point);
        }
    }

    /** The last digits of a number, as many as fit; returns the others. */
    private long write(long number, int from, int to) {
        long left = number;
        for (int at = to - 1; at >= from; at--) {
            long tenth = left / 10;
            bytes[at] = (byte) ('0' + (left - 10 * tenth));
            left = tenth;
        }
        return left;
    }

    /** A string with its quotes. A lone surrogate, which UTF-8 cannot carry, becomes U+FFFD. */
    JsonWriter quote(String value) {
        put('"');
        for (int i = 0; i < value.length(); i++) {
            char c = value.charAt(i);
            if (c == '"' || c == '\\') {
                put('\\').put(c);
            } else if (c < 0x20) {
                put(String.format("\\u%04x", (int) c));
            } else if (c < 0x80) {
                put(c);
            } else if (c < 0x800) {
                put((char) (0xC0 | c >> 6)).put((char) (0x80 | c & 0x3F));
            } else if (Character.isHighSurrogate(c)
                    && i + 1 < value.length()
                    && Character.isLowSurrogate(value.charAt(i + 1))) {
                int code = Character.toCodePoint(c, value.charAt(++i));
                put((char) (0xF0 | code >> 18)).put((char) (0x80 | code >> 12 & 0x3F));
                put((char) (0x80 | code >> 6 & 0x3F)).put((char) (0x80 | code & 0x3F));
            } else {
                char sent = Character.isSurrogate(c) ? '\uFFFD' : c;
                put((char) (0xE0 | sent >> 12)).put((char) (0x80 | sent >> 6 & 0x3F)).put((char) (0x80 | sent & 0x3F));
            }
        }
        return put('"');
    }

    /** What was written. */
    byte[] bytes() {
        return Arrays.copyOf(bytes, size);
    }

    @Override
    public String toString() {
        return new String(bytes, 0, size, StandardCharsets.UTF_8);
    }
}
