-- Needs the scoring server.

--@test: an address is blocked at its third attack
INSERT INTO REQUESTS (ROWTIME, REQUEST_ID, IP, PATH, PARAMS) VALUES (0, 1, '10.0.0.1', '/search', 'q=red shoes');
INSERT INTO REQUESTS (ROWTIME, REQUEST_ID, IP, PATH, PARAMS) VALUES (1, 2, '10.0.0.2', '/login', 'user='' OR 1=1 --');
INSERT INTO REQUESTS (ROWTIME, REQUEST_ID, IP, PATH, PARAMS) VALUES (2, 3, '10.0.0.2', '/search', 'q=<script>alert(1)</script>');
INSERT INTO REQUESTS (ROWTIME, REQUEST_ID, IP, PATH, PARAMS) VALUES (3, 4, '10.0.0.2', '/file', 'name=../../../etc/passwd');
ASSERT VALUES ATTACKS (REQUEST_ID, IP, KIND) VALUES (2, '10.0.0.2', 'sqli');
ASSERT VALUES ATTACKS (REQUEST_ID, IP, KIND) VALUES (3, '10.0.0.2', 'xss');
ASSERT VALUES ATTACKS (REQUEST_ID, IP, KIND) VALUES (4, '10.0.0.2', 'path-traversal');
ASSERT VALUES BLOCKED (IP, ATTACKS, KINDS) VALUES ('10.0.0.2', 3, ARRAY['sqli', 'xss', 'path-traversal']);
