SELEC * FROM s;
--> line 1:1: Syntax Error
--> Unknown statement 'SELEC'
--> Did you mean 'SELECT'?

;
--> line 1:1: Syntax Error
--> Unknown statement ';'
--> Did you mean 'SET'?

SHOW STREAMS
--> line 1:13: Syntax Error
--> missing ';' at '<EOF>'

SHOW STREAMZ;
--> line 1:6: Syntax Error
--> Syntax error at or near 'STREAMZ' at line 1:6
--? did you mean STREAMS?

CREATE STREAM;
--> line 1:14: Syntax Error
--> Syntax error at or near ';' at line 1:14

CREATE STREAM select (x INT);
--> line 1:15: Syntax Error
--> Syntax error at or near 'select' at line 1:15
--? SELECT is a keyword; to use it as a name write `SELECT` in back-quotes

CREATE STREAM a (x INT WITH (KAFKA_TOPIC='a');
--> line 1:24: Syntax Error
--> Expecting {',', ')'}
--? WITH is a keyword; to use it as a name write `WITH` in back-quotes

CREATE STREAM a (x INT) WITH (KAFKA_TOPIC='a);
--> line 1:43: Syntax Error
--> 
--? this string has no closing quote; a quote inside a string is written twice: ''

DESCRIBE FUNCTION CAST;
--> line 1:19: Syntax Error
--> "CAST" is a reserved keyword and it can't be used as an identifier. You can use it as an identifier by escaping it as 'CAST' 
--? to name a column or source CAST, write `CAST` in back-quotes

SELECT FROM t;
--> line 1:8: Syntax Error
--> "FROM" is a reserved keyword and it can't be used as an identifier. You can use it as an identifier by escaping it as 'FROM' 
--? to name a column or source FROM, write `FROM` in back-quotes

SELECT * FROM s ORDER BY a;
--> line 1:23: Syntax Error
--> 
--? BY is a keyword; to use it as a name write `BY` in back-quotes

SELECT b.x FROM s a;
--> Failed to prepare statement: 'B' is not a valid stream/table name or alias.

SELECT * FROM s LIMIT 1.5;
--> Failed to prepare statement: Value must be integer for command: LIMIT

CREATE TABLE t AS SELECT * FROM s LIMIT 1;
--> Failed to prepare statement: CREATE TABLE AS SELECT statements don't support LIMIT clause.

CREATE STREAM s (v INT, V INT);
--> Failed to prepare statement: Duplicate column names: `V`

CREATE STREAM s (v INT HEADER('x'));
--> Failed to prepare statement: Invalid type for HEADER('x') column: expected BYTES, got INTEGER

CREATE STREAM s (v DECIMAL(2, 3));
--> Failed to prepare statement: DECIMAL precision must be >= scale: DECIMAL(2,3)

CREATE STREAM `a b` (v INT);
--> Illegal argument at Line: 1, Col: 15. Source names may only contain alphanumeric values, '_' or '-'. Got: 'a b'

INSERT INTO t (a, b) VALUES (1);
--> Failed to prepare statement: Expected number columns and values to match: 2, 1

SELECT 9223372036854775808 FROM s;
--> Failed to prepare statement: line 1:9: Invalid numeric literal: 9223372036854775808

SELECT 1E400 FROM s;
--> Failed to prepare statement: line 1:9: Number overflows DOUBLE: 1E400

SELECT DATE '2024-01-01' FROM s;
--> Failed to prepare statement: Unknown type: DATE, location:Optional[Line: 1, Col: 8]
--? use a function, as in PARSE_DATE('...', 'yyyy-MM-dd')

SELECT * FROM s WHERE a = b = c;
--> line 1:29: Syntax Error
--> 

SELECT ABS(1 FROM s;
--> line 1:14: Syntax Error
--> Syntax error at or near 'FROM' at line 1:14
--? FROM is a keyword; to use it as a name write `FROM` in back-quotes

SELECT $$x$$ FROM s;
--> line 1:8: Syntax Error
--> 
--? ksqlDB has no dollar quotes; variables are written ${name}, strings in single quotes

SELECT COUNT(*) FROM s WINDOW TUMBLING (SIZE 1 FORTNIGHT) GROUP BY a;
--> line 1:48: Syntax Error
--> Syntax error at or near 'FORTNIGHT' at line 1:48
--? time units are DAYS, HOURS, MINUTES, SECONDS and MILLISECONDS

SELECT * FROM s GROUP BY ();
--> Failed to prepare statement: GROUP BY requires at least one expression

RUN SCRIPT 'x.sql';
--> line 1:1: Syntax Error
--> Unknown statement 'RUN'
--> Did you mean 'PRINT'?
--? did you mean PRINT?

SELECT * FROM s WHERE a = ${x};
--> Failed to prepare statement: not yet implemented
--? the variable x has no value: DEFINE it first

DESCRIBE ${y};
--> Illegal argument at Line: 1, Col: 10. Source names may only contain alphanumeric values, '_' or '-'. Got: '${Y}'
--? define the variable ${y} first

SELECT * FROM a WHRE x = 1;
--> line 1:22: Syntax Error
--> 
--? did you mean WHERE?

SELECT a FROM b GRUP BY c;
--> line 1:22: Syntax Error
--> 
--? did you mean GROUP?
