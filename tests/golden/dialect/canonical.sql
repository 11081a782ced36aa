create stream orders (id varchar key, amount double, addr address) with (value_format='JSON', kafka_topic='orders');
--> CREATE STREAM ORDERS (ID STRING KEY, AMOUNT DOUBLE, ADDR ADDRESS) WITH (KAFKA_TOPIC='orders', VALUE_FORMAT='JSON');

create or replace source table if not exists `t` (`Key` int primary key, `SELECT` decimal(4,2)) with (kafka_topic='t');
--> CREATE OR REPLACE SOURCE TABLE IF NOT EXISTS `t` (`Key` INTEGER PRIMARY KEY, `SELECT` DECIMAL(4, 2)) WITH (KAFKA_TOPIC='t');

select a + 1 as b, *, count(*) from s x where a=1 and not b in (1,2) group by a, c having count(*)>1 emit changes limit 3;
--> SELECT
-->   (A + 1) B,
-->   *,
-->   COUNT(*)
--> FROM S X
--> WHERE ((A = 1) AND (NOT (B IN (1, 2))))
--> GROUP BY A, C
--> HAVING (COUNT(*) > 1)
--> EMIT CHANGES
--> LIMIT 3

create table t as select k, count(*) from s window hopping (size 1 hour, advance by 10 minutes, grace period 0 seconds) group by k;
--> CREATE TABLE T AS SELECT
-->   K,
-->   COUNT(*)
--> FROM S S
--> WINDOW HOPPING ( SIZE 1 HOURS , ADVANCE BY 10 MINUTES , GRACE PERIOD 0 SECONDS ) 
--> GROUP BY K
--> EMIT CHANGES

insert into t select a.x from a left join b within (1 hour, 2 hours) grace period 5 minutes on a.id = b.id partition by a.x;
--> INSERT INTO T SELECT A.X
--> FROM A A
--> LEFT OUTER JOIN B B WITHIN (1 HOURS, 2 HOURS) GRACE PERIOD 5 MINUTES ON ((A.ID = B.ID))
--> PARTITION BY A.X
--> EMIT CHANGES

select 1.50, 15e0, -1e-7, 'it''s', null, true, cast(a as varchar), a->b[1], transform(c, x => x || 'y') from s;
--> SELECT
-->   1.50,
-->   1.5E1,
-->   -1E-7,
-->   'it''s',
-->   null,
-->   true,
-->   CAST(A AS STRING),
-->   A->B[1],
-->   TRANSFORM(C, (X) => CONCAT(X, 'y'))
--> FROM S S

alter stream s add a int, add column `b` array<struct<`x` int>>;
--> ALTER STREAM S
--> ADD COLUMN A INTEGER,
--> ADD COLUMN `b` ARRAY<STRUCT<`x` INTEGER>>;

create type a as struct<b int, c varchar>;
--> CREATE TYPE A AS STRUCT<B INTEGER, C STRING>;

insert into t (id, `v`) values (1, -2);
--> INSERT INTO T (ID, `v`) VALUES (1, -2)

drop stream if exists s delete topic;
--> DROP STREAM IF EXISTS S DELETE TOPIC

set 'a'='b';
--> SET 'a'='b'
