"""Types and generated code of scalar expressions."""
