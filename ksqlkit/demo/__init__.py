"""The main job on real input, as `ksqlkit demo` and `ksqlkit dev --demo` run it; a user could type each step."""
