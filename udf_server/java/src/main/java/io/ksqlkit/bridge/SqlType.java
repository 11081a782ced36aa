package io.ksqlkit.bridge;

import java.math.BigDecimal;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.kafka.connect.data.Date;
import org.apache.kafka.connect.data.Decimal;
import org.apache.kafka.connect.data.Field;
import org.apache.kafka.connect.data.Schema;
import org.apache.kafka.connect.data.SchemaBuilder;
import org.apache.kafka.connect.data.Struct;
import org.apache.kafka.connect.data.Time;
import org.apache.kafka.connect.data.Timestamp;

/**
 * A SQL type of the manifest: how its values go over the wire, and the Connect schema ksqlDB gives it (equal to
 * ksqlDB's own in every detail, since Connect refuses a struct whose schema is not equal to the one expected).
 */
final class SqlType {
    private static final long DAY_MS = 86_400_000L;

    final String name;
    final List<SqlType> items;
    final List<String> fields;
    final int precision;
    final int scale;
    private final Schema schema;

    private SqlType(String name, List<SqlType> items, List<String> fields, int precision, int scale) {
        this.name = name;
        this.items = items;
        this.fields = fields;
        this.precision = precision;
        this.scale = scale;
        this.schema = build();
    }

    /** Reads a type such as {@code ARRAY<STRUCT<STEP INTEGER, MEAN DOUBLE>>}. */
    static SqlType parse(String text) {
        Reader reader = new Reader(text);
        SqlType type = reader.type();
        reader.end();
        return type;
    }

    /** The Connect schema; for a STRUCT without fields, null. */
    Schema schema() {
        return schema;
    }

    private Schema build() {
        switch (name) {
            case "BOOLEAN":
                return Schema.OPTIONAL_BOOLEAN_SCHEMA;
            case "INTEGER":
                return Schema.OPTIONAL_INT32_SCHEMA;
            case "BIGINT":
                return Schema.OPTIONAL_INT64_SCHEMA;
            case "DOUBLE":
                return Schema.OPTIONAL_FLOAT64_SCHEMA;
            case "VARCHAR":
                return Schema.OPTIONAL_STRING_SCHEMA;
            case "BYTES":
                return Schema.OPTIONAL_BYTES_SCHEMA;
            case "TIME":
                return Time.builder().optional().build();
            case "DATE":
                return Date.builder().optional().build();
            case "TIMESTAMP":
                return Timestamp.builder().optional().build();
            case "DECIMAL":
                return Decimal.builder(scale)
                        .optional()
                        .parameter("connect.decimal.precision", Integer.toString(precision))
                        .build();
            case "ARRAY":
                return items.get(0).schema == null
                        ? null
                        : SchemaBuilder.array(items.get(0).schema).optional().build();
            case "MAP":
                return items.get(1).schema == null
                        ? null
                        : SchemaBuilder.map(items.get(0).schema, items.get(1).schema).optional().build();
            default:
                if (fields.isEmpty()) {
                    return null;
                }
                SchemaBuilder builder = SchemaBuilder.struct();
                for (int i = 0; i < fields.size(); i++) {
                    builder.field(column(fields.get(i)), items.get(i).schema);
                }
                return builder.optional().build();
        }
    }

    /** The name that ksqlDB gives a field: in capitals unless quoted. */
    private static String column(String field) {
        return field.startsWith("`") ? field.substring(1, field.length() - 1) : field.toUpperCase(java.util.Locale.ROOT);
    }

