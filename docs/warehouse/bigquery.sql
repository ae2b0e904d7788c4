-- Purser's exports in BigQuery. The dataset is called purser here, the bucket example-bucket.
-- ListCost and ContractedCost have 18 decimals: they are BIGNUMERIC, and the tables say so.

CREATE OR REPLACE EXTERNAL TABLE purser.focus
OPTIONS (format = 'PARQUET', uris = ['gs://example-bucket/focus/*.parquet'], decimal_target_types = ['NUMERIC', 'BIGNUMERIC']);

CREATE OR REPLACE EXTERNAL TABLE purser.usage
OPTIONS (format = 'PARQUET', uris = ['gs://example-bucket/usage/*.parquet'], decimal_target_types = ['NUMERIC', 'BIGNUMERIC']);

-- What customers pay: fill it from your billing.
CREATE TABLE IF NOT EXISTS purser.revenue (customer STRING, month DATE, amount NUMERIC);

-- name: total
SELECT SUM(BilledCost) AS billed, SUM(EffectiveCost) AS effective, SUM(x_AvoidedCost) AS avoided, SUM(x_RequestCount) AS requests
FROM purser.focus;

-- name: spend_by_customer_and_month
SELECT x_Customer AS customer, DATE(BillingPeriodStart) AS month, SUM(BilledCost) AS billed
FROM purser.focus
GROUP BY customer, month
ORDER BY month, billed DESC, customer;

-- name: unit_cost
SELECT x_Model AS model, SkuMeter AS meter, SUM(ConsumedQuantity) AS consumed, SUM(BilledCost) AS billed,
       SUM(BilledCost) * 1000000 / NULLIF(SUM(ConsumedQuantity), 0) AS dollars_for_a_million
FROM purser.focus
WHERE ConsumedUnit = 'Tokens'
GROUP BY model, meter
ORDER BY billed DESC, model, meter;

-- name: cache_savings
SELECT x_Feature AS feature, SUM(x_CacheHitCount) AS served_from_cache, SUM(x_RequestCount) AS requests, SUM(x_AvoidedCost) AS avoided, SUM(BilledCost) AS billed
FROM purser.focus
GROUP BY feature
ORDER BY avoided DESC, feature;

-- name: contract_savings
SELECT ServiceName AS service, SUM(ListCost) AS list, SUM(ContractedCost) AS contracted, SUM(ListCost) - SUM(ContractedCost) AS saved
FROM purser.focus
GROUP BY service
ORDER BY saved DESC, service;

-- name: allocation
SELECT owner, SUM(IF(value <> 'unallocated', BilledCost, NULL)) AS allocated, SUM(IF(value = 'unallocated', BilledCost, NULL)) AS unallocated
FROM purser.focus
UNPIVOT (value FOR owner IN (x_Organization, x_Team, x_Project, x_Member, x_Customer, x_Feature))
GROUP BY owner
ORDER BY owner;

-- name: corrections
SELECT x_RecordKind AS kind, ChargeClass AS class, DATE(BillingPeriodStart) AS month, SUM(BilledCost) AS billed
FROM purser.focus
WHERE ChargeCategory = 'Adjustment'
GROUP BY kind, class, month
ORDER BY month, kind, class;

-- name: daily_spend
SELECT DATE(ChargePeriodStart) AS day, SubAccountName AS team, SUM(BilledCost) AS billed
FROM purser.focus
GROUP BY day, team
ORDER BY day, billed DESC, team;

-- name: records
SELECT COUNT(*) AS records, SUM(cost) AS cost
FROM purser.usage;

-- name: top_runs
SELECT run, COUNT(DISTINCT request_id) AS requests, SUM(cost) AS cost, SUM(output_tokens) AS output_tokens
FROM purser.usage
WHERE run IS NOT NULL
GROUP BY run
ORDER BY cost DESC, run
LIMIT 20;

-- name: latency
SELECT model, COUNT(*) AS calls, APPROX_QUANTILES(first_byte_ns, 100)[OFFSET(50)] / 1e6 AS first_byte_p50_ms, APPROX_QUANTILES(total_ns, 100)[OFFSET(99)] / 1e6 AS total_p99_ms
FROM purser.usage
WHERE kind = 'request' AND outcome = 'completed'
GROUP BY model
ORDER BY calls DESC, model;

-- name: margin
SELECT COALESCE(c.customer, r.customer) AS customer, COALESCE(c.month, r.month) AS month, c.cost, r.amount AS revenue, r.amount - c.cost AS margin
FROM (SELECT x_Customer AS customer, DATE(BillingPeriodStart) AS month, SUM(BilledCost) AS cost FROM purser.focus GROUP BY customer, month) AS c
FULL JOIN (SELECT customer, month, SUM(amount) AS amount FROM purser.revenue GROUP BY customer, month) AS r ON r.customer = c.customer AND r.month = c.month
ORDER BY month, customer;
