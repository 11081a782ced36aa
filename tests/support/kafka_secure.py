"""A broker that asks who one is: SASL over TLS, client certificates, and rights by an authorizer. Plain text on its own
address is the administrator's."""

from __future__ import annotations

from pathlib import Path

from tests.support.certificates import Authority
from tests.support.kafka_broker import Broker, free_port

PASSWORD = "of-a-test"


class SecureBroker(Broker):
    """`sasl` (SCRAM-SHA-512 and PLAIN over TLS), `mutual` (TLS with client certificates) and `expired` (TLS by a
    certificate whose time is over) are addresses; the users are alice, who may do all, and bob, who gets his rights by
    `allow`."""

    format_options = ("--add-scram", f"SCRAM-SHA-512=[name=alice,password={PASSWORD}]",
                      "--add-scram", f"SCRAM-SHA-512=[name=bob,password={PASSWORD}]")  # fmt: skip

    def __init__(self, folder: Path) -> None:
        self.authority = Authority(folder / "tls")
        self.authority.sign("server")
        self.authority.sign("stale", expired=True)
        self._ports = {name: free_port() for name in ("SASL", "MUTUAL", "EXPIRED")}
        self.sasl, self.mutual, self.expired = (f"127.0.0.1:{port}" for port in self._ports.values())
        super().__init__(folder)

    def _settings(self) -> dict[str, str]:
        given = super()._settings()
        tls = self.authority.folder
        listeners = ",".join(f"{name}://127.0.0.1:{port}" for name, port in self._ports.items())
        more = {
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL:SASL_SSL,"
            "MUTUAL:SSL,EXPIRED:SASL_SSL",
            "inter.broker.listener.name": "PLAINTEXT",
            "sasl.enabled.mechanisms": "SCRAM-SHA-512,PLAIN",
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(tls / "server.both"),
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": str(self.authority.certificate),
            "listener.name.expired.ssl.keystore.location": str(tls / "stale.both"),
            "listener.name.mutual.ssl.client.auth": "required",
            "ssl.principal.mapping.rules": "RULE:^CN=(.*?)$/$1/,DEFAULT",
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": "User:ANONYMOUS;User:alice",
        }
        for name in ("sasl", "expired"):
            scram = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
            users = f'user_alice="{PASSWORD}" user_bob="{PASSWORD}"'
            plain = f"org.apache.kafka.common.security.plain.PlainLoginModule required {users};"
            more[f"listener.name.{name}.scram-sha-512.sasl.jaas.config"] = scram
            more[f"listener.name.{name}.plain.sasl.jaas.config"] = plain
        return {
            **given,
            **more,
            "listeners": f"{given['listeners']},{listeners}",
            "advertised.listeners": f"{given['advertised.listeners']},{listeners}",
        }

    def allow(self, user: str, kind: str, name: str, *operations: str, prefix: bool = False) -> None:
        """Give a user rights to a TOPIC, a GROUP or a TRANSACTIONAL_ID."""
        from confluent_kafka.admin import (  # type: ignore[attr-defined]
            AclBinding,
            AclOperation,
            AclPermissionType,
            AdminClient,
            ResourcePatternType,
            ResourceType,
        )

        pattern = ResourcePatternType.PREFIXED if prefix else ResourcePatternType.LITERAL
        bindings = [
            AclBinding(
                ResourceType[kind],
                name,
                pattern,
                f"User:{user}",
                "*",
                AclOperation[operation],
                AclPermissionType.ALLOW,
            )
            for operation in operations
        ]
        admin = AdminClient({"bootstrap.servers": self.address})
        for made in admin.create_acls(bindings).values():
            made.result(20.0)