    /** Appends a value as JSON. What JSON has no form for goes as the contract says: NaN as null, BYTES in base64. */
    void write(JsonWriter out, Object value) {
        if (value == null) {
            out.put("null");
            return;
        }
        switch (name) {
            case "DOUBLE":
                double number = ((Number) value).doubleValue();
                if (Double.isNaN(number) || Double.isInfinite(number)) {
                    out.put("null");
                } else {
                    out.number(number);
                }
                break;
            case "VARCHAR":
                out.quote((String) value);
                break;
            case "DECIMAL":
                out.quote(((BigDecimal) value).toPlainString());
                break;
            case "BYTES":
                ByteBuffer view = ((ByteBuffer) value).duplicate();
                byte[] bytes = new byte[view.remaining()];
                view.get(bytes);
                out.put('"').put(Base64.getEncoder().encodeToString(bytes)).put('"');
                break;
            case "TIME":
                out.put(Long.toString(Math.floorMod(((java.util.Date) value).getTime(), DAY_MS)));
                break;
            case "DATE":
                out.put(Long.toString(Math.floorDiv(((java.util.Date) value).getTime(), DAY_MS)));
                break;
            case "TIMESTAMP":
                out.put(Long.toString(((java.util.Date) value).getTime()));
                break;
            case "ARRAY":
                char before = '[';
                for (Object item : (List<?>) value) {
                    items.get(0).write(out.put(before), item);
                    before = ',';
                }
                out.put(before == '[' ? "[]" : "]");
                break;
            case "MAP":
                before = '{';
                for (Map.Entry<?, ?> entry : ((Map<?, ?>) value).entrySet()) {
                    out.put(before).quote(String.valueOf(entry.getKey()));
                    items.get(1).write(out.put(':'), entry.getValue());
                    before = ',';
                }
                out.put(before == '{' ? "{}" : "}");
                break;
            case "STRUCT":
                writeStruct(out, (Struct) value);
                break;
            default:
                out.put(value.toString());
        }
    }

    private void writeStruct(JsonWriter out, Struct value) {
        if (fields.isEmpty()) {
            any(out, value.schema(), value);
            return;
        }
        char before = '{';
        for (int i = 0; i < fields.size(); i++) {
            out.put(before).quote(fields.get(i));
            items.get(i).write(out.put(':'), value.get(column(fields.get(i))));
            before = ',';
        }
        out.put('}');
    }

    /** A value of a STRUCT that came without a declared type, by its own schema. */
    private static void any(JsonWriter out, Schema schema, Object value) {
        if (value instanceof Struct) {
            char before = '{';
            for (Field field : schema.fields()) {
                out.put(before).quote(field.name());
                any(out.put(':'), field.schema(), ((Struct) value).get(field));
                before = ',';
            }
            out.put(before == '{' ? "{}" : "}");
        } else if (value instanceof List) {
            char before = '[';
            for (Object item : (List<?>) value) {
                any(out.put(before), schema.valueSchema(), item);
                before = ',';
            }
            out.put(before == '[' ? "[]" : "]");
        } else if (value instanceof Map) {
            char before = '{';
            for (Map.Entry<?, ?> entry : ((Map<?, ?>) value).entrySet()) {
                out.put(before).quote(String.valueOf(entry.getKey()));
                any(out.put(':'), schema.valueSchema(), entry.getValue());
                before = ',';
            }
            out.put(before == '{' ? "{}" : "}");
        } else {
            parse(nameOf(schema, value)).write(out, value);
        }
    }

    private static String nameOf(Schema schema, Object value) {
        String logical = schema.name() == null ? "" : schema.name();
        if (value instanceof java.util.Date) {
            return logical.endsWith("Time") ? "TIME" : logical.endsWith("Date") ? "DATE" : "TIMESTAMP";
        }
        return value instanceof Double ? "DOUBLE"
                : value instanceof BigDecimal ? "DECIMAL(38, " + ((BigDecimal) value).scale() + ")"
                : value instanceof ByteBuffer ? "BYTES"
                : value instanceof String ? "VARCHAR"
                : value instanceof Boolean ? "BOOLEAN"
                : "BIGINT";
    }

    /** The Java value that ksqlDB expects for a decoded JSON value; throws IllegalArgumentException when it is none. */
    Object read(Object json) {
        if (json == null) {
            return null;
        }
        try {
            return convert(json);
        } catch (ClassCastException | ArithmeticException e) {
            throw new IllegalArgumentException("the answer is no " + this);
        }
    }

