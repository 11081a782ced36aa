package io.ksqlkit.bridge;

import io.confluent.ksql.function.udf.Udf;
import io.confluent.ksql.function.udf.UdfDescription;
import io.confluent.ksql.function.udf.UdfParameter;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.lang.reflect.Array;
import java.lang.reflect.GenericArrayType;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.Type;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.jar.JarFile;
import org.apache.kafka.common.Configurable;
import org.apache.kafka.connect.data.Struct;

/**
 * Loads a bridge jar as ksqlDB does: a class loader of its own that asks the jar first (but never for ksqlDB's and
 * Kafka's classes), functions found by annotation, methods called by reflection with the arguments ksqlDB would give.
 * Prints each overload, or what is wrong with it by the loader's rules; then answers the calls of standard input, one
 * JSON list {@code [function, overload, argument, ...]} a line.
 *
 * <p>Usage: LoadJar JAR [NAME=VALUE property ...]
 */
public final class LoadJar {
    private static final Set<Class<?>> TAKEN = Set.of(
            Integer.class, Long.class, Double.class, Boolean.class, String.class, java.math.BigDecimal.class,
            Struct.class, List.class, Map.class, java.sql.Date.class, java.sql.Time.class, java.sql.Timestamp.class,
            java.nio.ByteBuffer.class);

    private LoadJar() {}

    private static final class JarFirst extends URLClassLoader {
        JarFirst(URL jar) {
            super(new URL[] {jar}, LoadJar.class.getClassLoader());
        }

        @Override
        protected Class<?> loadClass(String name, boolean resolve) throws ClassNotFoundException {
            if (!name.startsWith("io.confluent") && !name.startsWith("org.apache.kafka")) {
                Class<?> found = findLoadedClass(name);
                try {
                    return found != null ? found : findClass(name);
                } catch (ClassNotFoundException e) {
                    // the parent may have it
                }
            }
            return super.loadClass(name, resolve);
        }
    }

    /** See the class. */
    public static void main(String[] args) throws Exception {
        Map<String, Object> properties = new HashMap<>();
        for (int i = 1; i < args.length; i++) {
            properties.put(args[i].split("=", 2)[0], args[i].split("=", 2)[1]);
        }
        Map<String, Method> methods = new HashMap<>();
        Map<String, Object> objects = new HashMap<>();
        List<String> wrong = new ArrayList<>();
        try (JarFirst loader = new JarFirst(Path.of(args[0]).toUri().toURL());
                JarFile jar = new JarFile(args[0])) {
            for (String entry : (Iterable<String>) jar.stream().map(Object::toString).sorted()::iterator) {
                if (entry.startsWith("io/confluent") || entry.startsWith("org/apache")) {
                    wrong.add(entry + " is ksqlDB's own");
                }
                if (!entry.endsWith(".class")) {
                    continue;
                }
                Class<?> type = loader.loadClass(entry.replace('/', '.').replace(".class", ""));
                UdfDescription description = type.getAnnotation(UdfDescription.class);
                if (description == null) {
                    continue;
                }
                Object object = type.getDeclaredConstructor().newInstance();
                ((Configurable) object).configure(properties);
                if (objects.put(description.name(), object) != null) {
                    wrong.add(description.name() + " is there twice");
                }
                Map<String, String> shown = new TreeMap<>();
                Set<String> forms = new HashSet<>();
                for (Method method : type.getMethods()) {
                    Udf udf = method.getAnnotation(Udf.class);
                    if (udf != null) {
                        String form = check(description.name(), method, udf, wrong);
                        if (!forms.add(form.split(" -> ")[0].replace("...", "[]"))) {
                            wrong.add(description.name() + " has " + form + " twice");
                        }
                        shown.put(method.getName(), form);
                        methods.put(description.name() + "." + method.getName(), method);
                    }
                }
                shown.forEach((name, form) -> System.out.println(description.name() + form));
            }
            wrong.forEach(line -> System.out.println("WRONG " + line));
            System.out.println("READY");
            BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
            for (String line = in.readLine(); line != null; line = in.readLine()) {
                List<?> call = (List<?>) Json.parse(line);
                Method method = methods.get(call.get(0) + ".overload" + call.get(1));
                System.out.println(invoke(objects.get(call.get(0)), method, call.subList(2, call.size())));
            }
        }
    }

