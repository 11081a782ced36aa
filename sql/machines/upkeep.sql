-- How surprising a temperature is after all that its machine showed before, and how likely the machine is to fail:
-- FAILURE_RISK answers once the model is there (`ksqlkit train failure --from FILE --label FAILED`).
CREATE STREAM READING_SCORES AS
  SELECT MACHINE, TEMPERATURE, WEAR,
    ANOMALY_SCORE(MACHINE, ROWTIME, TEMPERATURE) AS SURPRISE,
    {{ score('FAILURE_RISK', ['TEMPERATURE', 'SPEED', 'TORQUE', 'WEAR'], alias='RISK') }}
  FROM {{ ref('READINGS') }};

CREATE STREAM MACHINE_ALARMS AS
  SELECT MACHINE, TEMPERATURE, SURPRISE, RISK,
    CASE WHEN RISK >= {{ var('stop_risk') }} THEN 'STOP' ELSE 'INSPECT' END AS ACTION
  FROM READING_SCORES
  WHERE SURPRISE >= 0.5 OR RISK >= {{ var('stop_risk') }};

-- What maintenance gets: the first alarm of a machine and hour.
{{ alert_debounce('MACHINE_ORDERS', ref('MACHINE_ALARMS'), key='MACHINE',
                  columns={'ACTION': 'STRING', 'TEMPERATURE': 'DOUBLE', 'SURPRISE': 'DOUBLE', 'RISK': 'DOUBLE'},
                  window='1 HOUR') }}