    private Object convert(Object json) {
        switch (name) {
            case "BOOLEAN":
                return (Boolean) json;
            case "INTEGER":
                return Math.toIntExact((Long) json);
            case "BIGINT":
                return (Long) json;
            case "DOUBLE":
                return ((Number) json).doubleValue();
            case "VARCHAR":
                return (String) json;
            case "BYTES":
                return ByteBuffer.wrap(Base64.getDecoder().decode((String) json));
            case "TIME":
                return new java.sql.Time((Long) json);
            case "DATE":
                return new java.sql.Date(Math.multiplyExact((Long) json, DAY_MS));
            case "TIMESTAMP":
                return new java.sql.Timestamp((Long) json);
            case "DECIMAL":
                return new BigDecimal(json.toString()).setScale(scale);
            case "ARRAY":
                List<Object> list = new ArrayList<>();
                for (Object item : (List<?>) json) {
                    list.add(items.get(0).read(item));
                }
                return list;
            case "MAP":
                Map<Object, Object> map = new LinkedHashMap<>();
                for (Map.Entry<?, ?> entry : ((Map<?, ?>) json).entrySet()) {
                    map.put(entry.getKey(), items.get(1).read(entry.getValue()));
                }
                return map;
            default:
                Map<?, ?> given = (Map<?, ?>) json;
                Struct struct = new Struct(schema);
                for (int i = 0; i < fields.size(); i++) {
                    struct.put(column(fields.get(i)), items.get(i).read(given.get(fields.get(i))));
                }
                return struct;
        }
    }

    @Override
    public String toString() {
        if (name.equals("DECIMAL")) {
            return "DECIMAL(" + precision + ", " + scale + ")";
        }
        if (items.isEmpty() && !name.equals("STRUCT")) {
            return name;
        }
        StringBuilder out = new StringBuilder(name).append('<');
        for (int i = 0; i < items.size(); i++) {
            out.append(i == 0 ? "" : ", ").append(fields.isEmpty() ? "" : fields.get(i) + " ").append(items.get(i));
        }
        return out.append(items.isEmpty() ? " >" : ">").toString();
    }

    private static final class Reader {
        private final String text;
        private int at;

        Reader(String text) {
            this.text = text;
        }

        SqlType type() {
            String name = word().toUpperCase(java.util.Locale.ROOT);
            switch (name) {
                case "STRING":
                    return simple("VARCHAR");
                case "INT":
                    return simple("INTEGER");
                case "BOOLEAN":
                case "INTEGER":
                case "BIGINT":
                case "DOUBLE":
                case "VARCHAR":
                case "BYTES":
                case "TIME":
                case "DATE":
                case "TIMESTAMP":
                    return simple(name);
                case "DECIMAL":
                    expect('(');
                    int precision = Integer.parseInt(word());
                    expect(',');
                    int scale = Integer.parseInt(word());
                    expect(')');
                    return new SqlType(name, List.of(), List.of(), precision, scale);
                case "ARRAY":
                case "MAP":
                case "STRUCT":
                    return nested(name);
                default:
                    throw new IllegalArgumentException(name + " is no SQL type, in " + text);
            }
        }

        private SqlType nested(String name) {
            List<SqlType> items = new ArrayList<>();
            List<String> fields = new ArrayList<>();
            expect('<');
            while (peek() != '>') {
                if (name.equals("STRUCT")) {
                    fields.add(word());
                }
                items.add(type());
                if (peek() == ',') {
                    at++;
                }
            }
            expect('>');
            int wanted = name.equals("ARRAY") ? 1 : name.equals("MAP") ? 2 : items.size();
            if (items.size() != wanted) {
                throw new IllegalArgumentException(name + " has the wrong number of types, in " + text);
            }
            return new SqlType(name, List.copyOf(items), List.copyOf(fields), 0, 0);
        }

        private static SqlType simple(String name) {
            return new SqlType(name, List.of(), List.of(), 0, 0);
        }

        private char peek() {
            while (at < text.length() && Character.isWhitespace(text.charAt(at))) {
                at++;
            }
            return at < text.length() ? text.charAt(at) : '\0';
        }

        private void expect(char wanted) {
            if (peek() != wanted) {
                throw new IllegalArgumentException("expected " + wanted + " at " + at + " in " + text);
            }
            at++;
        }

        private String word() {
            int start = peek() == '`' ? text.indexOf('`', at + 1) + 1 : at;
            int from = at;
            at = start;
            while (from == start && at < text.length() && Character.isJavaIdentifierPart(text.charAt(at))) {
                at++;
            }
            if (at <= from) {
                throw new IllegalArgumentException("expected a name at " + from + " in " + text);
            }
            return text.substring(from, at);
        }

        void end() {
            if (peek() != '\0') {
                throw new IllegalArgumentException("unexpected " + text.substring(at) + " in " + text);
            }
        }
    }
}
