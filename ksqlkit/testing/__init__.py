"""Tests of a project in ksqlDB's own test language: INSERT VALUES in, ASSERT VALUES out, on the engine in memory."""
