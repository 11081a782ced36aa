package io.ksqlkit.bridge;

import java.util.HashMap;
import java.util.Map;
import org.apache.kafka.connect.data.Struct;

/** The functions of the tests' manifest, as the generated classes are. */
final class Functions {
    private Functions() {}

    static class Echo extends RemoteFunction {
        Echo() {
            this("ECHO");
        }

        Echo(String name) {
            super(name);
        }

        Long of(Long x) {
            return (Long) call(0, new Object[] {x});
        }
    }

    /** Echo, three rows a call. */
    static final class Few extends Echo {
        Few() {
            super("FEW");
        }
    }

    static final class Pure extends RemoteFunction {
        Pure() {
            super("PURE");
        }

        Long of(Long... x) {
            return (Long) call(0, new Object[] {x});
        }
    }

    static final class Length extends RemoteFunction {
        Length() {
            super("LENGTH_DETAIL");
        }

        Struct of(String x) {
            return (Struct) call(0, new Object[] {x});
        }
    }

    static final class Detail extends RemoteFunction {
        Detail() {
            super("ECHO_DETAIL");
        }

        Struct of(Long x) {
            return (Struct) call(0, new Object[] {x});
        }
    }

    static final class Score extends RemoteFunction {
        Score() {
            super("SCORE");
        }

        Double of(Double... x) {
            return (Double) call(0, new Object[] {x});
        }

        Double of(Map<String, Double> x) {
            return (Double) call(1, new Object[] {x});
        }
    }

    static final class ScoreDetail extends RemoteFunction {
        ScoreDetail() {
            super("SCORE_DETAIL");
        }

        Struct of(Double... x) {
            return (Struct) call(0, new Object[] {x});
        }
    }

    static final class Predict extends RemoteFunction {
        Predict() {
            super("PREDICT");
        }

        Double of(String model, Double... x) {
            return (Double) call(0, new Object[] {model, x});
        }
    }

    static final class Ai extends RemoteFunction {
        Ai() {
            super("AI");
        }

        Long of(String name, Long... x) {
            return (Long) call(0, new Object[] {name, x});
        }
    }

    /** Configures a function for a server, with further settings as pairs of name and value. */
    static <F extends RemoteFunction> F at(FakeServer server, F function, String... settings) {
        Map<String, Object> properties = new HashMap<>();
        properties.put("ksql.functions._global_.scoring.url", server.url());
        for (int i = 0; i < settings.length; i += 2) {
            properties.put("ksql.functions." + settings[i], settings[i + 1]);
        }
        function.configure(properties);
        return function;
    }
}