    private static String check(String name, Method method, Udf udf, List<String> wrong) {
        StringBuilder out = new StringBuilder("(");
        Type[] types = method.getGenericParameterTypes();
        for (int i = 0; i < types.length; i++) {
            boolean variadic = method.isVarArgs() && i == types.length - 1;
            UdfParameter parameter = method.getParameters()[i].getAnnotation(UdfParameter.class);
            if (parameter == null || parameter.value().isBlank()) {
                wrong.add(name + " argument " + i + " has no name");
            }
            Class<?> raw = method.getParameterTypes()[i];
            raw = variadic ? raw.getComponentType() : raw;
            if (!TAKEN.contains(raw) || types[i] instanceof GenericArrayType) {
                wrong.add(name + " argument " + i + " is " + types[i]);
            }
            if (parameter != null && variadic && !parameter.schema().isEmpty()
                    && !parameter.schema().startsWith("ARRAY<")) {
                wrong.add(name + " argument " + i + " is variadic and no ARRAY");
            }
            String text = parameter == null || parameter.schema().isEmpty() ? sql(types[i]) : parameter.schema();
            out.append(i == 0 ? "" : ", ").append(text).append(variadic ? "..." : "");
        }
        String declared = sql(method.getGenericReturnType());
        if (udf.schema().isEmpty() && (declared.contains("STRUCT") || declared.contains("DECIMAL"))) {
            wrong.add(name + " does not say which " + declared + " it returns");
        }
        if (!Modifier.isPublic(method.getModifiers())) {
            wrong.add(name + " is not public");
        }
        return out.append(") -> ").append(udf.schema().isEmpty() ? declared : udf.schema()).toString();
    }

    private static String sql(Type type) {
        if (type instanceof ParameterizedType) {
            ParameterizedType generic = (ParameterizedType) type;
            Type[] of = generic.getActualTypeArguments();
            return generic.getRawType() == List.class
                    ? "ARRAY<" + sql(of[0]) + ">"
                    : "MAP<" + sql(of[0]) + ", " + sql(of[1]) + ">";
        }
        Class<?> plain = (Class<?>) type;
        if (plain.isArray()) {
            return sql(plain.getComponentType());
        }
        switch (plain.getSimpleName()) {
            case "String":
                return "VARCHAR";
            case "Long":
                return "BIGINT";
            case "BigDecimal":
                return "DECIMAL";
            case "ByteBuffer":
                return "BYTES";
            default:
                return plain.getSimpleName().toUpperCase(java.util.Locale.ROOT);
        }
    }

    private static String invoke(Object object, Method method, List<?> given) throws Exception {
        Object[] arguments = new Object[method.getParameterCount()];
        Type[] types = method.getGenericParameterTypes();
        int fixed = method.isVarArgs() ? arguments.length - 1 : arguments.length;
        for (int i = 0; i < fixed; i++) {
            String schema = method.getParameters()[i].getAnnotation(UdfParameter.class).schema();
            arguments[i] = types[i] == java.math.BigDecimal.class
                    ? new java.math.BigDecimal((String) given.get(i))
                    : SqlType.parse(schema.isEmpty() ? sql(types[i]) : plain(schema)).read(given.get(i));
        }
        if (method.isVarArgs()) {
            Class<?> item = method.getParameterTypes()[fixed].getComponentType();
            Object rest = Array.newInstance(item, given.size() - fixed);
            for (int i = fixed; i < given.size(); i++) {
                Array.set(rest, i - fixed, SqlType.parse(sql(item)).read(given.get(i)));
            }
            arguments[fixed] = rest;
        }
        Object value = method.invoke(object, arguments);
        JsonWriter out = new JsonWriter(1 << 20);
        String schema = method.getAnnotation(Udf.class).schema();
        SqlType.parse(schema.isEmpty() ? sql(method.getGenericReturnType()) : plain(schema)).write(out, value);
        return out.toString();
    }

    /** Without the quotes of field names, which this side of the wire has not. */
    private static String plain(String schema) {
        return schema.replace("`", "");
    }
}
