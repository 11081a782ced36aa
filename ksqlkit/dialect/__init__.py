"""ksqlDB SQL as data: tokens, parser, printer and types. Knows no other part of ksqlkit."""
