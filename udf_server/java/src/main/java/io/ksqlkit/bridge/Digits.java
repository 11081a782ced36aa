package io.ksqlkit.bridge;

import java.math.BigInteger;

/**
 * The shortest decimal digits that read back as the same double, the nearest to it among those: R. Giulietti, "The
 * Schubfach way to render doubles". {@code Double.toString} of the JVMs that ksqlDB runs on takes several times as long,
 * which for a row of numbers is most of what it costs to send.
 */
final class Digits {
    private static final int LEAST = -292;
    private static final int MOST = 324;
    /** Of each power of ten from LEAST to MOST the highest 128 bits, rounded up; high and low half. */
    private static final long[] POWERS = powers();

    /** The value is {@code digits * 10^exponent}, {@code digits} without a zero at its end. */
    long digits;
    int exponent;

    /** Takes a positive, finite number. */
    void of(double value) {
        long bits = Double.doubleToRawLongBits(value);
        long fraction = bits & (1L << 52) - 1;
        int biased = (int) (bits >>> 52);
        long c = biased == 0 ? fraction : fraction | 1L << 52;
        int q = Math.max(biased, 1) - 1075;
        if (q <= 0 && q > -53 && (c & (1L << -q) - 1) == 0) { // a whole number
            set(c >> -q, 0);
        } else {
            find(c, q, fraction == 0 && biased > 1);
        }
    }

    /** Of c * 2^q, whose neighbour below is nearer than the one above where {@code uneven}. */
    private void find(long c, int q, boolean uneven) {
        int k = q * 1_262_611 - (uneven ? 524_031 : 0) >> 22;
        int shift = q + log2(-k) + 1;
        int at = 2 * (-k - LEAST);
        long odd = c & 1;
        long lower = scaled(at, 4 * c - (uneven ? 1 : 2) << shift) + odd;
        long here = scaled(at, 4 * c << shift);
        long upper = scaled(at, 4 * c + 2 << shift) - odd;
        long s = here / 4;
        long tenth = s / 10;
        boolean below = lower <= 40 * tenth;
        boolean above = 40 * tenth + 40 <= upper;
        if (s >= 10 && below != above) {
            set(above ? tenth + 1 : tenth, k + 1);
            return;
        }
        below = lower <= 4 * s;
        above = 4 * s + 4 <= upper;
        if (below == above) {
            above = here > 4 * s + 2 || here == 4 * s + 2 && (s & 1) == 1;
        }
        set(above ? s + 1 : s, k);
    }

    private void set(long found, int power) {
        long left = found;
        int zeros = 0;
        for (; left % 10_000 == 0; left /= 10_000) { // amounts and counts have few digits
            zeros += 4;
        }
        for (; left % 10 == 0; left /= 10) {
            zeros++;
        }
        digits = left;
        exponent = power + zeros;
    }

    /** A power of ten times a number, without its lowest 128 bits but with a last bit that tells whether they were 0. */
    private static long scaled(int at, long number) {
        long low = POWERS[at + 1];
        long high = POWERS[at];
        long carried = unsignedHigh(low, number);
        long middle = high * number + carried;
        long top = unsignedHigh(high, number) + (Long.compareUnsigned(middle, carried) < 0 ? 1 : 0);
        return top | (Long.compareUnsigned(middle, 1) > 0 ? 1 : 0);
    }

    private static long unsignedHigh(long a, long b) {
        return Math.multiplyHigh(a, b) + (a >> 63 & b) + (b >> 63 & a);
    }

    /** The floor of the logarithm of 10^power. */
    private static int log2(int power) {
        return power * 1_741_647 >> 19;
    }

    private static long[] powers() {
        long[] out = new long[2 * (MOST - LEAST + 1)];
        for (int power = LEAST; power <= MOST; power++) {
            BigInteger above = BigInteger.TEN.pow(Math.max(power, 0));
            BigInteger below = BigInteger.TEN.pow(Math.max(-power, 0));
            int shift = 127 - log2(power);
            above = above.shiftLeft(Math.max(shift, 0));
            below = below.shiftLeft(Math.max(-shift, 0));
            BigInteger found = above.add(below).subtract(BigInteger.ONE).divide(below);
            int at = 2 * (power - LEAST);
            out[at] = found.shiftRight(64).longValue();
            out[at + 1] = found.longValue();
        }
        return out;
    }
}
