package io.ksqlkit.bridge;

import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Function;

/**
 * Lane L: a function's rows answered by a model in this process. A function's own model stays the version of the
 * query's first row unless the query follows the live one; a model named in SQL is the live one, or that of NAME@VERSION.
 */
final class LocalLane {
    /** A row's value, and the model that gave it. */
    static final class Answer {
        final Object value;
        final PortableModel model;

        Answer(Object value, PortableModel model) {
            this.value = value;
            this.model = model;
        }
    }

    /** A model as SQL names it: of a version, or for 0 the live one. */
    private static final class Asked {
        final ModelSource source;
        final int version;

        Asked(ModelSource source, int version) {
            this.source = source;
            this.version = version;
        }
    }

    private static final int MOST_NAMES = 100;

    private final Spec spec;
    private final Function<String, ModelSource> sources;
    private final int version;
    private final AtomicInteger pin;
    private final Map<String, Asked> named = new ConcurrentHashMap<>();
    private final ModelSource own;
    private volatile PortableModel pinned;

    /** {@code version} is 0 for the one live at the first row, -1 for the live one; {@code pin} is shared with lane A. */
    LocalLane(Spec spec, Function<String, ModelSource> sources, int version, AtomicInteger pin) {
        this.spec = spec;
        this.sources = sources;
        this.version = version;
        this.pin = pin;
        this.own = spec.model == null ? null : sources.apply(spec.model);
    }

    /** The answer to a row, or null where the model is not here. Throws RowFailed and Unsure. */
    Answer answer(Spec.Overload form, Object[] arguments) {
        if (own == null && !form.named) {
            throw new PortableModel.Unsure("this form of " + spec.name + " asks no model");
        }
        PortableModel model = form.named ? model(arguments[0]) : model();
        if (model == null) {
            return null;
        }
        int from = form.named ? 1 : 0;
        Object[] given = arguments;
        if (arguments.length == from + 1 && arguments[from] == null && !form.variadic) {
            given = arguments.clone();
            given[from] = Map.of(); // no struct or map at all: every feature is missing
        }
        return new Answer(model.answer(spec.portable, given, from), model);
    }

    private PortableModel model() {
        PortableModel held = pinned;
        if (held != null) {
            return held;
        }
        if (version < 0) {
            return own.live();
        }
        if (pin.get() == 0) {
            PortableModel live = own.live();
            if (live == null) {
                return null;
            }
            pin.compareAndSet(0, live.version); // unless another row was first, here or in lane A
        }
        int wanted = pin.get();
        held = own.of(wanted);
        pinned = held;
        return held;
    }

    private PortableModel model(Object text) {
        Asked asked = asked(text);
        return asked.version == 0 ? asked.source.live() : asked.source.of(asked.version);
    }

    private Asked asked(Object text) {
        if (text == null) {
            throw new RowFailed(RowFailed.INVALID_INPUT, "the name of the model is NULL");
        }
        Asked known = named.get(text.toString());
        if (known != null) {
            return known;
        }
        String given = text.toString();
        if (!given.matches("[A-Za-z][A-Za-z0-9_-]{0,63}(@[1-9]\\d{0,8})?")) {
            throw new PortableModel.Unsure("'" + given.substring(0, Math.min(40, given.length()))
                    + "' is no model: write NAME or NAME@VERSION");
        }
        if (named.size() >= MOST_NAMES) {
            throw new PortableModel.Unsure("over " + MOST_NAMES + " models in one query");
        }
        String[] parts = given.split("@");
        int number = parts.length == 1 ? 0 : Integer.parseInt(parts[1]);
        return named.computeIfAbsent(given, k -> new Asked(sources.apply(parts[0]), number));
    }

    /** Why the model of a row is not here; null while it may still come. */
    String trouble(Spec.Overload form, Object[] arguments) {
        if (!form.named) {
            return own.trouble(version < 0 ? 0 : pin.get());
        }
        Asked asked = asked(arguments[0]);
        return asked.source.trouble(asked.version);
    }
}
