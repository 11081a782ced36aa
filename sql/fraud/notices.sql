-- One notice per customer and hour, however many alerts there are.
{{ alert_debounce('FRAUD_NOTICES', ref('FRAUD_ALERTS'), key='CUSTOMER_ID', key_type='BIGINT',
                  columns={'TX_ID': 'BIGINT', 'AMOUNT': 'DOUBLE', 'SCORE': 'DOUBLE'}, window='1 HOUR') }}
