package io.ksqlkit.bridge;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.math.BigDecimal;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.List;
import org.apache.kafka.connect.data.Schema;
import org.apache.kafka.connect.data.SchemaBuilder;
import org.apache.kafka.connect.data.Struct;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class SqlTypeTest {
    private static String written(String type, Object value) {
        JsonWriter out = new JsonWriter(1 << 20);
        SqlType.parse(type).write(out, value);
        return out.toString();
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', value = {
        "BOOLEAN|true", "INTEGER|-7", "BIGINT|9007199254740993", "DOUBLE|0.1", "VARCHAR|\"a \\\"b\\\" \\\\ é 🎈\"",
        "BYTES|\"AQID\"", "TIME|3600000", "DATE|19000", "DATE|-1", "TIMESTAMP|1700000000000", "DECIMAL(6, 2)|\"1234.50\"",
        "ARRAY<DOUBLE>|[1.5,null,2.0]", "ARRAY<ARRAY<INTEGER>>|[[1],[]]", "MAP<VARCHAR, BIGINT>|{\"k\":1,\"n\":null}",
        "STRUCT<A INTEGER, B ARRAY<VARCHAR>>|{\"A\":1,\"B\":[\"x\"]}", "ARRAY<STRUCT<`a b` DOUBLE>>|[{\"`a b`\":0.5}]"
    })
    void whatIsReadIsWritten(String type, String json) {
        assertEquals(json, written(type, SqlType.parse(type).read(Json.parse(json))));
    }

    @Test
    void whatJsonHasNoFormFor() {
        assertEquals("null", written("DOUBLE", Double.NaN));
        assertEquals("null", written("DOUBLE", Double.POSITIVE_INFINITY));
        assertEquals("[null]", written("ARRAY<DOUBLE>", Arrays.asList((Double) null)));
        assertEquals("\"\uFFFD\\u0000\"", written("VARCHAR", "\uD800\u0000"));
        ByteBuffer bytes = ByteBuffer.wrap(new byte[] {1, 2, 3});
        assertEquals("\"AQID\"", written("BYTES", bytes));
        assertEquals(3, bytes.remaining(), "ksqlDB's buffer is left as it was");
        assertEquals("\"0.000001\"", written("DECIMAL(38, 6)", new BigDecimal("1e-6")));
    }

    @Test
    void aStructOfAnyShapeIsWrittenByItsOwnSchema() {
        Schema inner = SchemaBuilder.struct().field("N", Schema.OPTIONAL_INT64_SCHEMA).optional().build();
        Schema schema = SchemaBuilder.struct()
                .field("S", Schema.OPTIONAL_STRING_SCHEMA)
                .field("L", SchemaBuilder.array(inner).optional().build())
                .optional()
                .build();
        Struct value = new Struct(schema).put("S", "x").put("L", List.of(new Struct(inner).put("N", 5L)));
        assertEquals("{\"S\":\"x\",\"L\":[{\"N\":5}]}", written("STRUCT< >", value));
    }

    @Test
    void theSchemaIsTheOneKsqlDbBuilds() {
        Schema schema = SqlType.parse("STRUCT<a INTEGER, `b` DECIMAL(4, 1)>").schema();
        assertTrue(schema.isOptional());
        assertEquals(List.of("A", "b"), List.of(schema.fields().get(0).name(), schema.fields().get(1).name()));
        assertEquals("4", schema.field("b").schema().parameters().get("connect.decimal.precision"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"1.5", "\"x\"", "99999999999", "true", "[1]"})
    void whatIsNoIntegerIsRefused(String json) {
        assertThrows(IllegalArgumentException.class, () -> SqlType.parse("INTEGER").read(Json.parse(json)));
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "[", "[1,]", "{\"a\"}", "nul", "1 2", "\"\\x\"", "\"", "{\"a\":1,}", "-", "\"\\u12\""})
    void whatIsNotJsonIsRefused(String text) {
        assertThrows(IllegalArgumentException.class, () -> Json.parse(text));
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "FLOAT", "ARRAY<>", "MAP<VARCHAR>", "DECIMAL(3)", "STRUCT<A>", "BIGINT x"})
    void whatIsNoTypeIsRefused(String text) {
        assertThrows(IllegalArgumentException.class, () -> SqlType.parse(text));
    }

    @Test
    void deepTextIsRefusedBeforeTheStackEnds() {
        assertThrows(IllegalArgumentException.class, () -> Json.parse("[".repeat(100_000)));
    }
}
