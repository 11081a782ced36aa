-- One notice per customer and hour, however many alerts there are.
{{ alert_debounce('FRAUD_NOTICES', ref('FRAUD_ALERTS'), key='CUSTOMER_ID',
                  columns={'TX_ID': 'STRING', 'AMOUNT': 'DOUBLE', 'SCORE': 'DOUBLE'}, window='1 HOUR') }}
