package io.ksqlkit.bridge;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.math.BigDecimal;
import java.math.MathContext;
import java.math.RoundingMode;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class DigitsTest {
    private static String written(double value) {
        JsonWriter out = new JsonWriter(64);
        out.number(value);
        return out.toString();
    }

    /** Reads back as the same bits, is the shortest that does, and the nearest of the shortest. */
    private static void check(double value) {
        String text = written(value);
        assertEquals(Double.doubleToRawLongBits(value), Double.doubleToRawLongBits(Double.parseDouble(text)), text);
        assertEquals(value, ((Number) Json.parse(text)).doubleValue());
        assertTrue(Json.parse(text) instanceof Double, text + " is no whole number");
        BigDecimal found = new BigDecimal(text).stripTrailingZeros();
        BigDecimal exact = new BigDecimal(value);
        if (found.precision() > 1) {
            for (RoundingMode mode : new RoundingMode[] {RoundingMode.DOWN, RoundingMode.UP}) {
                BigDecimal shorter = exact.round(new MathContext(found.precision() - 1, mode));
                assertTrue(shorter.doubleValue() != value, text + " could be " + shorter);
            }
        }
        for (int step = -1; step <= 1; step += 2) {
            BigDecimal other = found.add(found.ulp().multiply(BigDecimal.valueOf(step)));
            assertTrue(
                    other.doubleValue() != value
                            || other.subtract(exact).abs().compareTo(found.subtract(exact).abs()) >= 0,
                    other + " is nearer than " + text);
        }
    }

    @Test
    void theShortestDigitsThatReadBack() {
        Random random = new Random(1);
        for (int i = 0; i < 4_000; i++) {
            double any = Double.longBitsToDouble(random.nextLong());
            if (Double.isFinite(any)) {
                check(any);
            }
            check(random.nextGaussian());
            check(random.nextInt(1_000_000) / 100.0);
            check((float) random.nextGaussian());
            check(random.nextLong() >> random.nextInt(64));
        }
    }

    @Test
    void theEdges() {
        for (int exponent = -1074; exponent < 1024; exponent += 3) { // neighbours below a power of two are nearer
            double power = Math.scalb(1.0, exponent);
            check(power);
            check(Math.nextDown(power));
            check(Math.nextUp(power));
            check(-power);
        }
        for (int exponent = -323; exponent <= 308; exponent++) {
            check(Double.parseDouble("1e" + exponent));
            check(Double.parseDouble("9.5e" + Math.min(exponent, 307)));
        }
        check(0.0);
        check(-0.0);
        check(Double.MAX_VALUE);
    }

    @ParameterizedTest
    @CsvSource({
        "0, 0.0", "-0.0, -0.0", "1, 1.0", "-12.5, -12.5", "0.1, 0.1", "0.00001234, 0.00001234", "0.000001, 1E-6",
        "123456789012345680, 12345678901234568E1", "100, 100.0", "1e17, 1E17", "1e16, 10000000000000000.0",
        "12345678901234567, 12345678901234568.0", "2e-44, 2E-44", "4.9e-324, 5E-324", "1e23, 1E23", "0.3, 0.3"
    })
    void howItLooks(double value, String text) {
        assertEquals(text, written(value));
    }
}
