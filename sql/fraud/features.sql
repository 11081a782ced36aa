-- What the fraud model looks at: how much a customer and a terminal did lately, this transaction included.
{%- set tx = {'TX_ID': 'STRING', 'CUSTOMER_ID': 'STRING', 'TERMINAL_ID': 'STRING', 'AMOUNT': 'DOUBLE'} %}
{%- set hourly = dict(tx, C1H_SUM_AMOUNT='DOUBLE', C1H_N='BIGINT') %}
{%- set monthly = dict(hourly, C30D_SUM_AMOUNT='DOUBLE', C30D_N='BIGINT') %}

{{ velocity('TX_CUSTOMER_1H', ref('TRANSACTIONS'), key='CUSTOMER_ID', carry=tx,
            window='1 HOUR', measures={'AMOUNT': 'SUM'}, prefix='C1H') }}

{{ velocity('TX_CUSTOMER_30D', 'TX_CUSTOMER_1H', key='CUSTOMER_ID', carry=hourly,
            window='30 DAYS', measures={'AMOUNT': 'SUM'}, prefix='C30D') }}

{{ velocity('TX_FEATURES', 'TX_CUSTOMER_30D', key='TERMINAL_ID', carry=monthly,
            window='1 DAY', measures={'AMOUNT': 'SUM'}, prefix='T1D') }}
