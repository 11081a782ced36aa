package io.ksqlkit.bridge;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.util.Base64;
import java.util.List;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import org.apache.kafka.connect.data.Struct;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SecurityTest {
    @TempDir
    Path folder;

    /** A server whose own certificate, for a name, is written to a PEM file. */
    private FakeServer secured(String name, Path pem) throws Exception {
        Path store = folder.resolve(name + ".p12");
        Process made = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "keytool").toString(),
                        "-genkeypair", "-alias", "a", "-keyalg", "EC", "-dname", "CN=" + name, "-ext", "san=dns:" + name,
                        "-validity", "1", "-storetype", "PKCS12", "-storepass", "changeit", "-keystore", store.toString())
                .redirectErrorStream(true)
                .start();
        made.getInputStream().readAllBytes();
        assertEquals(0, made.waitFor());
        KeyStore keys = KeyStore.getInstance("PKCS12");
        try (InputStream in = Files.newInputStream(store)) {
            keys.load(in, "changeit".toCharArray());
        }
        KeyManagerFactory managers = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
        managers.init(keys, "changeit".toCharArray());
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(managers.getKeyManagers(), null, null);
        Files.writeString(pem, "-----BEGIN CERTIFICATE-----\n"
                + Base64.getMimeEncoder().encodeToString(keys.getCertificate("a").getEncoded())
                + "\n-----END CERTIFICATE-----\n");
        return new FakeServer(context.getServerSocketFactory(), "https");
    }

    @Test
    void aCertificateThatIsTrustedAndFitsIsTaken() throws Exception {
        Path pem = folder.resolve("ca.pem");
        try (FakeServer server = secured("localhost", pem)) {
            Functions.Echo echo =
                    Functions.at(server, new Functions.Echo(), "_global_.scoring.ca.file", pem.toString());
            assertEquals(4L, echo.of(4L));
            assertEquals(5L, echo.of(5L));
        }
    }

    @Test
    void anUnknownCertificateAndAnotherNameAreRefused() throws Exception {
        Path pem = folder.resolve("ca.pem");
        try (FakeServer server = secured("localhost", pem)) {
            Struct detail = Functions.at(server, new Functions.Detail()).of(4L);
            assertEquals("UNAVAILABLE", detail.get("STATUS"));
            assertTrue(((String) detail.get("REASON")).contains("certification path"), (String) detail.get("REASON"));
            assertTrue(((String) detail.get("REASON")).contains("ksql.functions._global_.scoring.ca.file"));
            assertEquals(0, server.calls.get());
        }
        try (FakeServer server = secured("elsewhere.example", pem)) {
            Struct detail = Functions.at(server, new Functions.Detail(), "_global_.scoring.ca.file", pem.toString())
                    .of(4L);
            assertTrue(((String) detail.get("REASON")).contains("localhost"), (String) detail.get("REASON"));
            assertTrue(((String) detail.get("REASON")).contains("ksql.functions._global_.scoring.ca.file"));
            assertEquals(0, server.calls.get());
        }
    }

    @Test
    void aTokenIsReadFromItsFileForEachCall() throws Exception {
        Path token = folder.resolve("token");
        Files.writeString(token, "# for ksqlDB\nfirst FRAUD_SCORE\n");
        try (FakeServer server = new FakeServer()) {
            Functions.Echo echo =
                    Functions.at(server, new Functions.Echo(), "_global_.scoring.token.file", token.toString());
            echo.of(1L);
            Files.writeString(token, "second\n");
            echo.of(2L);
            assertEquals(List.of("Bearer first", "Bearer second"), server.tokens);
            Files.delete(token);
            assertEquals(null, echo.of(3L));
            assertEquals(2, server.tokens.size(), "no call without the token that was asked for");
            server.mode = FakeServer.Mode.UNAUTHORIZED;
            Files.writeString(token, "ran-out\n");
            Functions.Detail asked =
                    Functions.at(server, new Functions.Detail(), "_global_.scoring.token.file", token.toString());
            String reason = (String) asked.of(4L).get("REASON");
            assertTrue(reason.contains("ksql.functions._global_.scoring.token.file"), reason);
            Files.delete(token);
            reason = (String) asked.of(4L).get("REASON");
            assertTrue(reason.contains("there is no file") && reason.contains("scoring.token.file"), reason);
            server.mode = FakeServer.Mode.GOOD;
            Files.writeString(token, "fresh\n");
            assertEquals(6L, echo.of(6L), "at once: the server was never at fault");
            assertEquals("Bearer fresh", server.tokens.get(server.tokens.size() - 1));
        }
    }

    @Test
    void aUrlThatIsNoneNamesItsProperty() {
        for (String url : List.of("localhost:8090", "ftp://x", "http://user:word@host")) {
            Functions.Echo echo = new Functions.Echo();
            RuntimeException said = assertThrows(
                    RuntimeException.class,
                    () -> echo.configure(java.util.Map.of("ksql.functions._global_.scoring.url", url)));
            assertTrue(said.getMessage().contains("scoring.url"), said.getMessage());
        }
    }
}
