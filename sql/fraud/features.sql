-- What the fraud model looks at: how much a customer and a terminal did lately, this transaction included.
{%- set tx = {'TX_ID': 'BIGINT', 'CUSTOMER_ID': 'BIGINT', 'TERMINAL_ID': 'BIGINT', 'AMOUNT': 'DOUBLE'} %}
{%- set hourly = dict(tx, CUSTOMER_1H_N='BIGINT', CUSTOMER_1H_SUM_AMOUNT='DOUBLE') %}
{%- set daily = dict(hourly, CUSTOMER_1D_N='BIGINT', CUSTOMER_1D_SUM_AMOUNT='DOUBLE') %}

{{ velocity('TX_CUSTOMER_1H', ref('TRANSACTIONS'), key='CUSTOMER_ID', key_type='BIGINT', carry=tx,
            window='1 HOUR', measures={'AMOUNT': 'SUM'}, prefix='CUSTOMER_1H') }}

{{ velocity('TX_CUSTOMER_1D', 'TX_CUSTOMER_1H', key='CUSTOMER_ID', key_type='BIGINT', carry=hourly,
            window='1 DAY', measures={'AMOUNT': 'SUM'}, prefix='CUSTOMER_1D') }}

{{ velocity('TX_FEATURES', 'TX_CUSTOMER_1D', key='TERMINAL_ID', key_type='BIGINT', carry=daily,
            window='1 DAY', measures={'AMOUNT': 'SUM'}, prefix='TERMINAL_1D') }}
